"""The ledger: one row per batch, written last. A batch exists once it is here.

The ledger is a Delta table of its own, ``_ledger``. Version 0 is the empty lake; each later
Delta version holds exactly one row more, whose ``version`` column is that Delta version: the version of
the archive. ``tables`` is a JSON object that gives, for every table of the lake, its folder and the Delta
version that it has after the batch.
"""

from __future__ import annotations

import json
import logging
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from store.lake.errors import VersionGone
from store.lake.log import Log

LOG = logging.getLogger(__name__)

FOLDER = "_ledger"
"""Name of the ledger's folder in the lake."""

APPLICATION = "onedfs"
"""Application id of our Delta transactions; their version is the ledger version they belong to."""

SCHEMA = pa.schema(
    [
        ("version", pa.int64()),
        ("batch", pa.string()),
        ("kind", pa.string()),
        ("time", pa.timestamp("us")),
        ("tables", pa.string()),
        ("summary", pa.string()),
    ]
)
"""The ledger's columns; ``time`` is UTC."""

CONFIGURATION = {"delta.enableExpiredLogCleanup": "false"}
"""Log clean-up is ours: it must know what followers need."""

ENTRIES_KEPT = 512
"""Ledger rows remembered per process."""


THE_BEGINNING = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC, without a zone as the ledger keeps it
"""Time of the empty lake."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A table's folder below the lake and its Delta version."""

    path: str
    version: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the ledger."""

    version: int
    batch: str = ""
    kind: str = "empty"
    time: datetime = THE_BEGINNING
    tables: Mapping[str, Pin] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)

    def row(self) -> pa.Table:
        """Return the entry as a ledger row."""
        tables = {name: {"path": pin.path, "version": pin.version} for name, pin in self.tables.items()}
        values: dict[str, Any] = {
            "version": self.version,
            "batch": self.batch,
            "kind": self.kind,
            "time": self.time,
            "tables": json.dumps(tables),
            "summary": json.dumps(self.summary),
        }
        return pa.Table.from_pylist([values], schema=SCHEMA)

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Entry:
        """Return the entry of a ledger row."""
        tables = {name: Pin(**pin) for name, pin in json.loads(row["tables"]).items()}
        return cls(**{**row, "tables": tables, "summary": json.loads(row["summary"])})


class Ledger:
    """Reads and extends the ledger. Extending is for whoever holds the lease."""

    def __init__(self, root: Path) -> None:
        self.log = Log(root / FOLDER)
        self._entries: OrderedDict[int, Entry] = OrderedDict()
        self._table: DeltaTable | None = None
        self._whole = -1
        self._identity = ""

    def version(self) -> int:
        """Return the newest version; 0 when nothing was ever committed.

        A row that was being written when the power went may be there in part; its batch never was.
        """
        tip = self.log.tip()
        if tip > self._whole:
            tip = tip if self.log.is_whole(tip) else tip - 1
            self._whole = tip
        return max(tip, 0)

    def identity(self) -> str:
        """Return what tells this ledger from all others, copies excepted; empty before the first commit."""
        if not self._identity and self.version():
            self._identity = str(DeltaTable(str(self.log.table)).metadata().id)
        return self._identity

    def drop_torn(self) -> None:
        """Take a row that is there in part out of the log; for whoever holds the lease."""
        tip = self.log.tip()
        if tip < 0 or self.log.is_whole(tip):
            return
        LOG.warning("row %d of the ledger is there in part only; its batch is taken back", tip)
        # The table may have been created for this very row.
        self.log.drop(0 if tip == 1 and not self.log.is_whole(0) else tip)
        self._table = None

    def entry(self, version: int) -> Entry:
        """Return the entry of a version; version 0 is the empty lake.

        Raises
        ------
        VersionGone
            When there is no such version.
        """
        if version == 0:
            return Entry(version=0)
        if version not in self._entries:
            if not 0 < version <= self.version():
                raise VersionGone(f"the lake has no version {version}; the newest is {self.version()}")
            self._remember(self._read(version))
        return self._entries[version]

    def newest(self) -> Entry:
        """Return the entry of the newest version."""
        return self.entry(self.version())

    def history(self) -> Iterator[Entry]:
        """Read all entries, oldest first."""
        rows = self._dataset().to_table().sort_by("version") if self.version() else SCHEMA.empty_table()
        return map(Entry.read, rows.to_pylist())

    def find(self, batch: str) -> int | None:
        """Return the version that a batch id made, None when it made none."""
        if not self.version():
            return None
        rows = self._dataset().to_table(columns=["version"], filter=pc.field("batch") == batch)
        return rows["version"][0].as_py() if rows.num_rows else None

    def file_count(self) -> int:
        """Return how many Parquet files hold the rows."""
        return len(self.log.files(self.version())) if self.version() else 0

    def enter(self, entry: Entry) -> None:
        """Write the entry that completes a batch; its version must be the next one."""
        self._write(entry, entry.row(), "append")

    def rewrite(self, entry: Entry) -> None:
        """Enter a row and merge all rows into one file, in one commit."""
        rows = self._dataset().to_table().sort_by("version") if self.version() else SCHEMA.empty_table()
        self._write(entry, pa.concat_tables([rows, entry.row()]), "overwrite")

    def _write(self, entry: Entry, rows: pa.Table, mode: Any) -> None:
        table = self._opened()
        write_deltalake(
            table,
            rows,
            mode=mode,
            commit_properties=CommitProperties(
                app_transactions=[Transaction(APPLICATION, entry.version)],
                custom_metadata={"onedfs.batch": entry.batch},
                max_commit_retries=0,
            ),
        )
        self._remember(entry)

    def _opened(self) -> DeltaTable:
        if self._table is not None:
            self._table.update_incremental()
        elif self.log.tip() < 0:
            self.log.table.mkdir(parents=True, exist_ok=True)
            self._table = DeltaTable.create(self.log.table, SCHEMA, configuration=CONFIGURATION)
        else:
            self._table = DeltaTable(self.log.table)
        return self._table

    def _read(self, version: int) -> Entry:
        """Read one entry from the file that its commit added, or from the whole ledger when that is gone."""
        wanted = pc.field("version") == version
        try:
            added = [self.log.table / path for path in self.log.commit(version).adds]
            rows = pq.read_table(added, filters=wanted)
        except FileNotFoundError:
            rows = self._dataset().to_table(filter=wanted)
        found = rows.select(SCHEMA.names).to_pylist()
        if not found:
            raise VersionGone(f"the ledger holds no row for version {version}")
        return Entry.read(found[0])

    def _dataset(self) -> ds.Dataset:
        files = self.log.files(self.version())
        return ds.dataset([str(self.log.table / path) for path in files], schema=SCHEMA, format="parquet")

    def _remember(self, entry: Entry) -> None:
        self._entries[entry.version] = entry
        while len(self._entries) > ENTRIES_KEPT:
            self._entries.popitem(last=False)


def now() -> datetime:
    """Return the present time, UTC, as the ledger writes it."""
    return datetime.now(UTC).replace(tzinfo=None)
