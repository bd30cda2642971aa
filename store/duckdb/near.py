"""Joins by position, made joins by cell.

Each row of one table is repeated for the cell that holds it and the cells around; the other table's rows join
where their own cell is one of these. A pair meets in one cell only, so it is found once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from query import tree
from schemas.arrow import HEALPIX
from sky.coverage import NEIGHBOURHOOD
from sky.healpix import STORED_ORDER, neighbourhoods
from store import planner
from store.duckdb.compiler.chords import RIM
from store.duckdb.state import State

NEAR = "_near"
"""Column with the cells around a row's position."""


@dataclass(frozen=True)
class NearJoins:
    """At which order relations are repeated, and the conditions (by identity) that join others to them."""

    repeated: Mapping[str, int]
    conditions: Mapping[int, tuple[str, str, int]]

    def relation(self, alias: str, rows: str) -> str:
        """Return the SQL of a relation's rows, repeated when they must be."""
        order = self.repeated.get(alias)
        if order is None:
            return rows
        return f"SELECT *, unnest(sky_near({order}, {HEALPIX})) AS {NEAR} FROM ({rows})"

    def condition(self, node: tree.Predicate, sql: str, aliases: Mapping[str, str]) -> str:
        """Return the SQL of a condition together with the cells that it implies."""
        found = self.conditions.get(id(node))
        if found is None:
            return sql
        near, far, order = found
        shift = 2 * (STORED_ORDER - order)
        return f"({aliases[far]}.{HEALPIX} >> {shift} = {aliases[near]}.{NEAR} AND {sql})"

    @property
    def cells_of(self) -> frozenset[str]:
        """Aliases whose cells are needed."""
        return frozenset(self.repeated) | {far for _, far, _ in self.conditions.values()}


NO_JOINS = NearJoins({}, {})
"""No relation is repeated."""


def near_joins(nodes: Sequence[Any], state: State) -> NearJoins:
    """Choose which relations are repeated: the smaller of two, and each for one condition only."""
    sizes = {
        node.alias: state.tables[name].count
        for node in nodes
        if isinstance(node, tree.TableRef) and (name := node.table.name.lower()) in state.tables
    }
    repeated: dict[str, int] = {}
    conditions: dict[int, tuple[str, str, int]] = {}
    for join in planner.cone_joins(nodes):
        near, far, order = join.near, join.far, _order(join.radius)
        if join.swaps and sizes.get(far, 0) < sizes.get(near, 0):
            near, far = far, near
        if order is not None and near not in repeated and {near, far} <= sizes.keys():
            repeated[near] = order
            conditions[id(join.condition)] = (near, far, order)
    return NearJoins(repeated, conditions)


def _order(radius: float) -> int | None:
    """Return the finest order whose cells with their neighbours hold every cone of ``radius`` degrees."""
    reach = math.radians(radius) + 2 * RIM
    if reach > NEIGHBOURHOOD:
        return None
    return min(STORED_ORDER, int(math.log2(NEIGHBOURHOOD / reach)))


def cells_around(order: pa.ChunkedArray, cell: pa.ChunkedArray) -> pa.Array:
    """List the cells of a constant order around cells of order 29; none where there is no position."""
    numbers = cell.combine_chunks()
    if isinstance(numbers, pa.ChunkedArray):
        numbers = numbers.combine_chunks()
    known: NDArray[np.int64] = numbers.fill_null(-1).to_numpy(zero_copy_only=False)
    if not len(known):
        return pa.array([], pa.list_(pa.int64()))
    depth = int(order[0].as_py())
    around = neighbourhoods(np.maximum(known, 0) >> 2 * (STORED_ORDER - depth), depth)
    valid = (around >= 0) & (known >= 0)[:, None]
    offsets = np.concatenate(([0], np.cumsum(valid.sum(axis=1)))).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(around[valid]))
