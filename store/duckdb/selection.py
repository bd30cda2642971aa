"""Which rows of a table its indexes leave for a query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sky import relations
from sky.coverage import rough_ranges, search_ranges
from sky.regions import Circle, Region
from store.duckdb.state import RowIndex, TableState
from store.limits import TimeLimit
from store.planner import Narrowing, Relation
from store.spherical import PositionIndex
from store.spherical.cover import as_spans
from store.spherical.cover import spans as expand
from store.spherical.refine import MAX_RANGES, covering, footprints_related, positions_inside, searched

IntArray = NDArray[np.int64]

BRIDGED = 2_048
"""Rows between two spans that are read along with them: the engine reads so many at once anyway, and plans
a query for one span faster than for two."""


FEW_CANDIDATES = 4_096
"""Positions up to which a cone is tested row by row before the engine is asked."""


@dataclass(frozen=True)
class Selection:
    """Rows as half-open spans of row numbers, shape (n, 2), sorted; ``how`` says how they were found."""

    spans: IntArray
    how: tuple[Mapping[str, object], ...] = ()
    known: frozenset[int] = frozenset()

    @property
    def count(self) -> int:
        """How many rows there are."""
        return _size(self.spans)

    def rows(self) -> IntArray:
        """Return the row numbers."""
        return expand(self.spans)

    def part(self, first: int, last: int) -> IntArray:
        """Return the spans within first <= row < last."""
        cut = np.clip(self.spans, first, last)
        return np.asarray(cut[cut[:, 1] > cut[:, 0]])


def select(table: TableState, narrowing: Narrowing, limit: TimeLimit, *, exact: bool = False) -> Selection:
    """Find the rows that fulfil or may fulfil a condition on the sky.

    Conditions whose identity is in ``known`` hold for every row that is selected; that of a cone is among
    them only if ``exact`` asks for it and the cone is small.

    Raises
    ------
    QueryTimeout
        When the time is up.
    """
    return _cone(table, narrowing, exact) if _is_cone(narrowing) else _exact(table, narrowing, limit)


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


def _is_cone(narrowing: Narrowing) -> bool:
    return narrowing.relation is Relation.POSITION and isinstance(narrowing.region, Circle)


def _cone(table: TableState, narrowing: Narrowing, exact: bool) -> Selection:  # noqa: FBT001
    """Select whole cells; the engine tests the chord, so nothing is known of a row yet.

    Few rows are tested here already: it is sooner done than covering the cone with small cells, and where
    none of the delta's is in the cone, the engine need not look there. Rows that the engine need not test at
    all are told one by one.
    """
    region = narrowing.region
    ranges = rough_ranges(region)
    base, delta = _places(table, ranges)
    candidates = _size(base) + _size(delta)
    if candidates > FEW_CANDIDATES:
        ranges = search_ranges(region, MAX_RANGES)
        base, delta = _places(table, ranges)
        candidates = _size(base) + _size(delta)
    early, late = table.base_index.positions, table.delta_index.positions
    few = candidates <= FEW_CANDIDATES
    if early is not None and few:
        base = as_spans(_inside(early, base, region))
    rows = np.empty(0, np.int64) if late is None else np.sort(_inside(late, delta, region))
    how = {"narrowed": narrowing.alias, "by": "cells of positions", "ranges": len(ranges)}
    told = how | {"candidates": candidates}
    if exact and few:
        known = frozenset({id(narrowing.condition)})
        return Selection(np.concatenate((base, as_spans(rows))), (told,), known)
    return Selection(np.concatenate((_bridged(base), as_spans(rows))), (told,))


def _size(spans: IntArray) -> int:
    return int((spans[:, 1] - spans[:, 0]).sum())


def _inside(index: PositionIndex, places: IntArray, region: Region) -> IntArray:
    """Return the rows at spans of places whose positions lie in a region."""
    flat = expand(places)
    inside = relations.contains_points(region, index.ra[flat], index.dec[flat])
    return np.asarray(index.rows_at(places)[inside])


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


def _exact(table: TableState, narrowing: Narrowing, limit: TimeLimit) -> Selection:
    """Test what the index finds, part by part of a union where that is the same."""
    relation, region = narrowing.relation, narrowing.region
    search = _Search(table, relation, limit)
    rows = np.unique(np.concatenate([search.rows(part) for part in searched(relation, region)]))
    how = {
        "narrowed": narrowing.alias,
        "by": f"cells of {'positions' if relation is Relation.POSITION else 'footprints'}",
        "ranges": search.ranges,
        "candidates": search.candidates,
        "exact": len(rows),
    }
    return Selection(as_spans(rows), (how,), frozenset({id(narrowing.condition)}))


@dataclass
class _Search:
    """Finds the rows of a table that stand in a relation to regions, and counts what it took."""

    table: TableState
    relation: Relation
    limit: TimeLimit
    ranges: int = 0
    candidates: int = 0

    def rows(self, region: Region) -> IntArray:
        """Return the rows whose position or footprint stands in the relation to a region."""
        ranges = covering(self.relation, region, self.limit)
        self.ranges += len(ranges)
        indexes = (self.table.base_index, self.table.delta_index)
        if self.relation is Relation.POSITION:
            return np.concatenate([self._positions(index.positions, ranges, region) for index in indexes])
        return np.concatenate([self._footprints(index, ranges, region) for index in indexes])

    def _positions(self, index: PositionIndex | None, ranges: IntArray, region: Region) -> IntArray:
        if index is None:
            return np.empty(0, np.int64)
        places = index.places(ranges)
        flat = expand(places)
        self.candidates += len(flat)
        inside = positions_inside(region, index.ra, index.dec, flat, self.limit)
        return np.asarray(index.rows_at(places)[inside])

    def _footprints(self, sky: RowIndex, ranges: IntArray, region: Region) -> IntArray:
        cover, shapes = sky.cover, sky.shapes
        if cover is None or shapes is None:
            return np.empty(0, np.int64)
        rows = np.unique(cover.hits(ranges))
        self.candidates += len(rows)
        return rows[footprints_related(self.relation, region, shapes, rows - sky.first_row, self.limit)]
