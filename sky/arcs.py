"""Exact relations of any two regions, one pair at a time.

Every boundary is made of arcs of circles, great or small. Two regions meet where their arcs cross or
one holds a point of the other. One holds the other if no piece of boundary, cut at all crossings,
shows a side that belongs to the inner and not to the outer region.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from sky.forms import Circle, MocRegion, Point, Polygon, Range, Region, Union, vertex_vectors
from sky.shapes import signed_distance
from sky.vectors import (
    TOLERANCE,
    BoolArray,
    FloatArray,
    IntArray,
    angles,
    crosses,
    dots,
    normals,
    perpendicular,
    unit,
    unit_vectors,
)


@dataclass(frozen=True, slots=True)
class Arcs:
    """Arcs of circles: ``radius`` [rad] around ``axis``, from ``start`` on for ``span`` [rad], eastward."""

    axis: FloatArray
    radius: FloatArray
    start: FloatArray
    span: FloatArray

    @classmethod
    def joined(cls, parts: "list[Arcs]") -> Self:
        """Put lists of arcs together."""
        return cls(
            np.concatenate([np.empty((0, 3)), *(part.axis for part in parts)]),
            np.concatenate([np.empty(0), *(part.radius for part in parts)]),
            np.concatenate([np.empty((0, 3)), *(part.start for part in parts)]),
            np.concatenate([np.empty(0), *(part.span for part in parts)]),
        )

    def __len__(self) -> int:
        return len(self.radius)

    def at(self, index: int, turn: FloatArray) -> FloatArray:
        """Return the points of arc ``index`` that lie ``turn`` radians after its start, shape (m, 3)."""
        ahead, left = self._frame(index)
        reach = np.sin(self.radius[index])
        on_axis: FloatArray = np.cos(self.radius[index]) * self.axis[index]
        circle: FloatArray = np.cos(turn)[:, None] * ahead + np.sin(turn)[:, None] * left
        return unit(on_axis + reach * circle)

    def turn_of(self, index: int, points: FloatArray) -> FloatArray:
        """Return where points fall along arc ``index``, radians after its start, 0 to 2 pi."""
        ahead, left = self._frame(index)
        result: FloatArray = np.arctan2(points @ left, points @ ahead) % (2.0 * np.pi)
        return result

    def _frame(self, index: int) -> tuple[FloatArray, FloatArray]:
        left = normals(self.axis[index], self.start[index])
        return crosses(left, self.axis[index]), left


def arcs_of(region: Region) -> Arcs:
    """Return the boundary of a region; unions give the boundaries of all their parts."""
    match region:
        case Point() | MocRegion():
            return Arcs.joined([])
        case Circle():
            return _circle_arcs(region)
        case Polygon():
            vertices = vertex_vectors(region)[0]
            after = np.roll(vertices, -1, axis=0)
            right = np.full(len(vertices), np.pi / 2.0)
            return Arcs(normals(vertices, after), right, vertices, angles(vertices, after))
        case Range():
            return _range_arcs(region)
        case Union():
            return Arcs.joined([arcs_of(part) for part in region.parts])


def _circle_arcs(circle: Circle) -> Arcs:
    if circle.radius >= 180.0 or circle.radius == 0.0:
        return Arcs.joined([])
    axis = unit_vectors([circle.ra], [circle.dec])
    radius = np.radians([circle.radius])
    start = np.cos(radius)[:, None] * axis + np.sin(radius)[:, None] * perpendicular(axis)
    return Arcs(axis, radius, start, np.array([2.0 * np.pi]))


def _range_arcs(box: Range) -> Arcs:
    pole = unit_vectors([0.0], [90.0])
    parts = []
    for parallel in {box.south, box.north}:
        if abs(parallel) < 90.0:
            start = unit_vectors([box.west], [parallel])
            parts.append(Arcs(pole, np.radians([90.0 - parallel]), start, np.radians([box.width])))
    if box.width < 360.0:
        for meridian in {box.west, box.west + box.width}:
            start = unit_vectors([meridian], [box.south])
            axis = unit_vectors([meridian - 90.0], [0.0])
            parts.append(Arcs(axis, np.array([np.pi / 2.0]), start, np.radians([box.north - box.south])))
    return Arcs.joined(parts)


def _crossings(first: Arcs, index: int, second: Arcs) -> tuple[FloatArray, IntArray]:
    """Find where the full circle of one arc meets those of others: points (m, 3), and whose they are."""
    axis, own = first.axis[index], first.radius[index]
    distance = angles(axis, second.axis)
    half = (distance + own + second.radius) / 2.0
    # Half-angle formulas of the triangle axis, axis, crossing point keep their digits for tiny circles.
    above = np.sin(half - distance) * np.sin(half - own)
    below = np.sin(half) * np.sin(half - second.radius)
    apart = np.minimum(distance, np.pi - distance) > 1e-15
    found = np.flatnonzero(apart & (above * below >= 0.0))
    corner = 2.0 * np.arctan2(np.sqrt(np.abs(above[found])), np.sqrt(np.abs(below[found])))[:, None]
    side = normals(axis, second.axis[found])
    ahead, aside = np.cos(corner) * crosses(side, axis), np.sin(corner) * side
    around = np.concatenate((ahead + aside, ahead - aside))
    return unit(np.cos(own) * axis + np.sin(own) * around), np.tile(found, 2)


def _on_arc(arcs: Arcs, index: int, points: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Return how far along an arc points of its circle are, and which belong to it."""
    turn = arcs.turn_of(index, points)
    slack = TOLERANCE / max(np.sin(arcs.radius[index]), 1e-12)
    turn = np.where(turn > 2.0 * np.pi - slack, 0.0, turn)
    return turn, turn <= arcs.span[index] + slack


