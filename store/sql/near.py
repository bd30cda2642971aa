"""The SQL of joins by position, made joins by cell (``store.planner.cell_joins``).

Each row of one table is repeated for the cell that holds it and the cells around; the other table's rows join
where their own cell is one of these. A pair meets in one cell only, so it is found once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from query import tree
from schemas.arrow import HEALPIX
from sky.healpix import STORED_ORDER
from store.planner import CellJoin

NEAR = "_near"
"""Column with the cells around a row's position."""


@dataclass(frozen=True)
class NearJoins:
    """At which order relations are repeated, and the conditions (by identity) that join others to them."""

    repeated: Mapping[str, int]
    conditions: Mapping[int, CellJoin]

    @classmethod
    def of(cls, joins: Iterable[CellJoin]) -> NearJoins:
        """Take over what the planner chose."""
        conditions = {id(join.condition): join for join in joins}
        return cls({join.near: join.order for join in conditions.values()}, conditions)

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
        shift = 2 * (STORED_ORDER - found.order)
        return f"({aliases[found.far]}.{HEALPIX} >> {shift} = {aliases[found.near]}.{NEAR} AND {sql})"

    @property
    def cells_of(self) -> frozenset[str]:
        """Aliases whose cells are needed."""
        return frozenset(self.repeated) | {join.far for join in self.conditions.values()}


NO_JOINS = NearJoins({}, {})
"""No relation is repeated."""
