"""What the index finds, tested exactly: which rows stand in a relation to a region.

The tests are those of ``sky.relations``; here they are made in portions that keep to the time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sky import relations
from sky.coverage import search_ranges
from sky.footprints import CIRCLE, POINT, POLYGON, Footprints
from sky.moc import from_ranges
from sky.regions import Region, Union
from store.limits import TimeLimit
from store.planner import Relation

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

MAX_RANGES = 16
"""Ranges of cells that a search region is covered with at most."""

KERNELS: Mapping[Relation, Callable[[Region, Footprints], BoolArray]] = {
    Relation.INTERSECTS: relations.intersects,
    Relation.WITHIN: lambda region, rows: relations.within(rows, region),
    Relation.CONTAINS: lambda region, rows: relations.contains(rows, region),
}
"""The exact test of footprints for each relation."""


class Shapes(Protocol):
    """Footprints of many rows, in memory or on disk, as ``sky.Footprints`` has them."""

    @property
    def kind(self) -> NDArray[np.uint8]:
        """What each row's region is."""
        ...

    @property
    def offsets(self) -> IntArray:
        """Where each row's coordinates start, and where the last ones end."""
        ...

    @property
    def ra(self) -> FloatArray:
        """Right ascensions of corners and centres, degrees."""
        ...

    @property
    def dec(self) -> FloatArray:
        """Their declinations, degrees."""
        ...

    def take(self, rows: IntArray, /) -> Footprints:
        """Return the footprints of some rows."""
        ...


def searched(relation: Relation, region: Region) -> tuple[Region, ...]:
    """Take a union apart where rows related to it are those related to one of its parts."""
    if isinstance(region, Union) and relation in (Relation.POSITION, Relation.INTERSECTS):
        return tuple(region.parts)
    return (region,)


def covering(relation: Relation, region: Region, limit: TimeLimit, most: int = MAX_RANGES) -> IntArray:
    """Cover what a row must meet with half-open ranges of order-29 cells, shape (n, 2).

    There are at most ``most`` of them for each part of a union; the parts are covered one by one, for the
    clock's sake.

    Raises
    ------
    QueryTimeout
        When the time is up.
    """
    if not isinstance(region, Union):
        limit.check()
        return search_ranges(region, most)
    parts = region.parts[:1] if relation is Relation.CONTAINS else region.parts
    covered = from_ranges(np.concatenate([covering(relation, part, limit, most) for part in parts]))
    return np.asarray(covered.ranges, dtype=np.int64).reshape(-1, 2)


def positions_inside(
    region: Region, ra: FloatArray, dec: FloatArray, places: IntArray, limit: TimeLimit
) -> BoolArray:
    """Tell which of the positions at ``places`` [deg] lie in a region.

    Raises
    ------
    QueryTimeout
        When the time is up.
    """
    return limit.tested(lambda some: relations.contains_points(region, ra[some], dec[some]), places)


def footprints_related(
    relation: Relation, region: Region, shapes: Shapes, places: IntArray, limit: TimeLimit
) -> BoolArray:
    """Tell which of the footprints at ``places`` stand in a relation to a region.

    Raises
    ------
    QueryTimeout
        When the time is up.
    """
    holds = np.zeros(len(places), np.bool_)
    if relation is Relation.INTERSECTS:
        holds = limit.tested(lambda some: _first_corner_inside(shapes, some, region), places)
    doubtful = np.flatnonzero(~holds)
    kernel = KERNELS[relation]
    holds[doubtful] = limit.tested(lambda some: kernel(region, shapes.take(some)), places[doubtful])
    return holds


def _first_corner_inside(shapes: Shapes, places: IntArray, region: Region) -> BoolArray:
    """Tell which footprints meet the region for sure, because their first corner or centre is in it."""
    simple = np.isin(shapes.kind[places], (POINT, CIRCLE, POLYGON))
    first = shapes.offsets[places[simple]]
    inside = np.zeros(len(places), np.bool_)
    inside[simple] = relations.contains_points(region, shapes.ra[first], shapes.dec[first])
    return inside
