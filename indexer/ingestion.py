"""From files to rows in the lake: discover, read in parallel, commit in batches."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event
from typing import Final, Literal, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from indexer.batch import Result, Taken, commit, prepare
from indexer.discovery import Discovered, Found, NotRead, Visited, discover, find_again
from indexer.errors import FileRefused, IngestError
from indexer.holdings import Incoming, location_of
from indexer.reader import ReadFile, ReadJob, prepare_reader
from indexer.readers import ReaderPool, read_here
from indexer.refusals import Refusals
from indexer.settle import ALIASES, FILES, Place
from indexer.summary import Outcome, Progress, Report, Summary
from store.database import QuarantineStore
from store.lake import Lake, LakeError

Holding: TypeAlias = Literal["reference", "copy", "move"]

BATCH_FILES: Final = 500
BATCH_SECONDS: Final = 5.0
BATCH_BYTES: Final = 64 << 20
"""Header bytes of one batch."""

FEW: Final = 4
"""So few files are read in this process."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What is on record of a place; ``location`` is that of its own file, None for an alias."""

    size: int
    mtime: int
    location: str | None
    managed: bool


@dataclass(frozen=True, slots=True)
class Archive:
    """Where things are kept."""

    lake: Lake
    quarantine: QuarantineStore
    files_root: Path


def ingest(
    paths: Iterable[str | Path],
    *,
    lake: Lake,
    quarantine: QuarantineStore,
    files_root: Path,
    collection: str | None = None,
    holding: Holding = "reference",
    package_folders: Iterable[Path] = (),
    progress: Report | None = None,
    workers: int | None = None,
    stop: Event | None = None,
) -> Summary:
    """Ingest files, folders and globs; every file has exactly one outcome.

    Parameters
    ----------
    paths : what to ingest.
    lake, quarantine, files_root : where rows, refusals and managed bytes are kept.
    collection : name of the collection; by default that of each root folder.
    holding : ``reference`` leaves files where they are; ``copy`` copies them into the archive; ``move``
        also removes the originals once the copies are committed.
    package_folders : further folders with Instrument Packages.
    progress : told now and then how far the run is.
    workers : reader processes; 0 reads in this process; by default one per processor, at most 4.
    stop : when set, the run commits what was read and ends.

    Raises
    ------
    IngestError
        When the run cannot go on: a path that does not exist, a full disk, a wrong Instrument Package.
        What was committed stays.
    """
    archive = Archive(lake, quarantine, files_root)
    run = _Run(archive, collection, holding, progress, stop or Event())
    return _finished(run, discover(paths), tuple(package_folders), workers)


def retry(
    numbers: Sequence[int] | None = None,
    *,
    lake: Lake,
    quarantine: QuarantineStore,
    files_root: Path,
    holding: Holding = "reference",
    package_folders: Iterable[Path] = (),
    progress: Report | None = None,
    workers: int | None = None,
    stop: Event | None = None,
) -> Summary:
    """Ingest files in the quarantine once more: those of these numbers, or all.

    Rows that a load refused are not tried: their file is to be loaded again.

    Raises
    ------
    IngestError
        As ``ingest``.
    """
    archive = Archive(lake, quarantine, files_root)
    groups: dict[tuple[str, str], list[str]] = {}
    rows = 0
    for entry in quarantine.to_retry(numbers):
        if "row" in entry.details:
            rows += 1
        else:
            groups.setdefault((entry.collection, entry.root), []).append(entry.path)
    total = Summary(version=lake.version())
    for (collection, root), paths in groups.items():
        run = _Run(archive, collection, holding, progress, stop or Event())
        total.add(_finished(run, find_again(Path(root), paths), tuple(package_folders), workers))
    if rows:
        total.note(f"{rows} refused rows were not tried; load their files again.")
    return total


