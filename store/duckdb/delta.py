"""Apply the lake's changes to an engine's delta, in one transaction per version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import count

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import schemas
from schemas.arrow import BORDER, HEALPIX, INNER
from schemas.tap_schema import tap_schema_tables
from sky.footprints import Footprints
from store.duckdb.engine import BASE
from store.duckdb.generation import as_floats
from store.duckdb.layout import ROW, StoredTable, stored_table
from store.duckdb.packed import Run
from store.duckdb.rows import stored_rows
from store.duckdb.state import RowIndex, State, TableState, with_columns
from store.duckdb.texts import TextIndex, index_hashes
from store.lake import Change, Step
from store.spherical import CoverIndex, PositionIndex, ShapeStore
from store.spherical.shapes import joined
from store.sql.kinds import X, Y, Z, sql_type

IntArray = NDArray[np.int64]


class NeedsGenerationError(Exception):
    """A change that only a new generation can show, with its reason."""


class Delta:
    """Writes to one engine; used by one thread at a time."""

    def __init__(self, engine: duckdb.DuckDBPyConnection, first_number: int) -> None:
        self._engine = engine
        self._numbers = count(first_number)
        self._made: dict[str, StoredTable] = {}
        self._serials = count()

    def start(self, version: int, declared: schemas.Schemas, tables: Mapping[str, TableState]) -> State:
        """Return the state of a generation alone.

        Raises
        ------
        NeedsGenerationError
            When it stores a table otherwise than it is declared now.
        """
        shown = {name: self._declared(tables.get(name), table) for name, table in declared.indexed.items()}
        return State(version, declared, shown, self._virtual(declared))

    def apply(self, state: State, step: Step, declared: schemas.Schemas) -> State:
        """Return the state after a step; nothing changes when it fails."""
        made = dict(self._made)
        self._engine.execute("BEGIN")
        try:
            tables = {name: table for name, table in state.tables.items() if name not in _lower(step.dropped)}
            for name, table in declared.indexed.items():
                tables[name] = self._declared(tables.get(name), table)
            tables = {name: table for name, table in tables.items() if name in declared}
            for change in step.changes:
                name = change.table.lower()
                if name in tables:
                    tables[name] = self._changed(tables[name], change)
            same = declared.schemas == state.declared.schemas
            virtual = state.virtual if same else self._virtual(declared)
            self._engine.execute("COMMIT")
        except BaseException:
            self._engine.execute("ROLLBACK")
            self._made = made
            raise
        return State(step.version, declared, tables, virtual)

    def _virtual(self, declared: schemas.Schemas) -> Mapping[str, str]:
        """Put the rows that describe the declarations into tables of their own."""
        serial = next(self._serials)
        names: dict[str, str] = {}
        if not any(table.virtual for table in declared):
            return names
        for number, (name, rows) in enumerate(tap_schema_tables(declared).items()):
            sql = f"v{serial}_{number}"
            renamed = rows.rename_columns([f"c{place}" for place in range(rows.num_columns)])
            self._insert(f"CREATE TABLE {sql} AS SELECT * FROM incoming", renamed)
            names[name.lower()] = sql
        return names

    def _declared(self, table: TableState | None, declared: schemas.Table) -> TableState:
        """Return the state of a table as it is declared now, empty when it is new."""
        if table is None:
            return TableState(stored_table(declared, next(self._numbers)))
        if not table.stored.holds(declared):
            raise NeedsGenerationError(f"the declaration of {declared.name} has changed")
        return with_columns(table, declared)

    def _changed(self, table: TableState, change: Change) -> TableState:
        table = self._without(table, change.removed_keys)
        rows = change.inserted
        if not rows.num_rows:
            return table
        self._make(table)
        first = table.end
        numbered = rows.append_column(ROW, pa.array(np.arange(first, first + rows.num_rows, dtype=np.int64)))
        stored = stored_rows(table.stored, numbered.to_batches(), extra=(ROW,))
        names = ", ".join(stored.schema.names)
        self._insert(f"INSERT INTO {table.delta_name} ({names}) SELECT {names} FROM incoming", stored)
        return replace(
            table, delta_rows=table.delta_rows + rows.num_rows, delta_index=_grown(table, rows, first)
        )

    def _without(self, table: TableState, keys: pa.Table) -> TableState:
        if not keys.num_rows:
            return table
        gone = np.setdiff1d(self._rows_of(table, keys), table.gone)
        if not len(gone):
            return table
        self._make(table)
        numbers = pa.table({ROW: gone, "n": np.arange(table.removals, table.removals + len(gone))})
        self._insert(f"INSERT INTO {table.gone_name} SELECT * FROM incoming", numbers)
        return replace(table, gone=np.union1d(table.gone, gone), removals=table.removals + len(gone))

    def _rows_of(self, table: TableState, keys: pa.Table) -> IntArray:
        """Find the numbers of the rows that have these keys."""
        columns = [table.stored.by_name[name.lower()].stored_as for name in table.stored.key]
        wanted = keys.select(list(table.stored.key)).rename_columns(columns)
        sources = [f"{BASE}.{table.base.stored_as}"] if table.base is not None else []
        sources += [table.delta_name] if table.delta_rows else []
        found = [np.empty(0, np.int64)]
        for source in sources:
            same = " AND ".join(f"t.{name} = k.{name}" for name in columns)
            sql = f"SELECT t.{ROW} FROM {source} t SEMI JOIN incoming k ON {same}"
            self._engine.register("incoming", wanted)
            found.append(self._engine.execute(sql).fetchnumpy()[ROW])
            self._engine.unregister("incoming")
        return np.concatenate(found).astype(np.int64)

    def _make(self, table: TableState) -> None:
        """Make the delta tables of a table, or add the columns they lack."""
        made = self._made.get(table.stored.stored_as)
        if made is None:
            types = {
                column.stored_as: sql_type(schemas.Kind(column.kind), array=column.array)
                for column in table.stored.columns
            }
            if table.stored.position:
                types |= dict.fromkeys((X, Y, Z), "DOUBLE") | {HEALPIX: "BIGINT"}
            columns = ", ".join(f"{name} {kind}" for name, kind in types.items())
            self._engine.execute(f"CREATE TABLE IF NOT EXISTS {table.delta_name} ({columns}, {ROW} BIGINT)")
            self._engine.execute(f"CREATE TABLE IF NOT EXISTS {table.gone_name} ({ROW} BIGINT, n BIGINT)")
            made = table.stored
        for column in table.stored.columns[len(made.columns) :]:
            kind = sql_type(schemas.Kind(column.kind), array=column.array)
            self._engine.execute(
                f"ALTER TABLE {table.delta_name} ADD COLUMN IF NOT EXISTS {column.stored_as} {kind}"
            )
        self._made[table.stored.stored_as] = table.stored

    def _insert(self, sql: str, rows: pa.Table | pa.RecordBatchReader) -> None:
        self._engine.register("incoming", rows)
        try:
            self._engine.execute(sql)
        finally:
            self._engine.unregister("incoming")


def _grown(table: TableState, rows: pa.Table, first: int) -> RowIndex:
    """Add rows to the index of a table's delta."""
    index = table.delta_index
    positions, cover, shapes, texts = index.positions, index.cover, index.shapes, dict(index.texts)
    if table.stored.position:
        ra, dec = (as_floats(rows[name].combine_chunks()) for name in table.stored.position)
        cells = rows[HEALPIX].combine_chunks().fill_null(-1).to_numpy(zero_copy_only=False)
        new = PositionIndex.build(cells.astype(np.int64), ra, dec, first)
        positions = new if positions is None else positions.with_more(new)
    if table.stored.region:
        more = CoverIndex.from_lists(rows[INNER], rows[BORDER], first_row=first)
        cover = more if cover is None else cover.with_more(more)
        parsed = ShapeStore.of(Footprints.from_text(rows[table.stored.region]))
        shapes = parsed if shapes is None else joined([shapes, parsed])
    for name, column in table.stored.text_indexes.items():
        added = TextIndex.build(index_hashes(name, rows[column.name]), first)
        texts[name] = texts[name].with_more(added) if name in texts else added
    packed = index.packed.with_more(Run.of(table.stored, rows.to_batches(), first))
    return RowIndex(positions, cover, shapes, table.base_rows, texts, packed)


def _lower(names: Iterable[str]) -> set[str]:
    return {name.lower() for name in names}
