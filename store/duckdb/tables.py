"""SQL for the rows of declared tables at one version: generation and delta, narrowed, with served values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import schemas
from schemas import Kind
from store.duckdb.engine import BASE
from store.duckdb.layout import ROW, StoredTable, X, Y, Z, sql_type
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
        state, selection = self._table(table), self.selections.get(alias)
        served = [condition for condition in self.served if condition.alias == alias]
        parts = []
        if state.base is not None and state.base_rows:
            where = self._conditions(alias, state, selection, in_base=True)
            if where is not None:
                parts.append(
                    _branch(
                        f"{BASE}.{state.base.stored_as}",
                        self._list(table, state, state.base, used),
                        where,
                        state.base,
                        served,
                    )
                )
        if state.delta_rows:
            where = self._conditions(alias, state, selection, in_base=False)
            if where is not None:
                parts.append(
                    _branch(
                        state.delta_name,
                        self._list(table, state, state.stored, used),
                        where,
                        state.stored,
                        served,
                    )
                )
        if not parts:
            return f"SELECT {', '.join(_nulls(state.stored, used))} WHERE false"
        return " UNION ALL ".join(parts)

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
        self, table: schemas.Table, state: TableState, stored: StoredTable, used: AbstractSet[str]
    ) -> list[str]:
        """Return the select list of one branch, in an order that all branches share."""
        listed = []
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
        if _needs_vectors(state.stored, used):
            listed += [f"t.{name}" for name in (X, Y, Z)]
        return listed or ["1 AS nothing"]

    def _conditions(
        self, alias: str, state: TableState, selection: Selection | None, *, in_base: bool
    ) -> list[str] | None:
        """Return what rows of one branch must fulfil; None when no row can."""
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


def _branch(
    source: str, columns: list[str], where: list[str], stored: StoredTable, served: Sequence[ServedCondition]
) -> str:
    conditions = [*where, *(sql for condition in served if (sql := condition.sql(stored)))]
    tail = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT {', '.join(columns)} FROM {source} AS t{tail}"


def _needs_vectors(stored: StoredTable, used: AbstractSet[str]) -> bool:
    return stored.position is not None and all(name.lower() in used for name in stored.position)


def _nulls(stored: StoredTable, used: AbstractSet[str]) -> list[str]:
    listed = [
        f"CAST(NULL AS {sql_type(Kind(column.kind), array=column.array)}) AS {column.stored_as}"
        for name, column in stored.by_name.items()
        if name in used
    ]
    if _needs_vectors(stored, used):
        listed += [f"CAST(NULL AS DOUBLE) AS {name}" for name in (X, Y, Z)]
    return listed or ["1 AS nothing"]
