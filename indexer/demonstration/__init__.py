"""The demonstration holdings: a list of packages, handed to the ordinary ``ingest`` and ``publish``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from threading import Event

import pyarrow.compute as pc
import yaml

from indexer.catalogue import publish
from indexer.demonstration.fetch import NotAvailable, Source, unpacked
from indexer.ingestion import ingest
from indexer.summary import Report, Summary
from store.database import QuarantineStore
from store.lake import Lake

__all__ = ["Source", "Step", "demo", "read_sources"]

_DONE = ".ingested"


@dataclass(frozen=True, slots=True)
class Step:
    """What became of one source; ``summary`` is None when it was skipped or was there already."""

    name: str
    message: str
    summary: Summary | None = None
    skipped: bool = False


def read_sources(text: str | None = None) -> tuple[Source, ...]:
    """Return the list of sources, ours by default.

    Raises
    ------
    pydantic.ValidationError
        When an entry is not as it should be.
    """
    listed = resources.files("indexer.demonstration").joinpath("holdings.yaml").read_text(encoding="utf-8")
    return tuple(Source.model_validate(entry) for entry in yaml.safe_load(text or listed))


def demo(
    data_root: Path,
    *,
    lake: Lake,
    quarantine: QuarantineStore,
    files_root: Path,
    package_folders: Iterable[Path] = (),
    progress: Report | None = None,
    stop: Event | None = None,
    sources: Iterable[Source] | None = None,
    release_required: Collection[str] = (),
) -> Iterator[Step]:
    """Fetch, ingest and publish the demonstration holdings, source by source.

    A source that cannot be had is skipped; one that is there already is left alone.

    Parameters
    ----------
    data_root : packages are unpacked below its ``demo`` folder.
    release_required : as of ``ingest``.

    Raises
    ------
    IngestError
        As ``ingest`` and ``publish`` do.
    """
    archive = _Archive(lake, quarantine, files_root, tuple(package_folders), progress, stop, release_required)
    for source in read_sources() if sources is None else sources:
        if stop is not None and stop.is_set():
            return
        try:
            folder = unpacked(source, data_root / "demo")
        except NotAvailable as reason:
            yield Step(source.name, f"{source.name} is left out: {reason}", skipped=True)
            continue
        yield archive.published(source, folder) if source.publish else archive.ingested(source, folder)


@dataclass(frozen=True, slots=True)
class _Archive:
    lake: Lake
    quarantine: QuarantineStore
    files_root: Path
    package_folders: tuple[Path, ...]
    progress: Report | None
    stop: Event | None
    release_required: Collection[str]

    def ingested(self, source: Source, folder: Path) -> Step:
        """Ingest a source's files as a collection of its name."""
        stamp = folder / _DONE
        if stamp.exists() and stamp.read_text() == source.sha256 and self._holds(source.name):
            return Step(source.name, f"{source.name} is there already.")
        summary = ingest(
            [folder],
            lake=self.lake,
            quarantine=self.quarantine,
            files_root=self.files_root,
            collection=source.name,
            holding="copy",
            package_folders=self.package_folders,
            progress=self.progress,
            stop=self.stop,
            release_required=self.release_required,
        )
        if not summary.stopped:
            stamp.write_text(source.sha256)
        return Step(source.name, f"{source.name}: {summary.line()}", summary)

    def _holds(self, collection: str) -> bool:
        chosen = pc.field("collection") == collection
        return bool(self.lake.read("archive.files", columns=["dp_id"], filter=chosen).num_rows)

    def published(self, source: Source, folder: Path) -> Step:
        """Publish the catalogue among a source's members."""
        told = source.publish
        if told is None:
            raise ValueError(f"{source.name} has no catalogue")
        there = self.lake.published().get(told.table.lower())
        if there is not None and there.version == source.version:
            return Step(source.name, f"{told.table} is there already.")
        summary = publish(
            folder / told.file,
            told.table,
            lake=self.lake,
            title=told.title,
            version=source.version,
            description=told.description,
            source_table=told.source_table,
            columns=told.columns,
        )
        return Step(source.name, f"{told.table}: {summary.line()}", summary)
