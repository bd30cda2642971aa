"""The indexer with what this archive gives it: lake, quarantine, file store, instruments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Literal

from sqlalchemy import Engine

import indexer
from archive import stores
from archive.settings import Settings
from indexer import Changed
from indexer.summary import Report, Summary
from store.database import QuarantineStore
from store.lake import Lake


@dataclass(frozen=True, slots=True)
class Ingestion:
    """What commands call to bring data in."""

    settings: Settings
    lake: Lake
    quarantine: QuarantineStore

    def ingest(
        self,
        paths: Sequence[str | Path],
        *,
        collection: str | None = None,
        holding: Literal["reference", "copy", "move"] = "reference",
        workers: int | None = None,
        progress: Report | None = None,
        stop: Event | None = None,
        watch_seconds: float | None = None,
    ) -> Summary:
        """Ingest files and folders; see :func:`indexer.ingest`."""
        return indexer.ingest(
            paths,
            lake=self.lake,
            quarantine=self.quarantine,
            files_root=self.settings.files_root,
            collection=collection,
            holding=holding,
            package_folders=self._package_folders(),
            release_required=self.settings.release_required_in,
            progress=progress,
            workers=workers,
            stop=stop,
            watch_seconds=watch_seconds,
        )

    def load(
        self,
        path: Path,
        table: str,
        *,
        workers: int | None = None,
        progress: Report | None = None,
        stop: Event | None = None,
    ) -> Summary:
        """Load ready rows into a declared table; see :func:`indexer.load`."""
        return indexer.load(
            path,
            table,
            lake=self.lake,
            quarantine=self.quarantine,
            progress=progress,
            workers=workers,
            stop=stop,
        )

    def publish(self, path: Path, table: str, *, title: str = "", version: str = "") -> Summary:
        """Publish a catalogue; see :func:`indexer.publish`."""
        return indexer.publish(path, table, lake=self.lake, title=title, version=version)

    def unpublish(self, table: str) -> Summary:
        """Take a catalogue back; see :func:`indexer.unpublish`."""
        return indexer.unpublish(table, lake=self.lake)

    def retry(self, numbers: Sequence[int] | None, *, progress: Report | None, stop: Event) -> Summary:
        """Try quarantined files again; see :func:`indexer.retry`."""
        return indexer.retry(
            numbers,
            lake=self.lake,
            quarantine=self.quarantine,
            files_root=self.settings.files_root,
            package_folders=self._package_folders(),
            release_required=self.settings.release_required_in,
            progress=progress,
            stop=stop,
        )

    def withdraw(self, ids: Sequence[str], reason: str) -> Changed:
        """Take files out of searches; see :func:`indexer.withdraw`."""
        return indexer.withdraw(ids, reason, lake=self.lake)

    def set_release(self, ids: Sequence[str], when: datetime | None) -> Changed:
        """Change when files become public; see :func:`indexer.set_release`."""
        return indexer.set_release(ids, when, lake=self.lake)

    def demo(self, tell: Callable[[str], None], stop: Event) -> Summary:
        """Fetch and ingest the demonstration holdings; what happens to each source is told."""
        total = Summary(version=self.lake.version())
        steps = indexer.demo(
            self.settings.root,
            lake=self.lake,
            quarantine=self.quarantine,
            files_root=self.settings.files_root,
            package_folders=self._package_folders(),
            release_required=self.settings.release_required_in,
            stop=stop,
        )
        for step in steps:
            tell(step.message)
            if step.summary is not None:
                total.add(step.summary)
        total.stopped = stop.is_set()
        return total

    def _package_folders(self) -> list[Path]:
        return [self.settings.site / "instruments"] if self.settings.site else []


def quarantine(settings: Settings) -> AbstractContextManager[QuarantineStore]:
    """Open the quarantine to read."""
    return _quarantine(stores.open_tables_to_read(settings))


@contextmanager
def _quarantine(engine: Engine) -> Iterator[QuarantineStore]:
    try:
        yield QuarantineStore(engine)
    finally:
        engine.dispose()


@contextmanager
def opened(settings: Settings) -> Iterator[Ingestion]:
    """Open what ingestion needs.

    Raises
    ------
    archive.stores.NotWritable
        When the data folder cannot be written.
    """
    stores.require_writable(settings)
    stores.authority(settings)
    with _quarantine(stores.open_tables(settings)) as store:
        yield Ingestion(settings, stores.open_lake(settings), store)
