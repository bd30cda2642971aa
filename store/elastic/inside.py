"""Which rows are certain to stand in a relation to a region, told from cells alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.elastic import CELL, COVER_CELLS, INNER_CELLS
from sky.coverage import inner_ranges, search_ranges
from sky.regions import Region, Union
from store.elastic.circles import touching_filter
from store.elastic.columns import Body, all_of, any_of
from store.planner import Relation

MOST_RANGES = 16
"""Ranges of cells inside a region that are asked for; each costs as much as reading ten rows."""

MOST_PARTS = 100
"""Parts of a union beyond which no row is said to be certain; each of them takes time to be covered."""

_END = 12 * 4**29


def certain_filter(relation: Relation, region: Region) -> Body | None:
    """Return the filter of rows that are certain to be related to a region; None when none can be said to be.

    A position is certain in a cell that lies inside the region. A footprint is certain to meet a circle when
    its first corner is in it, and another region when a cell inside the one lies inside the other, or all
    of it does; to be within, when all its cells are; to contain it, when every cell that the region may touch
    is inside the footprint.
    """
    if isinstance(region, Union) and len(region.parts) > MOST_PARTS:
        return None
    found = touching_filter(relation, region)
    if found is not None:
        return found
    if relation is Relation.CONTAINS:
        return _holding(search_ranges(region, MOST_RANGES))
    inside = inner_ranges(region, MOST_RANGES)
    if not len(inside):
        return None
    if relation is Relation.POSITION:
        return any_of({"range": {CELL: {"gte": lo, "lt": hi}}} for lo, hi in inside.tolist())
    held = _held(inside)
    return held if relation is Relation.WITHIN else any_of([_meeting(INNER_CELLS, inside), held])


def _meeting(name: str, ranges: NDArray[np.int64]) -> Body:
    return any_of(
        {"range": {name: {"gte": lo, "lt": hi, "relation": "intersects"}}} for lo, hi in ranges.tolist()
    )


def _held(ranges: NDArray[np.int64]) -> Body:
    """Return the filter of footprints all of whose cells lie in some ranges."""
    lows = np.concatenate(([0], ranges[:, 1]))
    highs = np.concatenate((ranges[:, 0], [_END]))
    outside = np.stack((lows, highs), axis=1)[highs > lows]
    there: Body = {"exists": {"field": COVER_CELLS}}
    if not len(outside):
        return there
    return {"bool": {"filter": [there], "must_not": [_meeting(COVER_CELLS, outside)]}}


def _holding(ranges: NDArray[np.int64]) -> Body:
    """Return the filter of footprints that have all of some ranges inside."""
    return all_of(
        {"range": {INNER_CELLS: {"gte": lo, "lt": hi, "relation": "contains"}}} for lo, hi in ranges.tolist()
    )
