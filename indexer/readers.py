"""Reader processes: they take files, give results back in order, and may die without harm.

The processes are spawned, never forked: the lake's library does not survive a fork. A process that dies
or takes too long costs the one file it was reading.
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from threading import Event
from typing import Any, Final, Generic, Protocol, Self, TypeVar

from indexer.errors import FileRefused, IndexerError, IngestError

WINDOW: Final = 256
"""Results that may wait for an earlier one."""


class Job(Protocol):
    """Something that can be read."""

    @property
    def seconds(self) -> float:
        """How long it may take."""
        ...


JobT = TypeVar("JobT", bound=Job)
ResultT = TypeVar("ResultT")


@dataclass(eq=False, slots=True)
class _Reader(Generic[JobT]):
    process: SpawnProcess
    pipe: Connection[Any, Any]
    pending: deque[tuple[int, JobT]] = field(default_factory=deque)
    ready: bool = False
    since: float = field(default_factory=time.monotonic)

    @property
    def late(self) -> bool:
        return (
            bool(self.pending) and self.ready and time.monotonic() - self.since > self.pending[0][1].seconds
        )


class ReaderPool(Generic[JobT, ResultT]):
    """A fixed number of reader processes.

    Parameters
    ----------
    prepare : called once in each process; returns the function that reads one job. Must be picklable.
    workers : number of processes.
    depth : tasks that wait at each process, so that it need not wait for us; 1 for large ones, because a
        process that is sending a large result takes no large task.
    """

    def __init__(
        self, prepare: Callable[[], Callable[[JobT], ResultT]], workers: int, *, depth: int = 8
    ) -> None:
        self._depth = depth
        self._prepare = prepare
        self._context = multiprocessing.get_context("spawn")
        self._readers: list[_Reader[JobT]] = [self._start() for _ in range(workers)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for reader in self._readers:
            reader.pipe.close()
        for reader in self._readers:
            reader.process.join(1)
            if reader.process.is_alive():
                reader.process.kill()
                reader.process.join()

    def results(
        self, jobs: Iterable[JobT], stop: Event | None = None
    ) -> Iterator[tuple[JobT, ResultT | FileRefused]]:
        """Read jobs and yield each with its result, in the order of the jobs, until told to stop.

        Raises
        ------
        IngestError
            When a process says that the run cannot go on.
        """
        run = _Run[JobT, ResultT](iter(jobs))
        while stop is None or not stop.is_set():
            self._feed(run)
            while run.next_out in run.done:
                yield run.done.pop(run.next_out)
                run.next_out += 1
            if run.exhausted and run.next_out == run.next_in:
                return
            if run.next_out not in run.done:
                self._collect(run)

    def _feed(self, run: _Run[JobT, ResultT]) -> None:
        for reader in sorted(self._readers, key=lambda reader: len(reader.pending)):
            while len(reader.pending) < self._depth and run.next_in - run.next_out < WINDOW:
                job = run.take()
                if job is None:
                    return
                self._send(reader, job)

    def _send(self, reader: _Reader[JobT], job: tuple[int, JobT]) -> None:
        if not reader.pending:
            reader.since = time.monotonic()
        reader.pending.append(job)
        try:
            reader.pipe.send(job)
        except OSError:
            # It died; its end of the pipe will tell us when we listen.
            return

    def _collect(self, run: _Run[JobT, ResultT]) -> None:
        ready = wait([reader.pipe for reader in self._readers], timeout=1.0)
        for number, reader in enumerate(self._readers):
            if reader.pipe in ready:
                try:
                    self._receive(reader, run)
                except (EOFError, OSError):
                    self._replace(
                        number, run, "reader-died", "The reader process died while it read this file."
                    )
            elif reader.late:
                reader.process.kill()
                self._replace(number, run, "too-slow", "Reading its headers took too long and was given up.")

    def _receive(self, reader: _Reader[JobT], run: _Run[JobT, ResultT]) -> None:
        message = reader.pipe.recv()
        reader.since = time.monotonic()
        if message is None:
            reader.ready = True
            return
        if isinstance(message, IngestError):
            raise message
        number, job = reader.pending.popleft()
        run.done[number] = (job, message)

    def _replace(self, number: int, run: _Run[JobT, ResultT], code: str, text: str) -> None:
        old = self._readers[number]
        old.process.join()
        old.pipe.close()
        if not old.ready:
            raise IngestError("no-reader", "A reader process could not start.")
        self._readers[number] = new = self._start()
        if old.pending:
            culprit, job = old.pending.popleft()
            run.done[culprit] = (job, FileRefused(code, text))
        for job_again in old.pending:
            self._send(new, job_again)

    def _start(self) -> _Reader[JobT]:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self._prepare), daemon=True)
        process.start()
        theirs.close()
        return _Reader(process, ours)


@dataclass(slots=True)
class _Run(Generic[JobT, ResultT]):
    jobs: Iterator[JobT]
    next_in: int = 0
    next_out: int = 0
    exhausted: bool = False
    done: dict[int, tuple[JobT, ResultT | FileRefused]] = field(default_factory=dict)

    def take(self) -> tuple[int, JobT] | None:
        job = next(self.jobs, None)
        if job is None:
            self.exhausted = True
            return None
        self.next_in += 1
        return self.next_in - 1, job


def _serve(pipe: Connection[Any, Any], prepare: Callable[[], Callable[[Any], object]]) -> None:
    # Signals to end reach the whole group; the main process decides what becomes of the batch.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    refusal = None
    try:
        read = prepare()
    except IndexerError as error:
        refusal = IngestError(error.code, error.message)
    # Whoever is not heard any more has nothing to do: the run has ended.
    with suppress(EOFError, OSError):
        pipe.send(refusal)
        while refusal is None:
            _, job = pipe.recv()
            pipe.send(_result(read, job))


def _result(read: Callable[[Any], object], job: object) -> object:
    try:
        return read(job)
    except (FileRefused, IngestError) as error:
        return error
    except MemoryError:
        return FileRefused("too-large", "Reading its headers needs more memory than there is.")
    except Exception as error:  # noqa: BLE001 - whatever one file does, the others go on
        return FileRefused(
            "reader-failed", f"Reading it failed unexpectedly: {type(error).__name__}: {error}."
        )


def read_here(
    prepare: Callable[[], Callable[[JobT], ResultT]], jobs: Iterable[JobT]
) -> Iterator[tuple[JobT, ResultT | FileRefused]]:
    """Read jobs in this process, for a few files; results as those of ``ReaderPool.results``.

    Raises
    ------
    IngestError
        When the run cannot go on.
    """
    read = prepare()
    for job in jobs:
        result: Any = _result(read, job)
        if isinstance(result, IngestError):
            raise result
        yield job, result
