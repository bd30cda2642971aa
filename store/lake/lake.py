"""The lake as its readers and writers see it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from schemas import Table
from schemas.arrow import lake_schema
from store.lake.errors import FeedIncomplete, LakeError, VersionGone, told_as_lake_errors
from store.lake.feed import Change, Step, change_size, net_change
from store.lake.holdings import DECLARATIONS, Holdings
from store.lake.lease import hold_lease, is_shared, share
from store.lake.ledger import Pin
from store.lake.pins import PINS, pin
from store.lake.repair import repair
from store.lake.writer import Writer

LEASE = "_lease"
"""Name of the lock file in the lake."""

LOADING = "_loading"
"""Name of the file in the lake that large loads share a lock on."""

BATCH_ROWS = 65_536
"""Rows of one streamed batch at most."""


class Lake(Holdings):
    """All tables of the archive, at any version.

    A version is the ledger's Delta version; 0 is the empty lake, also when nothing is on disk yet. Reading
    needs no lease and writes nothing. Objects may be shared by threads; processes are spawned, never forked,
    because ``deltalake`` panics after a fork.
    """

    def dataset(self, table: str, version: int | None = None) -> ds.Dataset:
        """Return a table at a version as an Arrow dataset, with all columns of the lake.

        Raises
        ------
        VersionGone
            When its files were cleaned away.
        """
        entry = self.entry(version)
        declared = self.schemas(entry.version).table(table)
        schema = lake_schema(declared)
        pin = entry.tables.get(declared.name)
        if pin is None:
            return ds.dataset(schema.empty_table())
        with told_as_lake_errors(f"opening {declared.name}"):
            return self.table_at(pin.path).dataset(pin.version, schema)

    def files(self, table: str, version: int | None = None) -> list[Path]:
        """Return the Parquet files that make up a table at a version."""
        entry = self.entry(version)
        pin = entry.tables.get(self.schemas(entry.version).table(table).name)
        if pin is None:
            return []
        with told_as_lake_errors(f"listing the files of {table}"):
            log = self.table_at(pin.path).log
            return [log.table / path for path in log.files(pin.version)]

    def read(
        self,
        table: str,
        version: int | None = None,
        columns: Sequence[str] | None = None,
        filter: pc.Expression | None = None,  # noqa: A002 - the word that Arrow uses
    ) -> pa.Table:
        """Return rows of a table at a version (the newest by default).

        Raises
        ------
        VersionGone
            When the version is not there any more.
        UnknownTableError
            When no table has that name.
        """
        dataset = self.dataset(table, version)
        with told_as_lake_errors(f"reading {table}"):
            return dataset.to_table(columns=None if columns is None else list(columns), filter=filter)

    def batches(
        self, table: str, version: int | None = None, columns: Sequence[str] | None = None
    ) -> pa.RecordBatchReader:
        """Stream rows of a table at a version in bounded memory."""
        chosen = None if columns is None else list(columns)
        scanner = self.dataset(table, version).scanner(
            columns=chosen, batch_size=BATCH_ROWS, batch_readahead=2, fragment_readahead=1
        )
        return scanner.to_reader()

    def row_count(self, table: str, version: int | None = None) -> int:
        """Return how many rows a table has at a version, from the log alone."""
        entry = self.entry(version)
        pin = entry.tables.get(self.schemas(entry.version).table(table).name)
        if pin is None:
            return 0
        with told_as_lake_errors(f"counting {table}"):
            return self.table_at(pin.path).row_count(pin.version)

    def changes(self, after: int, upto: int | None = None) -> Iterator[Step]:
        """Yield what each version after ``after`` changed, in order; nothing past the newest.

        Raises
        ------
        FeedIncomplete
            When clean-up removed what is needed: start again from a snapshot.
        """
        newest = self.version()
        for version in range(after + 1, min(newest, newest if upto is None else upto) + 1):
            yield self.difference(version - 1, version)

    def change_sizes(self, after: int, upto: int) -> dict[str, int]:
        """Return about how many rows of each table ``difference`` reads; none of them is read for that.

        Raises
        ------
        FeedIncomplete
            As for ``changes``.
        """
        old, new = self.entry(after), self.entry(upto)
        with told_as_lake_errors(f"sizing the changes {after} to {upto}"):
            return {
                name: change_size(self.table_at(pin.path).log, _base(old.tables.get(name), pin), pin.version)
                for name, pin in new.tables.items()
                if old.tables.get(name) != pin
            }

    def difference(self, after: int, upto: int, *, without: Collection[str] = ()) -> Step:
        """Return all changes from one version to a later one as a single step.

        Those of the tables named in ``without`` are left out.

        Raises
        ------
        FeedIncomplete
            As for ``changes``.
        """
        old, new = self.entry(after), self.entry(upto)
        try:
            was, now = self.published(after), self.published(upto)
        except VersionGone as error:
            raise FeedIncomplete(f"versions {after} to {upto} were cleaned away: {error}") from error
        known = self.declared.with_tables(now.values())
        moved = {
            name
            for name, pin in old.tables.items()
            if name not in new.tables or new.tables[name].path != pin.path
        }
        gone = {table.name for name, table in was.items() if name not in now}
        declared = tuple(table for name, table in now.items() if was.get(name) != table)
        changes: list[Change] = []
        with told_as_lake_errors(f"reading the changes {after} to {upto}"):
            for name, pin in new.tables.items():
                if name in known and name not in without and old.tables.get(name) != pin:
                    change = self._change(
                        known.table(name), None if name in moved else old.tables.get(name), pin
                    )
                    changes.extend([change] if change else [])
        dropped = tuple(sorted((moved | gone) - {DECLARATIONS.name}))
        return Step(upto, new.kind, dropped, declared, tuple(changes))

    def _change(self, table: Table, old: Pin | None, new: Pin) -> Change | None:
        log = self.table_at(new.path).log
        return net_change(log, table, lake_schema(table), -1 if old is None else old.version, new.version)

    @contextmanager
    def writer(self, kind: str, *, batch: str | None = None, timeout: float = 60.0) -> Iterator[Writer]:
        """Take the lease and write one batch; without ``commit`` everything written is taken back.

        Unfinished work of a writer that died is taken back first. ``batch`` names the batch, so that its
        replay does nothing; ``timeout`` is in seconds.

        Raises
        ------
        LeaseTimeout
            When another writer keeps the lease for longer.
        LakeError
            When the lake cannot be written.
        """
        with hold_lease(self.root / LEASE, kind, timeout=timeout):
            with told_as_lake_errors("repairing the lake"):
                repair(self)
                done = self.ledger.find(batch) if batch else None
            writer = Writer(self, kind, batch, done)
            try:
                yield writer
            finally:
                if not writer.closed:
                    writer.closed = True
                    # Another table may get the folders that this batch created.
                    for path in writer.created:
                        self.forget_table(path)
                    # What cannot be taken back now, a full disk for one, the next writer takes back.
                    with suppress(LakeError), told_as_lake_errors("taking a batch back"):
                        repair(self)

    @contextmanager
    def pinned(self, version: int) -> Iterator[None]:
        """Keep what is needed to read a version, for as long as the context lasts."""
        with pin(self.root / PINS, version):
            yield

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Say, for as long as the context lasts, that many batches follow each other.

        Who makes something of the whole lake does well to wait for the end. Nothing else depends on it; it
        ends with the process too.
        """
        with share(self.root / LOADING):
            yield

    def is_loading(self) -> bool:
        """Whether a process is within ``loading``."""
        return is_shared(self.root / LOADING)


def _base(old: Pin | None, new: Pin) -> int:
    """Return the version that changes start from, -1 for a table that is new or was written anew."""
    return old.version if old is not None and old.path == new.path else -1