def _finished(
    run: _Run, discovered: Iterator[Discovered], folders: tuple[Path, ...], workers: int | None
) -> Summary:
    try:
        with ExitStack() as stack:
            if run.holding != "reference":
                run.incoming = stack.enter_context(Incoming(run.archive.files_root))
            run.go(discovered, folders, workers)
    except LakeError as error:
        raise IngestError("lake", f"The lake cannot be written: {error}") from error
    return run.summary


@dataclass(slots=True)
class _Pending:
    files: list[Taken] = field(default_factory=list)
    size: int = 0
    since: float = field(default_factory=time.monotonic)

    @property
    def full(self) -> bool:
        late = time.monotonic() - self.since > BATCH_SECONDS
        return bool(self.files) and (len(self.files) >= BATCH_FILES or self.size >= BATCH_BYTES or late)


class _Run:
    def __init__(
        self,
        archive: Archive,
        collection: str | None,
        holding: Holding,
        progress: Report | None,
        stop: Event,
    ) -> None:
        self.summary = Summary(version=archive.lake.version())
        self.incoming: Incoming | None = None
        self.archive = archive
        self._collection = collection
        self.holding = holding
        self._progress = progress or (lambda _: None)
        self._stop = stop
        self._found = 0
        self._schemas = archive.lake.schemas()
        self._refusals = Refusals(archive.quarantine)
        self._on_record: dict[str, dict[Place, _Known]] = {}
        self._claimed: dict[Place, Path] = {}
        self._pending = _Pending()

    def go(self, discovered: Iterator[Discovered], folders: tuple[Path, ...], workers: int | None) -> None:
        """Read everything and commit it."""
        jobs = self._jobs(discovered)
        make = partial(prepare_reader, folders)
        count = min(os.cpu_count() or 1, 4) if workers is None else workers
        first = _few(jobs) if workers is None else []
        if count == 0 or (workers is None and len(first) <= FEW):
            self._take(read_here(make, first if workers is None else jobs))
            return
        with ReaderPool[ReadJob, ReadFile](make, count) as pool:
            self._take(pool.results(_chain(first, jobs)))

    def _jobs(self, discovered: Iterable[Discovered]) -> Iterator[ReadJob]:
        """Return what must be read; the rest has its outcome at once."""
        for item in discovered:
            if self._stop.is_set():
                self.summary.stopped = True
                return
            collection = self._collection or item.root.name or "files"
            if isinstance(item, Visited):
                self._refusals.accepted((collection, item.relative))
                continue
            self._found += 1
            if isinstance(item, NotRead):
                self._refuse(collection, item.root, item.relative, FileRefused(item.code, item.message))
            elif not self._is_done(collection, item):
                yield ReadJob(item, collection, self.incoming.folder if self.incoming else None)

    def _is_done(self, collection: str, found: Found) -> bool:
        """Settle what needs no reading: a file on record as it is, or a path met twice."""
        place = (collection, found.relative)
        earlier = self._claimed.setdefault(place, found.path)
        if earlier != found.path:
            text = f"{earlier} has the same path below its root in this run; ingest them as two collections."
            self._refuse(collection, found.root, str(found.path), FileRefused("path-taken", text))
            return True
        known = self._seen(collection).get(place)
        if self.holding == "move" or known is None or not self._as_recorded(found, known):
            return False
        self._outcome(place, Outcome.UNCHANGED)
        return True

    def _as_recorded(self, found: Found, known: _Known) -> bool:
        if (known.size, known.mtime) != (found.size, found.mtime):
            return False
        if known.managed:
            return self.holding == "reference" or self._is_kept(known)
        return self.holding == "reference" and known.location in (None, str(found.path))

    def _is_kept(self, known: _Known) -> bool:
        return known.location is not None and (self.archive.files_root / known.location).is_file()

    def _seen(self, collection: str) -> Mapping[Place, _Known]:
        if collection not in self._on_record:
            self._on_record[collection] = dict(_recorded(self.archive.lake, collection, self.summary.version))
        return self._on_record[collection]

    def _take(self, results: Iterable[tuple[ReadJob, ReadFile | FileRefused]]) -> None:
        for job, result in results:
            if isinstance(result, FileRefused):
                self._refuse(job.collection, job.found.root, job.found.relative, result, job.found)
            else:
                self._pending.files.append(Taken(job.found, job.collection, result))
                self._pending.size += len(result.cards)
            if self._pending.full:
                self._commit()
        self._commit()

    def _commit(self) -> None:
        files = self._pending.files
        self._pending = _Pending()
        if files:
            batch = prepare(files, self._schemas)
            results, version = commit(batch, self.archive.lake, self.incoming)
            self.summary.version = version
            if batch.mis_wound:
                self.summary.note("Some footprints are wound the wrong way; their smaller side was indexed.")
            for result in results:
                self._settled(result)
        self._refusals.save()
        self._progress(Progress(self._found, self.summary.total))

    def _settled(self, result: Result) -> None:
        taken, decision = result.taken, result.decision
        if decision.refusal is not None:
            self._refuse(
                taken.collection, taken.found.root, taken.found.relative, decision.refusal, taken.found
            )
        else:
            self._outcome((taken.collection, taken.found.relative), decision.outcome)
            self._finish_copy(taken)

    def _finish_copy(self, taken: Taken) -> None:
        """Drop a copy that is not needed; with ``move`` remove the original of one that is kept."""
        if taken.read.copy is None:
            return
        taken.read.copy.unlink(missing_ok=True)
        kept = (self.archive.files_root / location_of(taken.read.checksum)).is_file()
        if self.holding == "move" and kept and _as_found(taken.found):
            with suppress(OSError):
                taken.found.path.unlink()

    def _outcome(self, place: Place, outcome: Outcome) -> None:
        self.summary.count(outcome)
        self._refusals.accepted(place)

    def _refuse(
        self, collection: str, root: Path, relative: str, refusal: FileRefused, found: Found | None = None
    ) -> None:
        self.summary.quarantine(relative, refusal.code, refusal.message)
        self._refusals.refused(collection, root, relative, refusal, found)


