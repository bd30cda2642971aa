"""Writing one batch."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from schemas import Schemas, Table, UnknownTableError
from schemas.arrow import BATCH
from store.lake.durable import enter
from store.lake.errors import Incompatible, LakeError, told_as_lake_errors
from store.lake.holdings import DECLARATIONS, Holdings
from store.lake.keys import matching
from store.lake.ledger import Entry, Pin, now
from store.lake.repair import new_path
from store.lake.room import require_room
from store.lake.rows import conform, first_of_each, keys_of, last_of_each, without
from store.lake.tables import LakeTable


class Writer:
    """One batch. It exists once ``commit`` returns; until then nobody reads any of it.

    ``version`` is the lake version it builds on. ``replayed`` is the version that a batch of this id made
    before, None for a new one; writing to a replayed batch does nothing.
    """

    def __init__(self, lake: Holdings, kind: str, batch: str | None, replayed: int | None) -> None:
        base = lake.ledger.newest()
        self.version = base.version
        self.batch = batch or uuid.uuid4().hex
        self.replayed = replayed
        self.closed = False
        self.created: list[str] = []
        self._lake = lake
        self._kind = kind
        self._base = base
        self._merges_ledger = False
        self._pins = dict(base.tables)
        self._published = dict(lake.published(base.version))

    @property
    def schemas(self) -> Schemas:
        """What is declared, with what this batch declared."""
        return self._lake.declared.with_tables(self._published.values())

    def append(self, table: str, rows: pa.Table, *, dedupe: bool = False) -> pa.Table:
        """Append new rows; returns those left out.

        The caller has made sure that their keys are new, or asks with ``dedupe`` to leave out rows whose
        key exists, here or earlier in ``rows``.

        Raises
        ------
        Incompatible
            When rows contradict the declaration.
        LakeError
            When they cannot be written.
        """
        declared = self._writable(table)
        rows = conform(declared, self._marked(rows))
        left_out = rows.slice(0, 0)
        if dedupe and rows.num_rows:
            fresh = rows.filter(first_of_each(rows, declared.key))
            fresh = without(fresh, declared.key, self._held(declared, fresh))
            left_out = _minus(rows, fresh, declared.key)
            rows = fresh
        self._append(declared, rows)
        return left_out

    def replace(self, table: str, rows: pa.Table) -> int:
        """Put rows in the place of those with the same key; of several with one key the last counts.

        Rows whose key is new are appended. Returns how many rows were there before.

        Raises
        ------
        Incompatible
            When rows contradict the declaration.
        LakeError
            When they cannot be written.
        """
        declared = self._writable(table)
        rows = conform(declared, self._marked(rows))
        if not rows.num_rows:
            return 0
        rows = rows.filter(last_of_each(rows, declared.key))
        replaced = self._delete(declared, rows.select(list(declared.key)))
        self._append(declared, rows)
        return replaced

    def delete(self, table: str, keys: pa.Table) -> int:
        """Delete the rows with these keys; returns how many there were.

        ``keys`` has at least the key's columns.
        """
        declared = self._writable(table)
        return self._delete(declared, keys.select(list(declared.key)))

    def lookup(
        self, table: str, column: str, values: Iterable[Any], columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Return which rows have one of the values in a column, this batch's own rows included.

        Returns
        -------
        ``column``, the key and ``columns`` of those rows.
        """
        declared = self.schemas.table(table)
        wanted = list(dict.fromkeys([column, *declared.key, *(columns or ())]))
        rows = self._known(declared, wanted).select(wanted)
        with told_as_lake_errors(f"looking up {declared.name}.{column}"):
            return matching(rows, column, pa.array(list(values), rows.schema.field(column).type))

    def declare(self, table: Table) -> None:
        """Publish a table, or change a published one's declaration.

        Rows stay when columns are only added or described anew; any other change starts it empty.

        Raises
        ------
        Incompatible
            When the name belongs to one of our own tables.
        """
        if table.name in self._lake.declared:
            raise Incompatible(f"{table.name} is one of the archive's own tables")
        old = self._published.get(table.name.lower())
        if old is not None and not _extends(table, old):
            self._pins.pop(old.name, None)
        self._published[table.name.lower()] = table
        row = {"name": table.name.lower(), "declaration": json.dumps(table.model_dump(mode="json"))}
        self._declare(row["name"], pa.Table.from_pylist([row]))

    def undeclare(self, name: str) -> None:
        """Withdraw a published table and its rows; earlier versions keep it.

        Raises
        ------
        UnknownTableError
            When no published table has that name.
        """
        old = self._published.pop(name.lower(), None)
        if old is None:
            raise UnknownTableError(name)
        self._pins.pop(old.name, None)
        self._declare(name.lower(), None)

    def compact(self, target_size: int) -> None:
        """Merge small files of every table towards ``target_size`` bytes; rows stay as they are."""
        for name, pin in self._pins.items():
            with told_as_lake_errors(f"compacting {name}"):
                held = self._lake.table_at(pin.path)
                held.compact(self.batch, self.version + 1, target_size)
                self._pins[name] = Pin(pin.path, held.log.tip())
        self._merges_ledger = self._lake.ledger.file_count() > 1

    def commit(self, summary: Mapping[str, Any] | None = None) -> int:
        """Complete the batch; returns the version it made, or the present one when it changed nothing.

        Raises
        ------
        LakeError
            When it cannot be brought to disk and entered in the ledger; it is then taken back.
        """
        if self.closed:
            raise LakeError("this batch has ended")
        if self.replayed is not None or not (self._merges_ledger or self._pins != self._base.tables):
            self.closed = True
            return self.version if self.replayed is None else self.replayed
        pins = dict(self._pins)
        entry = Entry(self.version + 1, self.batch, self._kind, now(), pins, dict(summary or {}))
        enter(self._lake, entry, self._base, merge=self._merges_ledger)
        self.closed = True
        return self.version + 1

    def _marked(self, rows: pa.Table) -> pa.Table:
        """Return rows that carry the batch's id, unless they carry one already."""
        if BATCH in rows.column_names:
            return rows
        return rows.append_column(BATCH, pa.repeat(self.batch, rows.num_rows))

    def _declare(self, name: str, row: pa.Table | None) -> None:
        if self.replayed is None:
            self._delete(DECLARATIONS, pa.table({"name": [name]}))
            self._append(
                DECLARATIONS, row if row is not None else pa.table({"name": pa.array([], pa.string())})
            )

    def _writable(self, name: str) -> Table:
        if self.closed:
            raise LakeError("this batch has ended")
        table = self.schemas.table(name)
        if table.virtual:
            raise LakeError(f"{table.name} is computed; it holds no rows")
        return table

    def _append(self, table: Table, rows: pa.Table) -> None:
        if self.replayed is not None or not rows.num_rows:
            return
        with told_as_lake_errors(f"appending to {table.name}"):
            # When a write fails half-way, the library's threads write their own troubles to the terminal.
            require_room(self._lake.root, rows.nbytes)
            held = self._ready(table)
            held.append(table, rows, self.batch, self.version + 1)
            self._pins[table.name] = Pin(self._pins[table.name].path, held.log.tip())

    def _delete(self, table: Table, keys: pa.Table) -> int:
        if self.replayed is not None or table.name not in self._pins:
            return 0
        with told_as_lake_errors(f"deleting from {table.name}"):
            known = self._held(table, keys).select(list(table.key))
            if known.num_rows:
                held = self._ready(table)
                held.delete(table.key, known, self.batch, self.version + 1)
                self._pins[table.name] = Pin(self._pins[table.name].path, held.log.tip())
            return int(known.num_rows)

    def _ready(self, table: Table) -> LakeTable:
        """Return the Delta table, created or widened as its declaration asks."""
        pin = self._pins.get(table.name)
        if pin is None:
            path = new_path(self._lake, table, {pin.path for pin in self._pins.values()})
            self.created.append(path)
            held = self._lake.table_at(path)
            held.create(table, self.batch, self.version + 1)
            self._pins[table.name] = Pin(path, held.log.tip())
            return held
        held = self._lake.table_at(pin.path)
        held.add_missing_columns(table, self.batch, self.version + 1)
        return held

    def _held(self, table: Table, rows: pa.Table) -> pa.Table:
        """Return the keys that the table has already, of those in ``rows``."""
        known = self._known(table, table.key).select(list(table.key))
        return known.filter(pc.is_in(keys_of(known, table.key), value_set=keys_of(rows, table.key)))

    def _known(self, table: Table, columns: Sequence[str]) -> pa.Table:
        pin = self._pins.get(table.name)
        if pin is None:
            return conform(table, pa.table({}))
        with told_as_lake_errors(f"reading the keys of {table.name}"):
            return self._lake.known.rows(self._lake.table_at(pin.path), table, pin, columns)


def _extends(new: Table, old: Table) -> bool:
    """Say whether a declaration keeps every column, and what rows are identified and placed by."""
    same = (new.key, new.position, new.region) == (old.key, old.position, old.region)
    kept = {(column.name, column.kind, column.array) for column in new.columns}
    return same and kept >= {(column.name, column.kind, column.array) for column in old.columns}


def _minus(rows: pa.Table, kept: pa.Table, key: Sequence[str]) -> pa.Table:
    """Return the rows that are not the first of a kept key."""
    first = pc.and_(first_of_each(rows, key), pc.is_in(keys_of(rows, key), value_set=keys_of(kept, key)))
    return rows.filter(pc.invert(first))
