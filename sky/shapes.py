"""How far inside or outside of a region points lie; the base of coverage and of point tests."""

import numpy as np

from sky import polygons
from sky.forms import (
    ORDER_29_CELLS,
    Circle,
    MocRegion,
    Point,
    Polygon,
    Range,
    Region,
    Union,
    vertex_vectors,
)
from sky.healpix import cell_centres, cell_radii, cells
from sky.moc import cells_by_order, degrade
from sky.vectors import BoolArray, FloatArray, angles, lengths, positions, unit, unit_vectors


def signed_distance(region: Region, points: FloatArray) -> FloatArray:
    """Measure how far points lie inside (positive) or outside (negative) of a region [rad].

    ``points`` are unit vectors (m, 3). Inside a union the largest value of its parts is returned,
    a lower bound. MOCs have no distance.

    Raises
    ------
    TypeError
        If the region is a MOC or holds one.
    """
    distance: FloatArray
    match region:
        case Point():
            distance = -angles(unit_vectors(region.ra, region.dec), points)
        case Circle() if region.radius >= 180.0:
            distance = np.full(len(points), np.pi)
        case Circle():
            distance = np.radians(region.radius) - angles(unit_vectors(region.ra, region.dec), points)
        case Polygon():
            distance = polygons.signed_distances(polygons.Edges.of(vertex_vectors(region)), points[None])[0]
        case Range():
            distance = _range_distance(region, points)
        case Union():
            distance = np.max([signed_distance(part, points) for part in region.parts], axis=0)
        case MocRegion():
            raise TypeError("a MOC has no boundary distance")
    return distance


def in_moc(region: MocRegion, points: FloatArray) -> BoolArray:
    """Tell which unit vectors (m, 3) fall into cells of a MOC."""
    numbers = cells(*positions(points))
    ranges = np.asarray(region.ranges, dtype=np.int64).reshape(-1, 2)
    place = np.searchsorted(ranges[:, 0], numbers, side="right") - 1
    ends = np.append(ranges[:, 1], 0)
    result: BoolArray = (place >= 0) & (numbers < ends[place])
    return result


def moc_cells(moc: MocRegion) -> tuple[FloatArray, FloatArray]:
    """Return the largest cells that make up a MOC: centres (n, 3) and how far they reach [rad]."""
    by_order = cells_by_order(moc)
    numbers = np.concatenate([np.asarray(found, np.int64) for found in by_order.values()])
    orders = np.repeat(list(by_order), [len(found) for found in by_order.values()])
    ra, dec = cell_centres(numbers, orders)
    return unit_vectors(ra, dec), cell_radii(orders, ra, dec)


def _range_distance(box: Range, points: FloatArray) -> FloatArray:
    ra, dec = positions(points)
    ahead = (ra - box.west) % 360.0
    # Just west of the start is a little behind, not almost a turn ahead.
    offset = np.minimum(ahead, 360.0 - ahead)
    in_ra = (ahead <= box.width) | (offset == 0.0)
    inside = in_ra & (dec >= box.south) & (dec <= box.north)
    distance = np.full(len(points), np.pi)
    for parallel in (box.south, box.north):
        if abs(parallel) < 90.0:
            distance = np.where(in_ra, np.minimum(distance, np.radians(np.abs(dec - parallel))), distance)
    if box.width < 360.0:
        for meridian in (box.west, box.west + box.width):
            distance = np.minimum(distance, _meridian_distance(box, meridian, points))
    elif box.south == box.north and abs(box.south) == 90.0:
        distance = angles(unit_vectors(0.0, box.south), points)
    return np.where(inside, distance, -distance)


def _meridian_distance(box: Range, meridian: float, points: FloatArray) -> FloatArray:
    """Measure to the arc of one meridian between the box's parallels [rad]."""
    ends = unit_vectors(meridian, [box.south, box.north])
    nearest = np.minimum(angles(ends[0], points), angles(ends[1], points))
    pole = unit_vectors(meridian + 90.0, 0.0)
    side = points @ pole
    foot = unit(points - side[:, None] * pole)
    _, foot_dec = positions(foot)
    same_side = foot @ unit_vectors(meridian, 0.0) > 0.0
    beside = same_side & (foot_dec >= box.south) & (foot_dec <= box.north) & (lengths(foot) > 0.5)
    return np.where(beside, np.abs(np.arcsin(np.clip(side, -1.0, 1.0))), nearest)


