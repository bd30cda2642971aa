"""SQL for the rows of declared tables at one version: generation and delta, narrowed, with served values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import schemas
from query import tree
from schemas import Kind
from schemas.arrow import HEALPIX
from store.duckdb.engine import BASE
from store.duckdb.layout import ROW, StoredColumn, StoredTable
from store.duckdb.selection import Selection
from store.duckdb.state import State, TableState
from store.port import QueryRejected, Site
from store.served import ServedCondition
from store.sql.arrow import ArrowRows, ArrowTables
from store.sql.kinds import X, Y, Z, sql_type
from store.sql.near import NO_JOINS, NearJoins
from store.sql.part import Part
from store.sql.served import condition_sql, shown_value

IntArray = NDArray[np.int64]

MOST_SPANS = 16
"""Spans of rows that are written into SQL; more go into a table of row numbers."""

FEW_ROWS = 20_000
"""Rows up to which a table of row numbers is quicker than conditions on more than one span."""

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
    uploads: ArrowTables | None = None
    """Writes the rows of tables that came with the query."""
    registered: dict[str, pa.Table] = field(default_factory=dict)
    """Tables of row numbers that the SQL reads, by the name to register them under."""
    moment: datetime = field(default_factory=lambda: datetime.now(UTC).replace(tzinfo=None))
    """What the whole query takes for now, UTC."""

    def columns(self, table: schemas.Table) -> Mapping[str, str]:
        """Return the SQL name of each column by its lower-case name."""
        if table.virtual:
            return {name: f"c{place}" for place, name in enumerate(table.by_name)}
        uploaded = self._uploaded(table)
        if uploaded is not None:
            return uploaded.columns(table)
        return self._table(table).columns

    def count(self, table: schemas.Table) -> int | None:
        """Return how many rows a table has."""
        if table.virtual:
            return None
        uploaded = self._uploaded(table)
        return self._table(table).count if uploaded is None else uploaded.count(table)

    def rows(self, alias: str, table: schemas.Table, used: AbstractSet[str]) -> str:
        """Return the SQL of a table's rows with the used columns."""
        if table.virtual:
            return f"SELECT * FROM {self._virtual(table)}"
        uploaded = self._uploaded(table)
        if uploaded is not None:
            return uploaded.rows(alias, table, used)
        parts = self._parts(alias, table, used, "t")
        written = [part.select() for part in parts] or [f"{self._nothing(alias, table, used)} WHERE false"]
        return self.near.relation(alias, " UNION ALL ".join(written))

    def direct(self, alias: str, table: schemas.Table, used: AbstractSet[str], sql: str) -> list[Part]:
        """Return the stored tables, each to be called ``sql``, that hold all rows there are to see.

        Written into the query itself it spares the engine the sub-query, a good part of what a small query on
        a wide table costs.
        """
        if table.virtual or alias in self.near.repeated or self._uploaded(table) is not None:
            return []
        return self._parts(alias, table, used, sql)

    def joined(self, node: tree.Predicate, sql: str, aliases: Mapping[str, str]) -> str:
        """Return the SQL of a condition, with what it implies for rows that ``rows`` repeats."""
        return self.near.condition(node, sql, aliases)

    @property
    def read_by_name(self) -> Mapping[str, ArrowRows]:
        """All that the SQL reads besides the instance's own tables, by the name to register it under."""
        return self.registered if self.uploads is None else {**self.registered, **self.uploads.registered}

    def _uploaded(self, table: schemas.Table) -> ArrowTables | None:
        if self.uploads is None or table.name.lower() not in self.uploads.source.rows:
            return None
        return self.uploads

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

    def _parts(self, alias: str, table: schemas.Table, used: AbstractSet[str], t: str) -> list[Part]:
        """Return what rows of the generation and of the delta there are to see."""
        state = self._table(table)
        parts = []
        if state.base is not None and state.base_rows:
            parts.append((f"{BASE}.{state.base.stored_as}", state.base, 0, state.base_rows))
        if state.delta_rows:
            parts.append((state.delta_name, state.stored, state.base_rows, state.end))
        found = []
        for source, stored, first, last in parts:
            where = self._conditions(alias, state, t, first, last)
            if where is not None:
                own = (each for each in self.served if each.alias == alias)
                served = (condition_sql(each, stored.sql_names, t) for each in own)
                conditions = [*where, *(sql for sql in served if sql)]
                found.append(Part(source, t, self._values(alias, table, stored, used, t), conditions))
        return found

    def _values(
        self, alias: str, table: schemas.Table, stored: StoredTable, used: AbstractSet[str], t: str
    ) -> dict[str, str]:
        """Return the SQL of each needed column by its name, in an order that all parts share."""
        values, whole = {}, self._table(table).stored
        for name, column in whole.by_name.items():
            if name in used:
                here, declared = stored.by_name.get(name), table.by_name.get(name)
                sql = f"{t}.{here.stored_as}" if here is not None else _null(column)
                if declared is not None:
                    sql = shown_value(declared, stored.sql_names, sql, t, site=self.site, moment=self.moment)
                values[column.stored_as] = sql
        return values | {name: f"{t}.{name}" for name in self._beside(alias, whole, used)}

    def _nothing(self, alias: str, table: schemas.Table, used: AbstractSet[str]) -> str:
        stored = self._table(table).stored
        listed = [
            f"{_null(column)} AS {column.stored_as}"
            for name, column in stored.by_name.items()
            if name in used
        ]
        listed += [
            f"CAST(NULL AS {'BIGINT' if name == HEALPIX else 'DOUBLE'}) AS {name}"
            for name in self._beside(alias, stored, used)
        ]
        return f"SELECT {', '.join(listed or ['1'])}"

    def _beside(self, alias: str, stored: StoredTable, used: AbstractSet[str]) -> list[str]:
        """Name the columns that stand beside the declared ones and are needed."""
        if stored.position is None or not all(name.lower() in used for name in stored.position):
            return []
        return [X, Y, Z, *([HEALPIX] if alias in self.near.cells_of else [])]

    def _conditions(self, alias: str, state: TableState, t: str, first: int, last: int) -> list[str] | None:
        """Return what rows with first <= row < last must fulfil; None when no row can."""
        selection = self.selections.get(alias)
        in_base = last <= state.base_rows
        where = [] if in_base else [f"{t}.{ROW} < {last}"]
        if selection is not None:
            spans = selection.part(first, last)
            if not len(spans):
                return None
            if len(spans) == 1 or (len(spans) <= MOST_SPANS and selection.count > FEW_ROWS):
                within = (f"{t}.{ROW} BETWEEN {low} AND {high - 1}" for low, high in spans.tolist())
                where.append(f"({' OR '.join(within)})")
            else:
                where.append(f"{t}.{ROW} IN (SELECT n FROM {self._register(alias, selection)})")
        gone = state.base_gone if in_base else state.delta_gone
        if selection is not None:
            gone = _within(gone, selection.part(first, last))
        if len(gone):
            where.append(f"{t}.{ROW} NOT IN ({_listed(state, gone)})")
        return where

    def _register(self, alias: str, selection: Selection) -> str:
        """Make the selected row numbers a table that the SQL can name."""
        name = f"rows_{list(self.selections).index(alias)}"
        if name not in self.registered:
            self.registered[name] = pa.table({"n": selection.rows()})
        return name


def _within(rows: IntArray, spans: IntArray) -> IntArray:
    """Return the rows that lie in one of the sorted spans."""
    place = np.searchsorted(spans[:, 1], rows, side="right")
    near = np.minimum(place, len(spans) - 1)
    return np.asarray(rows[(place < len(spans)) & (spans[near, 0] <= rows)])


def _listed(state: TableState, gone: IntArray) -> str:
    """Return the SQL of removed rows, themselves or where the engine lists them."""
    if len(gone) <= MOST_NUMBERS:
        return ", ".join(map(str, gone.tolist()))
    return f"SELECT {ROW} FROM {state.gone_name} WHERE n < {state.removals}"


def _null(column: StoredColumn) -> str:
    return f"CAST(NULL AS {sql_type(Kind(column.kind), array=column.array)})"
