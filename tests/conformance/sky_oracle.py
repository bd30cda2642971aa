"""Regions on the sphere by school geometry: nothing here is shared with the archive's own.

A region is a cap or a polygon (each a disc: its border is one closed line), or several of them. Whatever lies
within ``BAND`` degrees of a border is in doubt, unless it is on the border as exactly as doubles can say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TypeAlias, TypeVar

BAND = 1e-10
"""Degrees around a border within which an answer may be either."""

ON_BORDER = 1e-12
"""Degrees within which a point counts as on a border, and regions are closed."""

T = TypeVar("T")

Vector: TypeAlias = tuple[float, float, float]
Place: TypeAlias = tuple[float, float]


class InDoubtError(Exception):
    """Arithmetic cannot tell which answer is right."""


def verdict(margin: float) -> bool:
    """Tell whether something is inside by so many degrees."""
    if abs(margin) <= ON_BORDER:
        return True
    if abs(margin) <= BAND:
        raise InDoubtError
    return margin > 0


@lru_cache(maxsize=100_000)
def vector(ra: float, dec: float) -> Vector:
    lon, lat = math.radians(ra), math.radians(dec)
    return math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)


def dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def cross(a: Vector, b: Vector) -> Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def size(a: Vector) -> float:
    return math.sqrt(dot(a, a))


def angle(a: Vector, b: Vector) -> float:
    """Return the separation of two unit vectors in degrees."""
    return math.degrees(math.atan2(size(cross(a, b)), dot(a, b)))


def opposite(a: Vector) -> Vector:
    return -a[0], -a[1], -a[2]


@dataclass(frozen=True)
class Cap:
    """All within ``radius`` degrees; a point when that is zero."""

    centre: Vector
    radius: float

    def margin(self, p: Vector) -> float:
        return self.radius - angle(p, self.centre)

    def spots(self) -> list[Vector]:
        """Return some points of the border."""
        x, y, _ = self.centre
        axis = (0.0, 0.0, 1.0) if abs(x) + abs(y) > 0.5 else (1.0, 0.0, 0.0)
        east = cross(axis, self.centre)
        east = tuple(part / size(east) for part in east)  # type: ignore[assignment]
        north = cross(self.centre, east)
        c, s = math.cos(math.radians(self.radius)), math.sin(math.radians(self.radius))
        found = []
        for step in range(8):
            a, b = math.cos(step * math.pi / 4), math.sin(step * math.pi / 4)
            found.append(
                (
                    c * self.centre[0] + s * (a * east[0] + b * north[0]),
                    c * self.centre[1] + s * (a * east[1] + b * north[1]),
                    c * self.centre[2] + s * (a * east[2] + b * north[2]),
                )
            )
        return found

    def area(self) -> float:
        return math.degrees(math.degrees(4 * math.pi * math.sin(math.radians(self.radius) / 2) ** 2))


@dataclass(frozen=True)
class Ring:
    """A polygon whose inside is on the left of its edges, seen from outside the sphere."""

    corners: tuple[Vector, ...]

    @cached_property
    def edges(self) -> list[tuple[Vector, Vector, Vector]]:
        found = []
        for a, b in zip(self.corners, (*self.corners[1:], self.corners[0]), strict=True):
            n = cross(a, b)
            found.append((a, b, (n[0] / size(n), n[1] / size(n), n[2] / size(n))))
        return found

    def margin(self, p: Vector) -> float:
        """Return how far inside a point is: the side is that of the nearest piece of the border."""
        nearest, inside = math.inf, False
        for place, (a, b, n) in enumerate(self.edges):
            if dot(cross(n, a), p) > 0 and dot(cross(b, n), p) > 0:
                height = dot(p, n)
                distance = abs(math.degrees(math.atan2(height, size(cross(n, p)))))
                if distance < nearest:
                    nearest, inside = distance, height > 0
            distance = angle(p, a)
            if distance < nearest:
                nearest, inside = distance, self._in_corner(place, p)
        return nearest if inside else -nearest

    def _turn(self, at: Vector, start: Vector, end: Vector) -> float:
        """Return the angle at a corner from one direction counter-clockwise to another, 0 to 2 pi."""
        a, b = cross(at, start), cross(at, end)
        return math.atan2(dot(at, cross(a, b)), dot(a, b)) % (2 * math.pi)

    def _in_corner(self, place: int, p: Vector) -> bool:
        corner, before = self.corners[place], self.corners[place - 1]
        after = self.corners[(place + 1) % len(self.corners)]
        return self._turn(corner, after, p) < self._turn(corner, after, before)

    def spots(self) -> list[Vector]:
        middles = []
        for a, b, _ in self.edges:
            m = (a[0] + b[0], a[1] + b[1], a[2] + b[2])
            middles.append((m[0] / size(m), m[1] / size(m), m[2] / size(m)))
        return [*middles, *self.corners]

    def area(self) -> float:
        count = len(self.corners)
        turns = sum(
            self._turn(corner, self.corners[(place + 1) % count], self.corners[place - 1])
            for place, corner in enumerate(self.corners)
        )
        return math.degrees(math.degrees(turns - (count - 2) * math.pi))

    def turned(self) -> Ring:
        return Ring(tuple(reversed(self.corners)))


Disc: TypeAlias = Cap | Ring


@dataclass(frozen=True)
class Several:
    """Everything in any of the parts."""

    parts: tuple[Disc, ...]


Shape: TypeAlias = Cap | Ring | Several


def cap(ra: float, dec: float, radius: float = 0.0) -> Cap:
    return Cap(vector(ra, dec), radius)


def ring(places: Sequence[Place]) -> Ring:
    """Return a polygon as DALI gives it: counter-clockwise seen from the centre of the sphere."""
    return Ring(tuple(vector(*place) for place in reversed(places)))


def delivered(places: Sequence[Place]) -> Ring:
    """Return the polygon of a footprint: its smaller side, whichever way it is wound."""
    found = ring(places)
    return found if found.area() < math.degrees(math.degrees(2 * math.pi)) else found.turned()


def parts(shape: Shape) -> tuple[Disc, ...]:
    return shape.parts if isinstance(shape, Several) else (shape,)


def area(shape: Shape) -> float:
    """Return square degrees; what parts share counts for each, but no more than the sky."""
    return min(sum(part.area() for part in parts(shape)), 129600 / math.pi)


def holds_point(shape: Shape, p: Vector) -> bool:
    return _any(lambda part: verdict(part.margin(p)), parts(shape))


def _any(test: Callable[[T], bool], items: Iterable[T]) -> bool:
    """Tell whether one passes; doubt about one matters only when no other does."""
    doubt = False
    for item in items:
        try:
            if test(item):
                return True
        except InDoubtError:
            doubt = True
    if doubt:
        raise InDoubtError
    return False


def _arc_margin(p: Vector, a: Vector, b: Vector, n: Vector) -> float:
    """Return the distance of a point from an arc in degrees."""
    if dot(cross(n, a), p) > 0 and dot(cross(b, n), p) > 0:
        return abs(math.degrees(math.atan2(dot(p, n), size(cross(n, p)))))
    return min(angle(p, a), angle(p, b))


def _arcs_cross(one: tuple[Vector, Vector, Vector], other: tuple[Vector, Vector, Vector]) -> bool:
    (a, b, n), (c, d, m) = one, other
    if min(_arc_margin(c, *one), _arc_margin(d, *one), _arc_margin(a, *other), _arc_margin(b, *other)) < BAND:
        raise InDoubtError
    line = cross(n, m)
    return any(
        dot(cross(n, a), p) > 0
        and dot(cross(b, n), p) > 0
        and dot(cross(m, c), p) > 0
        and dot(cross(d, m), p) > 0
        for p in (line, opposite(line))
    )


def _between(value: float, low: float, high: float) -> bool:
    if min(abs(value - low), abs(value - high)) < BAND:
        raise InDoubtError
    return low < value < high


def borders_cross(one: Disc, other: Disc) -> bool:
    """Tell whether the borders of two discs share points."""
    if isinstance(one, Cap) and isinstance(other, Cap):
        apart = angle(one.centre, other.centre)
        low, total = abs(one.radius - other.radius), one.radius + other.radius
        return _between(apart, low, min(total, 360 - total))
    if isinstance(one, Cap) and isinstance(other, Ring):
        away = opposite(one.centre)
        return _any(
            lambda edge: _between(one.radius, _arc_margin(one.centre, *edge), 180 - _arc_margin(away, *edge)),
            other.edges,
        )
    if isinstance(one, Ring) and isinstance(other, Ring):
        return _any(lambda pair: _arcs_cross(*pair), [(a, b) for a in one.edges for b in other.edges])
    return borders_cross(other, one)


def _is_all(disc: Disc) -> bool:
    return isinstance(disc, Cap) and disc.radius > 180 - BAND


def _is_point(disc: Disc) -> bool:
    return isinstance(disc, Cap) and disc.radius < BAND


def _disc_meets(one: Disc, other: Disc) -> bool:
    if _is_all(one) or _is_all(other):
        return True
    if _is_point(one):
        return verdict(other.margin(one.centre))  # type: ignore[union-attr]
    if _is_point(other):
        return _disc_meets(other, one)
    if borders_cross(one, other):
        return True
    return verdict(other.margin(one.spots()[0])) or verdict(one.margin(other.spots()[0]))


def _disc_holds(outer: Disc, inner: Disc) -> bool:
    if _is_all(outer):
        return True
    if _is_all(inner):
        return False
    if _is_point(inner):
        return verdict(outer.margin(inner.centre))  # type: ignore[union-attr]
    if _is_point(outer) or borders_cross(outer, inner):
        return False
    return verdict(outer.margin(inner.spots()[0])) and not verdict(inner.margin(outer.spots()[0]))


def meets(one: Shape, other: Shape) -> bool:
    """Tell whether two regions share a point."""
    return _any(lambda pair: _disc_meets(*pair), [(a, b) for a in parts(one) for b in parts(other)])


def holds(outer: Shape, inner: Shape) -> bool:
    """Tell whether one region holds all of another."""
    return all(_holds_disc(outer, disc) for disc in parts(inner))


def _holds_disc(outer: Shape, inner: Disc) -> bool:
    if _any(lambda part: _disc_holds(part, inner), parts(outer)):
        return True
    if len(parts(outer)) == 1:
        return False
    spots = [inner.centre, *inner.spots()] if isinstance(inner, Cap) else inner.spots()
    if not all(holds_point(outer, spot) for spot in spots):
        return False
    # Parts may cover together what none of them covers alone; that is not decided here.
    raise InDoubtError