def inside_by(region: Region, points: FloatArray) -> FloatArray:
    """Bound from below how far inside of a region points lie [rad]; negative says nothing."""
    match region:
        case MocRegion():
            unknown: FloatArray = np.full(len(points), -np.pi)
            return unknown
        case Union():
            deepest: FloatArray = np.max([inside_by(part, points) for part in region.parts], axis=0)
            return deepest
        case _:
            return signed_distance(region, points)


def outside_by(region: Region, points: FloatArray) -> FloatArray:
    """Bound from below how far outside of a region points lie [rad]; negative says nothing."""
    match region:
        case MocRegion():
            if not region.ranges:
                return np.full_like(points[:, 0], np.pi)
            # Coarser cells keep the table small; the slack covers what arccos loses near zero.
            centres, reach = moc_cells(region if len(region.ranges) < 100 else degrade(region, 5))
            to_cells: FloatArray = np.arccos(np.clip(points @ centres.T, -1.0, 1.0)) - reach - 1e-7
            closest: FloatArray = to_cells.min(axis=1)
            return closest
        case Union():
            nearest: FloatArray = np.min([outside_by(part, points) for part in region.parts], axis=0)
            return nearest
        case _:
            return -signed_distance(region, points)


def some_point(region: Region) -> FloatArray:
    """Return a point of a region as a unit vector (3,)."""
    found: FloatArray
    match region:
        case Point() | Circle():
            found = unit_vectors(region.ra, region.dec)
        case Polygon():
            found = vertex_vectors(region)[0, 0]
        case Range():
            found = unit_vectors(region.west + region.width / 2.0, (region.south + region.north) / 2.0)
        case Union():
            found = some_point(region.parts[0])
        case MocRegion():
            found = moc_cells(region)[0][0]
    return found


def bounding_cap(region: Region) -> tuple[FloatArray, float]:
    """Return a cap around a region: its centre as a unit vector (3,) and its radius [rad]."""
    match region:
        case Point():
            return unit_vectors(region.ra, region.dec), 0.0
        case Circle():
            return unit_vectors(region.ra, region.dec), float(np.radians(region.radius))
        case Polygon():
            vertices = vertex_vectors(region)
            centre, radius = polygons.bounding_caps(vertices, polygons.Edges.of(vertices))
            return centre[0], float(radius[0])
        case Range():
            return _range_cap(region)
        case Union():
            return _cap_of_caps([bounding_cap(part) for part in region.parts])
        case MocRegion():
            return _moc_cap(region)


def _range_cap(box: Range) -> tuple[FloatArray, float]:
    middle = unit_vectors(box.west + box.width / 2.0, (box.south + box.north) / 2.0)
    candidates = [middle, unit_vectors(0.0, 90.0), unit_vectors(0.0, -90.0)]
    reach = [_range_reach(box, centre) for centre in candidates]
    best = int(np.argmin(reach))
    return candidates[best], reach[best]


def _range_reach(box: Range, centre: FloatArray) -> float:
    # The farthest point is as far as the antipode is away from the box.
    return float(np.pi - max(0.0, -_range_distance(box, -centre[None])[0]))


def _cap_of_caps(caps: list[tuple[FloatArray, float]]) -> tuple[FloatArray, float]:
    total = unit(np.sum([centre for centre, _ in caps], axis=0))
    centre = total if lengths(total) > 0.5 else caps[0][0]
    reach = max(float(angles(centre, other)) + radius for other, radius in caps)
    return centre, min(reach, float(np.pi))


def _moc_cap(region: MocRegion) -> tuple[FloatArray, float]:
    if not region.ranges:
        return unit_vectors(0.0, 0.0), 0.0
    if region.ranges == ((0, ORDER_29_CELLS),):
        return unit_vectors(0.0, 0.0), float(np.pi)
    vectors, radii = moc_cells(region)
    total = unit((vectors * (radii * radii)[:, None]).sum(axis=0))
    centre = total if lengths(total) > 0.5 else vectors[0]
    return centre, min(float((angles(centre, vectors) + radii).max()), float(np.pi))
