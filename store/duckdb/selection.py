"""Which rows of a table its indexes leave for a query."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sky import relations
from sky.coverage import search_ranges
from sky.footprints import CIRCLE, POINT, POLYGON, Footprints
from sky.regions import Circle, Region
from store.duckdb.state import RowIndex, TableState
from store.planner import Narrowing, Relation
from store.spherical.cover import spans as expand

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

MAX_RANGES = 16
"""Ranges of cells that a search region is covered with at most."""

BRIDGED = 2_048
"""Rows between two spans that are read along with them: the engine reads so many at once anyway, and plans
a query for one span faster than for two."""


@dataclass(frozen=True)
class Selection:
    """Rows as half-open spans of row numbers, shape (n, 2), sorted; ``how`` says how they were found."""

    spans: IntArray
    how: tuple[Mapping[str, object], ...] = ()
    known: frozenset[int] = frozenset()

    @property
    def count(self) -> int:
        """How many rows there are."""
        return int((self.spans[:, 1] - self.spans[:, 0]).sum())

    def rows(self) -> IntArray:
        """Return the row numbers."""
        return expand(self.spans)

    def part(self, first: int, last: int) -> IntArray:
        """Return the spans within first <= row < last."""
        cut = np.clip(self.spans, first, last)
        return np.asarray(cut[cut[:, 1] > cut[:, 0]])


def select(table: TableState, narrowing: Narrowing) -> Selection:
    """Find the rows that fulfil or may fulfil a condition on the sky.

    Conditions whose identity is in ``known`` hold for every row that is selected.
    """
    return _cone(table, narrowing) if _is_cone(narrowing) else _exact(table, narrowing)


def select_texts(table: TableState, texts: Mapping[str, Sequence[str]]) -> Selection | None:
    """Find the rows that have, and few others, one of the texts of a column; None when no index tells."""
    parts = [
        index
        for rows, index in ((table.base_rows, table.base_index), (table.delta_rows, table.delta_index))
        if rows
    ]
    if not all(name in index.texts for index in parts for name in texts):
        return None
    found = [index.texts[name].rows(values) for index in parts for name, values in texts.items()]
    rows = np.unique(np.concatenate([np.empty(0, np.int64), *found]))
    how = {"texts of": sorted(texts), "candidates": len(rows)}
    return Selection(as_spans(rows), (how,))


def intersection(found: Sequence[Selection]) -> Selection:
    """Return the rows that are in all of one or more selections."""
    spans = found[0].spans
    for other in found[1:]:
        spans = as_spans(np.intersect1d(expand(spans), other.rows(), assume_unique=True))
    return Selection(
        spans,
        tuple(how for one in found for how in one.how),
        frozenset().union(*(one.known for one in found)),
    )


def as_spans(rows: IntArray) -> IntArray:
    """Join sorted row numbers into spans."""
    if not len(rows):
        return np.empty((0, 2), np.int64)
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    first = rows[np.concatenate(([0], breaks))]
    last = rows[np.concatenate((breaks - 1, [len(rows) - 1]))] + 1
    return np.stack((first, last), axis=1)


def _is_cone(narrowing: Narrowing) -> bool:
    return narrowing.relation is Relation.POSITION and isinstance(narrowing.region, Circle)


def _cone(table: TableState, narrowing: Narrowing) -> Selection:
    """Select whole cells; the engine tests the chord, so nothing is known of a row yet."""
    ranges = search_ranges(narrowing.region, MAX_RANGES)
    base, delta = _places(table, ranges)
    late = table.delta_index.positions
    rows = np.empty(0, np.int64) if late is None else np.sort(late.rows_at(delta))
    candidates = int((base[:, 1] - base[:, 0]).sum()) + len(rows)
    how = {"narrowed": narrowing.alias, "by": "cells of positions", "ranges": len(ranges)}
    return Selection(np.concatenate((_bridged(base), as_spans(rows))), (how | {"candidates": candidates},))


def _places(table: TableState, ranges: IntArray) -> tuple[IntArray, IntArray]:
    """Return the spans of places where the positions of base and delta are in ranges of cells."""
    empty = np.empty((0, 2), np.int64)
    base, delta = table.base_index.positions, table.delta_index.positions
    return (
        empty if base is None else base.places(ranges),
        empty if delta is None else delta.places(ranges),
    )


def _bridged(spans: IntArray) -> IntArray:
    """Join sorted spans that nearly touch."""
    if len(spans) < 2:
        return spans
    apart = np.flatnonzero(spans[1:, 0] - spans[:-1, 1] > BRIDGED)
    first = spans[np.concatenate(([0], apart + 1)), 0]
    return np.stack((first, spans[np.concatenate((apart, [len(spans) - 1])), 1]), axis=1)


def _exact(table: TableState, narrowing: Narrowing) -> Selection:
    ranges = search_ranges(narrowing.region, MAX_RANGES)
    if narrowing.relation is Relation.POSITION:
        rows, candidates = _positions_inside(table, ranges, narrowing.region)
        by = "cells of positions"
    else:
        parts = [
            _footprints(sky, ranges, narrowing.relation, narrowing.region)
            for sky in (table.base_index, table.delta_index)
        ]
        rows = np.concatenate([part for part, _ in parts])
        candidates = sum(count for _, count in parts)
        by = "cells of footprints"
    how = {"narrowed": narrowing.alias, "by": by, "ranges": len(ranges), "candidates": candidates}
    return Selection(as_spans(rows), (how | {"exact": len(rows)},), frozenset({id(narrowing.condition)}))


def _positions_inside(table: TableState, ranges: IntArray, region: Region) -> tuple[IntArray, int]:
    places = _places(table, ranges)
    found, candidates = [np.empty(0, np.int64)], 0
    for index, spans in zip((table.base_index.positions, table.delta_index.positions), places, strict=True):
        if index is not None and len(spans):
            flat = expand(spans)
            inside = relations.contains_points(region, index.ra[flat], index.dec[flat])
            found.append(np.sort(index.rows_at(spans)[inside]))
            candidates += len(flat)
    return np.concatenate(found), candidates


_KERNELS: Mapping[Relation, Callable[[Region, Footprints], BoolArray]] = {
    Relation.INTERSECTS: relations.intersects,
    Relation.WITHIN: lambda region, rows: relations.within(rows, region),
    Relation.CONTAINS: lambda region, rows: relations.contains(rows, region),
}


def _footprints(sky: RowIndex, ranges: IntArray, relation: Relation, region: Region) -> tuple[IntArray, int]:
    """Return the rows whose footprint stands in the relation, sorted, and how many were looked at."""
    if sky.cover is None or sky.shapes is None:
        return np.empty(0, np.int64), 0
    rows = np.unique(sky.cover.hits(ranges)[0])
    places = rows - sky.first_row
    holds = np.zeros(len(rows), np.bool_)
    if relation is Relation.INTERSECTS:
        holds = _first_corner_inside(sky, places, region)
    doubtful = np.flatnonzero(~holds)
    if len(doubtful):
        holds[doubtful] = _KERNELS[relation](region, sky.shapes.take(places[doubtful]))
    return rows[holds], len(rows)


def _first_corner_inside(sky: RowIndex, places: IntArray, region: Region) -> BoolArray:
    """Tell which footprints meet the region for sure, because their first corner or centre is in it."""
    shapes = sky.shapes
    if shapes is None or not len(places):
        return np.zeros(len(places), np.bool_)
    simple = np.isin(shapes.kind[places], (POINT, CIRCLE, POLYGON))
    first = shapes.offsets[places[simple]]
    inside = np.zeros(len(places), np.bool_)
    inside[simple] = relations.contains_points(region, shapes.ra[first], shapes.dec[first])
    return inside