def _arcs_meet(first: Arcs, second: Arcs) -> bool:
    for index in range(len(first)):
        points, owners = _crossings(first, index, second)
        _, here = _on_arc(first, index, points)
        for point, owner in zip(points[here], owners[here].tolist(), strict=True):
            if _on_arc(second, owner, point[None])[1].any():
                return True
    return False


def _anchors(region: Region, arcs: Arcs) -> FloatArray:
    """Return points of a region, at least one of each connected part of it and of its boundary."""
    match region:
        case Point() | Circle():
            centre = unit_vectors([region.ra], [region.dec])
            return np.concatenate((centre, arcs.start))
        case Range():
            middle = unit_vectors([region.west + region.width / 2.0], [(region.south + region.north) / 2.0])
            ends = unit_vectors([region.west + region.width] * 2, [region.south, region.north])
            return np.concatenate((middle, ends, arcs.start))
        case _:
            return arcs.start


def regions_meet(first: Region, second: Region) -> bool:
    """Tell whether two regions without MOCs have a point in common."""
    if isinstance(first, Union):
        return any(regions_meet(part, second) for part in first.parts)
    if isinstance(second, Union):
        return any(regions_meet(first, part) for part in second.parts)
    own, other = arcs_of(first), arcs_of(second)
    if (signed_distance(second, _anchors(first, own)) >= -TOLERANCE).any():
        return True
    if (signed_distance(first, _anchors(second, other)) >= -TOLERANCE).any():
        return True
    return _arcs_meet(own, other)


def region_covers(outer: Region, inner: Region) -> bool:
    """Tell whether ``outer`` holds every point of ``inner``; neither may hold a MOC."""
    if isinstance(inner, Union):
        return all(region_covers(outer, part) for part in inner.parts)
    own, other = arcs_of(inner), arcs_of(outer)
    if (signed_distance(outer, _anchors(inner, own)) < -TOLERANCE).any():
        return False
    for index in range(len(own)):
        middles, _ = _pieces(own, index, other)
        if (signed_distance(outer, middles) < -TOLERANCE).any():
            return False
    everything = Arcs.joined([own, other])
    return not any(_shows_gap(outer, inner, other, index, everything) for index in range(len(other)))


def _pieces(arcs: Arcs, index: int, cutters: Arcs) -> tuple[FloatArray, FloatArray]:
    """Cut one arc wherever others cross or end beside it: middles (m, 3) and lengths (m,) of the pieces."""
    span = float(arcs.span[index])
    points, _ = _crossings(arcs, index, cutters)
    ends = [cutters.at(other, cutters.span[other : other + 1]) for other in range(len(cutters))]
    turn, here = _on_arc(arcs, index, np.concatenate([points, cutters.start, *ends]))
    turns = np.unique(np.clip(np.concatenate(([0.0, span], turn[here])), 0.0, span))
    length = np.diff(turns) * float(np.sin(arcs.radius[index]))
    long = length > 10.0 * TOLERANCE
    middles = (turns[1:] + turns[:-1]) / 2.0
    return arcs.at(index, middles[long]), length[long]


def _shows_gap(outer: Region, inner: Region, boundary: Arcs, index: int, cutters: Arcs) -> bool:
    """Tell whether beside an arc of the outer boundary lies sky of the inner region only."""
    middles, length = _pieces(boundary, index, cutters)
    axis = boundary.axis[index]
    across = unit(axis - dots(middles, axis)[:, None] * middles)
    step = np.maximum(np.minimum(length, 1e-3) * 1e-3, 4.0 * TOLERANCE)[:, None]
    beside = unit(np.concatenate((middles + step * across, middles - step * across)))
    if not len(beside):
        return False
    missing = signed_distance(outer, beside) < -TOLERANCE
    return bool((missing & (signed_distance(inner, beside) > TOLERANCE)).any())