def _few(jobs: Iterator[ReadJob]) -> list[ReadJob]:
    found: list[ReadJob] = []
    for job in jobs:
        found.append(job)
        if len(found) > FEW:
            break
    return found


def _chain(first: Sequence[ReadJob], rest: Iterator[ReadJob]) -> Iterator[ReadJob]:
    yield from first
    yield from rest


def _recorded(lake: Lake, collection: str, version: int) -> Iterator[tuple[Place, _Known]]:
    """Yield what is on record of a collection."""
    chosen = pc.field("collection") == collection
    columns = ["path", "size", "mtime", "dp_id", "checksum"]
    aliases = lake.read(ALIASES, version, columns, filter=chosen).to_pylist()
    same = pc.field("dp_id").isin(pa.array({row["dp_id"] for row in aliases}, pa.string()))
    held = lake.read(FILES, version, ["dp_id", "checksum", "location", "holding"], filter=same).to_pylist()
    files = {row["dp_id"]: row for row in held}
    for row in aliases:
        file = files[row["dp_id"]]
        # An alias whose file has new content since is a file of its own.
        if row["checksum"] == file["checksum"]:
            managed = file["holding"] == "managed"
            location = file["location"] if managed else None
            yield (collection, row["path"]), _Known(row["size"], row["mtime"], location, managed)
    columns = ["path", "size", "mtime", "location", "holding"]
    for row in lake.read(FILES, version, columns, filter=chosen).to_pylist():
        managed = row["holding"] == "managed"
        yield (collection, row["path"]), _Known(row["size"], row["mtime"], row["location"], managed)


def _as_found(found: Found) -> bool:
    try:
        status = found.path.stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (found.size, found.mtime)
