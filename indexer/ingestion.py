"""From files to rows in the lake: discover, read in parallel, commit in batches."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event
from typing import Final, Literal, TypeAlias

from indexer.batch import Result, Taken, commit, prepare
from indexer.discovery import Discovered, Found, NotRead, Visited, discover, find_again
from indexer.errors import FileRefused, IngestError, in_words
from indexer.holdings import Incoming, location_of
from indexer.known import Known, recorded
from indexer.reader import ReadFile, ReadJob, prepare_reader
from indexer.readers import ReaderPool, read_here
from indexer.refusals import Refusals
from indexer.releases import needs_date
from indexer.settle import PATH_TAKEN, Place
from indexer.summary import Outcome, Progress, Report, Summary
from indexer.watching import Watched
from store.database import QuarantineStore
from store.lake import Lake, LakeError

Holding: TypeAlias = Literal["reference", "copy", "move"]

BATCH_FILES: Final = 500
BATCH_SECONDS: Final = 5.0
BATCH_BYTES: Final = 64 << 20
"""Header bytes of one batch."""

FEW: Final = 4
FEW_BYTES: Final = 64 << 20
"""So few and small files are read in this process."""


@dataclass(frozen=True, slots=True)
class Archive:
    """Where things are kept, and which collections' files are withheld until they have a release date."""

    lake: Lake
    quarantine: QuarantineStore
    files_root: Path
    release_required: Collection[str] = ()


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
    watch_seconds: float | None = None,
    release_required: Collection[str] = (),
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
    watch_seconds : when given, the run looks again and again, with pauses of this length, and takes what is
        new and complete, until ``stop`` is set.
    release_required : collections whose files are withheld until they have a release date; ``*`` for all.

    Raises
    ------
    IngestError
        When the run cannot go on: a path that does not exist, a full disk, a wrong Instrument Package.
        What was committed stays; the error's ``summary`` counts it.
    """
    stop, paths = stop or Event(), list(paths)
    archive, folders = Archive(lake, quarantine, files_root, release_required), tuple(package_folders)
    total = Summary(version=lake.version())
    for discovered in _looks(paths, watch_seconds, stop):
        run = _Run(archive, collection, holding, progress, stop)
        _finish(run, discovered, folders, workers, total)
    return total


def _looks(
    paths: Sequence[str | Path], watch_seconds: float | None, stop: Event
) -> Iterator[Iterator[Discovered]]:
    """Yield what is found: once, or again and again whenever there is something new."""
    if watch_seconds is None:
        yield discover(paths)
        return
    watched = Watched(paths, watch_seconds)
    while not stop.is_set():
        if found := watched.look():
            yield iter(found)
        stop.wait(watch_seconds)


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
    release_required: Collection[str] = (),
) -> Summary:
    """Ingest files in the quarantine once more: those of these numbers, or all.

    Rows that a load refused are not tried: their file is to be loaded again.

    Raises
    ------
    IngestError
        As ``ingest``.
    """
    archive = Archive(lake, quarantine, files_root, release_required)
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
        _finish(run, find_again(Path(root), paths), tuple(package_folders), workers, total)
    if rows:
        total.note(f"{rows} refused rows were not tried; load their files again.")
    return total


def _finish(
    run: _Run,
    discovered: Iterator[Discovered],
    folders: tuple[Path, ...],
    workers: int | None,
    total: Summary,
) -> None:
    """Carry a run out and add what became of its files to a total, also when it fails."""
    try:
        with ExitStack() as stack:
            if run.holding != "reference":
                run.incoming = stack.enter_context(Incoming(run.archive.files_root))
            run.go(discovered, folders, workers)
    except (LakeError, IngestError) as error:
        failure = IngestError("lake", in_words(error)) if isinstance(error, LakeError) else error
        total.add(run.committed())
        failure.summary = total
        raise failure from error.__cause__
    total.add(run.summary)


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
        self._on_record: dict[str, dict[Place, Known]] = {}
        self._claimed: dict[Place, Path] = {}
        self._pending = _Pending()

    def committed(self) -> Summary:
        """Return the summary of a run that failed, without what was not kept."""
        self.summary.counts[Outcome.QUARANTINED] -= self._refusals.unsaved
        return self.summary

    def go(self, discovered: Iterator[Discovered], folders: tuple[Path, ...], workers: int | None) -> None:
        """Read everything and commit it."""
        jobs = self._jobs(discovered)
        make = partial(prepare_reader, folders)
        count = min(os.cpu_count() or 1, 4) if workers is None else workers
        first = _few(jobs) if workers is None else []
        if count == 0 or (workers is None and _are_few(first)):
            self._take(read_here(make, first if workers is None else jobs))
            return
        with ReaderPool[ReadJob, ReadFile](make, count) as pool:
            self._take(pool.results(_chain(first, jobs), self._stop))

    def _jobs(self, discovered: Iterable[Discovered]) -> Iterator[ReadJob]:
        """Return what must be read; the rest has its outcome at once."""
        for item in discovered:
            if self._stop.is_set():
                self.summary.stopped = True
                return
            collection = self._collection or item.root.name or "files"
            if isinstance(item, Visited):
                self._refusals.accepted(collection, item.root, item.relative)
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
            self._refuse_found(collection, found, FileRefused(PATH_TAKEN, text))
            return True
        known = self._seen(collection).get(place)
        if self.holding == "move" or known is None or not self._as_recorded(found, known):
            return False
        self._outcome(collection, found, Outcome.UNCHANGED)
        return True

    def _as_recorded(self, found: Found, known: Known) -> bool:
        if (known.size, known.mtime) != (found.size, found.mtime):
            return False
        if known.managed:
            return self.holding == "reference" or self._is_kept(known)
        return self.holding == "reference" and known.location in (None, str(found.path))

    def _is_kept(self, known: Known) -> bool:
        return known.location is not None and (self.archive.files_root / known.location).is_file()

    def _seen(self, collection: str) -> Mapping[Place, Known]:
        if collection not in self._on_record:
            self._on_record[collection] = dict(recorded(self.archive.lake, collection, self.summary.version))
        return self._on_record[collection]

    def _take(self, results: Iterable[tuple[ReadJob, ReadFile | FileRefused]]) -> None:
        for job, result in results:
            if isinstance(result, FileRefused):
                self._refuse_found(job.collection, job.found, result)
            else:
                waits = needs_date(job.collection, self.archive.release_required)
                self._pending.files.append(Taken(job.found, job.collection, result, waits))
                self._pending.size += len(result.cards)
            if self._pending.full:
                self._commit()
        self.summary.stopped = self.summary.stopped or self._stop.is_set()
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
            self._refuse_found(taken.collection, taken.found, decision.refusal)
        else:
            self._outcome(taken.collection, taken.found, decision.outcome)
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

    def _outcome(self, collection: str, found: Found, outcome: Outcome) -> None:
        self.summary.count(outcome)
        self._refusals.accepted(collection, found.root, found.relative)
        self._refusals.accepted(collection, found.root, str(found.path))

    def _refuse_found(self, collection: str, found: Found, refusal: FileRefused) -> None:
        # The path below the root names the file that has taken it; the other one is told by its whole path.
        paths = [found.relative, str(found.path)]
        path, other = reversed(paths) if refusal.code == PATH_TAKEN else paths
        self._refusals.accepted(collection, found.root, other)
        self._refuse(collection, found.root, path, refusal, found)

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


def _are_few(jobs: Sequence[ReadJob]) -> bool:
    return len(jobs) <= FEW and sum(job.found.size for job in jobs) <= FEW_BYTES


def _chain(first: Sequence[ReadJob], rest: Iterator[ReadJob]) -> Iterator[ReadJob]:
    yield from first
    yield from rest


def _as_found(found: Found) -> bool:
    try:
        status = found.path.stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (found.size, found.mtime)
