"""One table of the lake: a Delta table, written through ``deltalake`` and read through Arrow.

``deltalake`` runs its own threads and panics in a forked child: processes that use the lake are spawned.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import CommitProperties, DeltaTable, Field, Transaction, WriterProperties, write_deltalake
from deltalake.schema import Schema as DeltaSchema

import schemas
from schemas.arrow import HEALPIX, lake_schema
from store.lake.errors import Incompatible
from store.lake.groups import GROUP_ROWS, by_cell
from store.lake.ledger import APPLICATION
from store.lake.log import Log
from store.lake.merge import prepare_merge
from store.lake.rewrite import prepare_deletion
from store.lake.rows import conform

RESTORED = "onedfs.restored"
"""Commit note: everything after the version it names was taken back by this commit."""

REMOVED_KEYS = "onedfs.removed"
"""Commit note: the file of the keys whose rows the commit deletes, and it does nothing else."""

BATCH_NOTE = "onedfs.batch"
"""Commit note: the batch that a commit belongs to."""

LEDGER_NOTE = "onedfs.version"
"""Commit note: the ledger version that the batch makes, once it is complete."""

STATISTICS = "delta.dataSkippingStatsColumns"
"""Delta's name for the columns whose least and greatest values the log notes."""


class LakeTable:
    """Reads and writes one Delta table. Writing is for whoever holds the lease."""

    def __init__(self, folder: Path) -> None:
        self.log = Log(folder)
        self._delta: DeltaTable | None = None

    def dataset(self, version: int, schema: pa.Schema) -> ds.Dataset:
        """Return the rows of a version; columns that its files lack are NULL."""
        files = [str(self.log.table / path) for path in self.log.files(version)]
        return ds.dataset(files, schema=schema, format="parquet")

    def written(self, after: int, upto: int) -> Iterator[Path]:
        """Yield the files that commits after one version up to another wrote; see :meth:`Log.written`."""
        yield from self.log.written(after, upto)
        for version in range(after + 1, upto + 1):
            removed = self.log.commit(version).info.get(REMOVED_KEYS)
            if removed:
                yield self.log.table / removed

    def row_count(self, version: int) -> int:
        """Return how many rows a version has, from the log."""
        return sum(self.log.files(version).values())

    def create(self, table: schemas.Table, batch: str, ledger_version: int) -> None:
        """Create the empty table with the change feed on."""
        self.log.table.mkdir(parents=True, exist_ok=True)
        statistics = [*table.key, *(table.position or ()), *([HEALPIX] if table.position else [])]
        self._delta = DeltaTable.create(
            self.log.table,
            lake_schema(table),
            name=table.name,
            description=table.description or None,
            configuration={
                "delta.enableChangeDataFeed": "true",
                "delta.enableExpiredLogCleanup": "false",
                STATISTICS: ",".join(dict.fromkeys(statistics)),
            },
            commit_properties=_notes(batch, ledger_version),
        )

    def add_missing_columns(self, table: schemas.Table, batch: str, ledger_version: int) -> None:
        """Add declared columns that the table does not have yet.

        Raises
        ------
        Incompatible
            When a column has another type than declared.
        """
        delta = self._opened()
        present = {field.name: field.type for field in delta.schema().fields}
        declared = DeltaSchema.from_arrow(lake_schema(table)).fields
        changed = [f.name for f in declared if f.name in present and present[f.name] != f.type]
        if changed:
            raise Incompatible(f"{table.name}: {', '.join(changed)} changed type; run `onedfs migrate`")
        missing = [Field(f.name, f.type) for f in declared if f.name not in present]
        if missing:
            delta.alter.add_columns(missing, commit_properties=_notes(batch, ledger_version))

    def append(self, table: schemas.Table, rows: pa.Table, batch: str, ledger_version: int) -> None:
        """Append rows; those of a file follow each other by cell."""
        write_deltalake(
            self._opened(),
            by_cell(conform(table, rows)),
            mode="append",
            schema_mode="merge",
            writer_properties=WriterProperties(compression="SNAPPY", max_row_group_size=GROUP_ROWS),
            commit_properties=_notes(batch, ledger_version),
        )

    def delete(self, key: Sequence[str], keys: pa.Table, batch: str, ledger_version: int) -> None:
        """Delete the rows that have one of the keys; each key once, and held by the table."""
        delta = self._opened()
        deletion = prepare_deletion(self.log, delta.version(), key, keys)
        notes = _notes(batch, ledger_version, **{REMOVED_KEYS: deletion.removed_keys})
        delta.create_write_transaction(deletion.actions, "append", delta.schema(), commit_properties=notes)

    def restore(self, version: int, batch: str, ledger_version: int) -> None:
        """Make the newest version hold what an older one held."""
        notes = _notes(batch, ledger_version, **{RESTORED: str(version)})
        self._opened().restore(version, commit_properties=notes)

    def compact(self, batch: str, ledger_version: int, target_size: int) -> None:
        """Merge small files towards ``target_size`` bytes; rows stay as they are, ordered by cell."""
        delta, notes = self._opened(), _notes(batch, ledger_version)
        if all(field.name != HEALPIX for field in delta.schema().fields):
            delta.optimize.compact(target_size=target_size, max_concurrent_tasks=1, commit_properties=notes)
            return
        noted = (delta.metadata().configuration[STATISTICS] or "").split(",")
        actions = prepare_merge(self.log, delta.version(), noted, target_size)
        if actions:
            delta.create_write_transaction(actions, "append", delta.schema(), commit_properties=notes)

    def _opened(self) -> DeltaTable:
        if self._delta is None:
            self._delta = DeltaTable(self.log.table)
        else:
            self._delta.update_incremental()
        return self._delta


def _notes(batch: str, ledger_version: int, **more: Any) -> CommitProperties:
    return CommitProperties(
        app_transactions=[Transaction(APPLICATION, ledger_version)],
        custom_metadata={BATCH_NOTE: batch, LEDGER_NOTE: str(ledger_version), **more},
        max_commit_retries=0,
    )
