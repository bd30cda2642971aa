"""Which footprints meet, hold, or lie within a region, and which points lie inside: exactly.

The one refinement kernel of every engine. Regions are closed: what is within 5e-11 degrees of a
boundary belongs. Rows without a region, or whose text was refused, are False.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sky import polygons
from sky.arcs import region_covers, regions_meet
from sky.footprints import ABSENT, CIRCLE, OTHER, POINT, Footprints
from sky.forms import Circle, MocRegion, Point, Polygon, Region, Union, vertex_vectors
from sky.mocs import has_moc, moc_covers, moc_meets
from sky.shapes import bounding_cap, in_moc, inside_by, outside_by, signed_distance, some_point
from sky.vectors import BoolArray, FloatArray, IntArray, angles, at_most, unit_vectors


def contains_points(region: Region, ra: ArrayLike, dec: ArrayLike) -> BoolArray:
    """Tell which positions in degrees lie in a region; NaN is in none."""
    lon, lat = np.broadcast_arrays(np.asarray(ra, np.float64), np.asarray(dec, np.float64))
    valid = np.isfinite(lon) & np.isfinite(lat) & (np.abs(lat) <= 90.0)
    points = unit_vectors(lon[valid], lat[valid])
    result = np.zeros(lon.shape, np.bool_)
    result[valid] = _holds(region, points)
    return result


def _holds(region: Region, points: FloatArray) -> BoolArray:
    match region:
        case MocRegion():
            return in_moc(region, points)
        case Union():
            result: BoolArray = np.any([_holds(part, points) for part in region.parts], axis=0)
            return result
        case _:
            if not len(points):
                return np.zeros(0, np.bool_)
            return at_most(0.0, signed_distance(region, points))


def intersects(region: Region, footprints: Footprints) -> BoolArray:
    """Tell which footprints have a point in common with a region, shape (n,)."""
    if isinstance(region, Point | Circle | Polygon):
        return _against(region, footprints, _meet, lambda row: meet(region, row))
    caps = _caps(footprints)
    result = caps.known & _holds(region, caps.spot)
    undecided = caps.known & ~result & at_most(outside_by(region, caps.centre), caps.radius)
    if isinstance(region, Union):
        rows = np.flatnonzero(undecided)
        some = footprints.take(rows)
        # A union meets what one of its parts meets, and for a part all rows are tested at once.
        result[rows] = np.any([intersects(part, some) for part in region.parts], axis=0)
        return result
    return _one_by_one(result, undecided, footprints, lambda row: meet(region, row))


def within(footprints: Footprints, region: Region) -> BoolArray:
    """Tell which footprints lie inside a region entirely, shape (n,)."""
    if isinstance(region, Point | Circle | Polygon):
        return _against(region, footprints, _cover, lambda row: cover(region, row))
    caps = _caps(footprints)
    result = caps.known & (inside_by(region, caps.centre) >= caps.radius)
    undecided = caps.known & ~result & _holds(region, caps.spot)
    return _one_by_one(result, undecided, footprints, lambda row: cover(region, row))


def contains(footprints: Footprints, region: Region) -> BoolArray:
    """Tell which footprints hold a region entirely, shape (n,)."""
    if isinstance(region, Point | Circle | Polygon):
        return _against(
            region, footprints, lambda one, rows: _cover(rows, one), lambda row: cover(row, region)
        )
    caps = _caps(footprints)
    undecided = caps.known & at_most(outside_by(region, caps.centre), caps.radius)
    return _one_by_one(
        np.zeros(len(footprints), np.bool_), undecided, footprints, lambda row: cover(row, region)
    )


def intersects_pairs(first: Footprints, second: Footprints) -> BoolArray:
    """Tell, row by row, whether two footprints have a point in common, shape (n,)."""
    return _pairwise(first, second, _meet, meet)


def contains_pairs(outer: Footprints, inner: Footprints) -> BoolArray:
    """Tell, row by row, whether the outer footprint holds the inner one, shape (n,)."""
    return _pairwise(outer, inner, _cover, cover)


def points_in_footprints(footprints: Footprints, ra: ArrayLike, dec: ArrayLike) -> BoolArray:
    """Tell, row by row, whether a position in degrees lies in the footprint; NaN lies in none."""
    size = len(footprints)
    lon = np.broadcast_to(np.asarray(ra, np.float64), (size,))
    lat = np.broadcast_to(np.asarray(dec, np.float64), (size,))
    valid = np.isfinite(lon) & np.isfinite(lat) & (np.abs(lat) <= 90.0)
    points = unit_vectors(np.where(valid, lon, 0.0), np.where(valid, lat, 0.0))
    result = np.zeros(size, np.bool_)
    for shapes in _shapes(footprints):
        spots = _Shapes(shapes.rows, points[shapes.rows], np.zeros(len(shapes.rows)), None)
        result[shapes.rows] = _meet(shapes, spots)
    for row in footprints.rows_of(OTHER).tolist():
        result[row] = bool(_holds(footprints.objects[row], points[row : row + 1])[0])
    return result & valid


def meet(first: Region, second: Region) -> bool:
    """Tell whether two regions have a point in common."""
    if has_moc(first) or has_moc(second):
        return moc_meets(first, second)
    if isinstance(first, Point | Circle | Polygon) and isinstance(second, Point | Circle | Polygon):
        return bool(_meet(_single(first), _single(second))[0])
    return regions_meet(first, second)


def cover(outer: Region, inner: Region) -> bool:
    """Tell whether ``outer`` holds every point of ``inner``."""
    if has_moc(outer) or has_moc(inner):
        return moc_covers(outer, inner)
    if isinstance(outer, Point | Circle | Polygon) and isinstance(inner, Point | Circle | Polygon):
        return bool(_cover(_single(outer), _single(inner))[0])
    return region_covers(outer, inner)


@dataclass(frozen=True, slots=True)
class _Shapes:
    """Caps (``centre`` (n, 3), ``radius`` (n,) in radians) or, with ``edges``, polygons of equal size."""

    rows: IntArray
    centre: FloatArray
    radius: FloatArray
    edges: polygons.Edges | None

    def take(self, chosen: IntArray | BoolArray) -> "_Shapes":
        if len(self.rows) == 1:
            return self
        edges = None if self.edges is None else self.edges[chosen]
        return _Shapes(self.rows[chosen], self.centre[chosen], self.radius[chosen], edges)


def _single(region: Point | Circle | Polygon) -> _Shapes:
    row = np.zeros(1, np.int64)
    if isinstance(region, Polygon):
        vertices = vertex_vectors(region)
        return _Shapes(row, vertices[:, 0], np.zeros(1), polygons.Edges.of(vertices))
    radius = region.radius if isinstance(region, Circle) else 0.0
    return _Shapes(row, unit_vectors([region.ra], [region.dec]), np.radians([radius]), None)


def _shapes(footprints: Footprints) -> Iterator[_Shapes]:
    for kind in (POINT, CIRCLE):
        rows = footprints.rows_of(kind)
        if len(rows):
            radius = np.radians(footprints.radius[rows]) if kind == CIRCLE else np.zeros(len(rows))
            yield _Shapes(rows, footprints.centres(rows), radius, None)
    for group in footprints.polygon_groups:
        yield _Shapes(group.rows, group.vertices[:, 0], np.zeros(len(group.rows)), group.edges)


def _against(
    region: Point | Circle | Polygon,
    footprints: Footprints,
    test: Callable[[_Shapes, _Shapes], BoolArray],
    one_by_one: Callable[[Region], bool],
) -> BoolArray:
    result = np.zeros(len(footprints), np.bool_)
    one = _single(region)
    for shapes in _shapes(footprints):
        result[shapes.rows] = test(one, shapes)
    return _one_by_one(result, footprints.kind == OTHER, footprints, one_by_one)


def _one_by_one(
    result: BoolArray, undecided: BoolArray, footprints: Footprints, test: Callable[[Region], bool]
) -> BoolArray:
    for row in np.flatnonzero(undecided).tolist():
        other = footprints.region(row)
        result[row] = other is not None and test(other)
    return result


@dataclass(frozen=True, slots=True)
class _Caps:
    """A cap around each footprint and one of its points; ``known`` where there is a footprint."""

    known: BoolArray
    centre: FloatArray
    radius: FloatArray
    spot: FloatArray


def _caps(footprints: Footprints) -> _Caps:
    size = len(footprints)
    centre, spot, radius = np.zeros((size, 3)), np.zeros((size, 3)), np.zeros(size)
    centre[:, 0] = spot[:, 0] = 1.0
    for shapes in _shapes(footprints):
        centre[shapes.rows], radius[shapes.rows], spot[shapes.rows] = (
            shapes.centre,
            shapes.radius,
            shapes.centre,
        )
        if shapes.edges is not None:
            around = polygons.bounding_caps(shapes.edges.start, shapes.edges)
            centre[shapes.rows], radius[shapes.rows] = around
    for row in footprints.rows_of(OTHER).tolist():
        region = footprints.objects[row]
        centre[row], radius[row] = bounding_cap(region)
        spot[row] = some_point(region)
    return _Caps(footprints.kind != ABSENT, centre, radius, spot)


def _pairwise(
    first: Footprints,
    second: Footprints,
    test: Callable[[_Shapes, _Shapes], BoolArray],
    one_by_one: Callable[[Region, Region], bool],
) -> BoolArray:
    result = np.zeros(len(first), np.bool_)
    others = list(_shapes(second))
    for shapes in _shapes(first):
        for other in others:
            rows, own, opposite = np.intersect1d(
                shapes.rows, other.rows, assume_unique=True, return_indices=True
            )
            if len(rows):
                result[rows] = test(shapes.take(own), other.take(opposite))
    for row in np.flatnonzero((first.kind == OTHER) | (second.kind == OTHER)).tolist():
        one, two = first.region(row), second.region(row)
        result[row] = one is not None and two is not None and one_by_one(one, two)
    return result


def _meet(first: _Shapes, second: _Shapes) -> BoolArray:
    if first.edges is None and second.edges is None:
        return at_most(angles(first.centre, second.centre), first.radius + second.radius)
    if first.edges is None:
        return _cap_meets(first, second)
    if second.edges is None:
        return _cap_meets(second, first)
    own = np.any(at_most(0.0, polygons.signed_distances(second.edges, first.edges.start)), axis=1)
    other = np.any(at_most(0.0, polygons.signed_distances(first.edges, second.edges.start)), axis=1)
    crossing = np.any(polygons.edges_cross(first.edges, second.edges), axis=(1, 2))
    result: BoolArray = own | other | crossing
    return result


def _cap_meets(caps: _Shapes, shapes: _Shapes) -> BoolArray:
    assert shapes.edges is not None  # noqa: S101 - the caller dispatches on it
    depth = polygons.signed_distances(shapes.edges, caps.centre[:, None])[:, 0]
    # Beyond a hemisphere the cap's complement is small, and distances to it keep their digits.
    reach = angles(shapes.edges.start, -caps.centre[:, None]).max(axis=1)
    wide = (depth >= 0.0) | at_most(np.pi - caps.radius, reach)
    return np.where(caps.radius > np.pi / 2.0, wide, at_most(-caps.radius, depth))


def _cover(outer: _Shapes, inner: _Shapes) -> BoolArray:
    if outer.edges is None and inner.edges is None:
        distance = angles(outer.centre, inner.centre)
        return at_most(distance + inner.radius, outer.radius) | (outer.radius >= np.pi)
    if outer.edges is None:
        return _cap_covers(outer, inner)
    if inner.edges is None:
        depth = polygons.signed_distances(outer.edges, inner.centre[:, None])[:, 0]
        return at_most(inner.radius, depth)
    return _polygon_covers(outer, inner)


def _cap_covers(caps: _Shapes, shapes: _Shapes) -> BoolArray:
    assert shapes.edges is not None  # noqa: S101 - the caller dispatches on it
    opposite = polygons.signed_distances(shapes.edges, -caps.centre[:, None])[:, 0]
    reach = angles(shapes.edges.start, caps.centre[:, None]).max(axis=1)
    narrow = at_most(reach, caps.radius) & (opposite < 0.0)
    wide = at_most(opposite, caps.radius - np.pi) | (caps.radius >= np.pi)
    return np.where(caps.radius < np.pi / 2.0, narrow, wide)


def _polygon_covers(outer: _Shapes, inner: _Shapes) -> BoolArray:
    assert outer.edges is not None  # noqa: S101 - the caller dispatches on it
    assert inner.edges is not None  # noqa: S101
    corners = at_most(0.0, polygons.signed_distances(outer.edges, inner.edges.start))
    convex = (outer.edges.turn >= 0.0).all(axis=1) & ~polygons.beyond_hemisphere(inner.edges)
    centre, radius = polygons.bounding_caps(inner.edges.start, inner.edges)
    deep = polygons.signed_distances(outer.edges, centre[:, None])[:, 0] >= radius
    result: BoolArray = np.all(corners, axis=1)
    for row in np.flatnonzero(result & ~convex & ~deep).tolist():
        result[row] = region_covers(_polygon(outer.edges, row), _polygon(inner.edges, row))
    return result


def _polygon(edges: polygons.Edges, row: int) -> Polygon:
    ra, dec = _degrees(edges.start[min(row, len(edges.start) - 1)])
    return Polygon(tuple(zip(ra.tolist(), dec.tolist(), strict=True)))


def _degrees(vectors: FloatArray) -> tuple[FloatArray, FloatArray]:
    ra = np.degrees(np.arctan2(vectors[:, 1], vectors[:, 0])) % 360.0
    return ra, np.degrees(np.arctan2(vectors[:, 2], np.hypot(vectors[:, 0], vectors[:, 1])))
