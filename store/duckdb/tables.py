"""SQL for the rows of declared tables at one version: generation and delta, narrowed, with served values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import schemas
from query import tree
from schemas import Kind
from schemas.arrow import HEALPIX
from store.duckdb.engine import BASE
from store.duckdb.layout import ROW, StoredTable, X, Y, Z, sql_type
from store.duckdb.near import NO_JOINS, NearJoins
from store.duckdb.selection import Selection
from store.duckdb.served import ServedCondition, served_value
from store.duckdb.state import State, TableState
from store.port import QueryRejected, Site

IntArray = NDArray[np.int64]

MOST_SPANS = 40
"""Spans of rows that are written into SQL; more go into a table of row numbers."""

MOST_NUMBERS = 100
"""Removed rows that are written into SQL; more are looked up in the engine's list."""


@dataclass
class StateTables:
    """Writes the rows of each table as one state of the index sees them."""

    state: State
    site: Site
    selections: Mapping[str, Selection] = field(default_factory=dict)
    served: Sequence[ServedCondition] = ()
    near: NearJoins = NO_JOINS
    registered: dict[str, pa.Table] = field(default_factory=dict)
    """Tables of row numbers that the SQL reads, by the name to register them under."""

    def columns(self, table: schemas.Table) -> Mapping[str, str]:
        """Return the SQL name of each column by its lower-case name."""
        if table.virtual:
            return {name: f"c{place}" for place, name in enumerate(table.by_name)}
        return self._table(table).columns

    def count(self, table: schemas.Table) -> int | None:
        """Return how many rows a table has."""
        return None if table.virtual else self._table(table).count

    def rows(self, alias: str, table: schemas.Table, used: AbstractSet[str]) -> str:
        """Return the SQL of a table's rows with the used columns."""
        if table.virtual:
            return f"SELECT * FROM {self._virtual(table)}"
        state = self._table(table)
        parts = []
        if state.base is not None and state.base_rows:
            parts.append(self._branch(alias, table, used, f"{BASE}.{state.base.stored_as}", state.base))
        if state.delta_rows:
            parts.append(self._branch(alias, table, used, state.delta_name, state.stored))
        written = [part for part in parts if part is not None]
        if not written:
            beside = self._beside(alias, state.stored, used)
            written = [f"SELECT {', '.join(_nulls(state.stored, used, beside))} WHERE false"]
        return self.near.relation(alias, " UNION ALL ".join(written))

    def joined(self, node: tree.Predicate, sql: str, aliases: Mapping[str, str]) -> str:
        """Return the SQL of a condition, with what it implies for rows that ``rows`` repeats."""
        return self.near.condition(node, sql, aliases)

    def _table(self, table: schemas.Table) -> TableState:
        try:
            return self.state.tables[table.name.lower()]
        except KeyError:
            raise QueryRejected(f"{table.name} cannot be queried") from None

    def _virtual(self, table: schemas.Table) -> str:
        try:
            return self.state.virtual[table.name.lower()]
        except KeyError:
            raise QueryRejected(f"{table.name} cannot be queried") from None

    def _list(
        self,
        alias: str,
        table: schemas.Table,
        stored: StoredTable,
        used: AbstractSet[str],
    ) -> list[str]:
        """Return the select list of one branch, in an order that all branches share."""
        listed, state = [], self._table(table)
        for name, column in state.stored.by_name.items():
            if name not in used:
                continue
            here = stored.by_name.get(name)
            kind = sql_type(Kind(column.kind), array=column.array)
            sql = f"t.{here.stored_as}" if here is not None else f"CAST(NULL AS {kind})"
            declared = table.by_name.get(name)
            if declared is not None and declared.served:
                sql = served_value(declared, stored, self.site, sql)
            listed.append(sql if sql == f"t.{column.stored_as}" else f"{sql} AS {column.stored_as}")
        listed += [f"t.{name}" for name in self._beside(alias, state.stored, used)]
        return listed or ["1 AS nothing"]

    def _beside(self, alias: str, stored: StoredTable, used: AbstractSet[str]) -> list[str]:
        """Name the columns that stand beside the declared ones and are needed."""
        if stored.position is None or not all(name.lower() in used for name in stored.position):
            return []
        return [X, Y, Z, *([HEALPIX] if alias in self.near.cells_of else [])]

    def _branch(
        self, alias: str, table: schemas.Table, used: AbstractSet[str], source: str, stored: StoredTable
    ) -> str | None:
        """Return the SQL of the rows in the generation or the delta; None when there are none."""
        where = self._conditions(alias, self._table(table), in_base=source.startswith(f"{BASE}."))
        if where is None:
            return None
        served = (condition.sql(stored) for condition in self.served if condition.alias == alias)
        conditions = [*where, *(sql for sql in served if sql)]
        tail = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"SELECT {', '.join(self._list(alias, table, stored, used))} FROM {source} AS t{tail}"

    def _conditions(self, alias: str, state: TableState, *, in_base: bool) -> list[str] | None:
        """Return what rows of one branch must fulfil; None when no row can."""
        selection = self.selections.get(alias)
        first, last = (0, state.base_rows) if in_base else (state.base_rows, state.end)
        gone = state.base_gone if in_base else state.delta_gone
        where = [] if in_base else [f"t.{ROW} < {last}"]
        if selection is not None:
            spans = selection.part(first, last)
            if not len(spans):
                return None
            if len(spans) <= MOST_SPANS:
                where.append(
                    "("
                    + " OR ".join(f"t.{ROW} BETWEEN {low} AND {high - 1}" for low, high in spans.tolist())
                    + ")"
                )
            else:
                where.append(f"t.{ROW} IN (SELECT n FROM {self._register(alias, selection)})")
        if len(gone):
            where.append(_without(state, gone, selection, first, last))
        return [condition for condition in where if condition]

    def _register(self, alias: str, selection: Selection) -> str:
        """Make the selected row numbers a table that the SQL can name."""
        name = f"rows_{list(self.selections).index(alias)}"
        if name not in self.registered:
            self.registered[name] = pa.table({"n": selection.rows()})
        return name


def _without(state: TableState, gone: IntArray, selection: Selection | None, first: int, last: int) -> str:
    """Leave removed rows out, as far as the selection has any of them."""
    if selection is not None:
        spans = selection.part(first, last)
        place = np.searchsorted(spans[:, 1], gone, side="right")
        near = np.minimum(place, len(spans) - 1)
        gone = gone[(place < len(spans)) & (spans[near, 0] <= gone)]
    if not len(gone):
        return ""
    if len(gone) <= MOST_NUMBERS:
        return f"t.{ROW} NOT IN ({', '.join(map(str, gone.tolist()))})"
    listed = f"SELECT {ROW} FROM {state.gone_name} WHERE n < {state.removals}"
    return f"t.{ROW} NOT IN ({listed})"


def _nulls(stored: StoredTable, used: AbstractSet[str], beside: Sequence[str]) -> list[str]:
    listed = [
        f"CAST(NULL AS {sql_type(Kind(column.kind), array=column.array)}) AS {column.stored_as}"
        for name, column in stored.by_name.items()
        if name in used
    ]
    listed += [f"CAST(NULL AS {'BIGINT' if name == HEALPIX else 'DOUBLE'}) AS {name}" for name in beside]
    return listed or ["1 AS nothing"]
