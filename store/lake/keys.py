"""Chosen columns of a table, kept in memory and brought up to date from the change feed.

A writer asks for every batch which keys exist. Reading a million keys from
Parquet each time would cost more than the batch itself; following the feed costs what changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

import pyarrow as pa
import pyarrow.compute as pc

import schemas
from schemas.arrow import lake_schema
from store.lake.errors import FeedIncomplete
from store.lake.feed import net_change
from store.lake.ledger import Pin
from store.lake.rows import without
from store.lake.tables import LakeTable

CHUNKS_KEPT = 64
"""Pieces a remembered table may have before they are joined."""


@dataclass(slots=True)
class _Held:
    pin: Pin
    rows: pa.Table


class KnownRows:
    """Remembers columns of tables at the version last asked for."""

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}
        self._lock = Lock()

    def rows(self, lake_table: LakeTable, table: schemas.Table, pin: Pin, columns: Sequence[str]) -> pa.Table:
        """Return at least the key and these columns of all rows that a table has at a pin."""
        with self._lock:
            held = self._held.get(table.name)
            wanted = dict.fromkeys([*table.key, *columns])
            if held is not None and held.pin.path == pin.path:
                wanted |= dict.fromkeys(held.rows.column_names)
            schema = _subset(table, list(wanted))
            fresh = self._followed(lake_table, table, pin, schema)
            if fresh is None:
                fresh = lake_table.dataset(pin.version, schema).to_table()
            if fresh.num_columns and fresh.column(0).num_chunks > CHUNKS_KEPT:
                fresh = fresh.combine_chunks()
            self._held[table.name] = _Held(pin, fresh)
            return fresh

    def forget(self, path: str) -> None:
        """Drop what is remembered of the table in a folder."""
        with self._lock:
            self._held = {name: held for name, held in self._held.items() if held.pin.path != path}

    def _followed(
        self, lake_table: LakeTable, table: schemas.Table, pin: Pin, schema: pa.Schema
    ) -> pa.Table | None:
        """Bring what is held up to a pin; None when it must be read anew."""
        held = self._held.get(table.name)
        if held is None or held.pin.path != pin.path or held.pin.version > pin.version:
            return None
        if held.rows.schema.names != schema.names:
            return None
        try:
            change = net_change(lake_table.log, table, schema, held.pin.version, pin.version)
        except FeedIncomplete:
            return None
        if change is None:
            return held.rows
        kept = without(held.rows, table.key, change.removed_keys)
        return pa.concat_tables([kept, change.inserted])


def _subset(table: schemas.Table, columns: Sequence[str]) -> pa.Schema:
    schema = lake_schema(table)
    return pa.schema([schema.field(name) for name in columns])


def matching(rows: pa.Table, column: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    """Return the rows whose ``column`` is among ``values``."""
    return rows.filter(pc.is_in(rows[column], value_set=values.cast(rows[column].type)))
