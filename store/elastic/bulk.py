"""Writes many documents: several requests at a time, as large as they may be, until each has its answer."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, Self

from elastic_transport import ApiError, TransportError
from elasticsearch import Elasticsearch

from store.elastic.client import PASSING, EngineError, in_words, is_passing, reason_of
from store.elastic.documents import Operation

LOG = logging.getLogger(__name__)

_SHARD_WAIT = "10s"
"""How long a node waits for a shard that has no copy; then we ask another node."""

_REQUEST_SECONDS = 40.0
_FIRST_PAUSE, _LAST_PAUSE = 0.2, 10.0
_TOO_LARGE, _BAD, _GONE, _CONFLICT = 413, 400, 404, 409


class WriteFailed(EngineError):  # noqa: N818 - names the condition
    """Documents could not be written within the time allowed."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A document that Elasticsearch will never take, and why."""

    id: str
    reason: str


@dataclass(slots=True)
class Tally:
    """How many operations did what they say, how many had been done before, and how many were refused."""

    done: int = 0
    known: int = 0
    refused: int = 0

    def __iadd__(self, other: Tally) -> Self:
        self.done += other.done
        self.known += other.known
        self.refused += other.refused
        return self


@dataclass(frozen=True)
class Pace:
    """How documents are written.

    ``threads`` requests at a time of about ``chunk_bytes`` each. What is refused for now (too many requests,
    no copy of a shard, a node that is gone, a time-out) is sent again after growing pauses, until nothing
    went forward for ``patience`` seconds.
    """

    threads: int = 2
    chunk_bytes: int = 5 * 2**20
    patience: float = 120.0


@dataclass
class _Work:
    """One call of ``write``: its index, who hears of refusals, and whether to give up."""

    index: str
    refused: Callable[[Sequence[Refused]], None]
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass
class _Outcome:
    tally: Tally = field(default_factory=Tally)
    again: list[Operation] = field(default_factory=list)
    reason: str = ""


class BulkWriter:
    """Writes operations to an index. What it writes can be written again without harm.

    ``guard`` is called before each request and raises when this process must not write any more.
    """

    def __init__(
        self,
        client: Elasticsearch,
        pace: Pace | None = None,
        *,
        guard: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[threading.Event, float], object] = threading.Event.wait,
    ) -> None:
        # Another node is asked at once when one is gone; everything else waits here, longer each time.
        self._client = client.options(
            max_retries=len(client.transport.node_pool.all()),
            retry_on_status=(),
            request_timeout=_REQUEST_SECONDS,
        )
        self._pace = pace or Pace()
        self._guard = guard
        self._clock = clock
        self._pause = pause
        self._pool = ThreadPoolExecutor(self._pace.threads, thread_name_prefix="bulk")

    def close(self) -> None:
        """End its threads."""
        self._pool.shutdown()

    def write(
        self,
        index: str,
        operations: Iterable[Operation],
        refused: Callable[[Sequence[Refused]], None] = lambda _: None,
    ) -> Tally:
        """Write all operations and wait for their answers; no more than a few chunks are in memory.

        ``refused`` hears of documents that will never be taken, from any thread, one call at a time.

        Raises
        ------
        WriteFailed
            When nothing went forward for too long, or the cluster refuses us.
        """
        lock, total, running = threading.Lock(), Tally(), set[Future[Tally]]()

        def tell(some: Sequence[Refused]) -> None:
            with lock:
                refused(some)

        work = _Work(index, tell)
        try:
            for chunk in chunks(operations, self._pace.chunk_bytes):
                if len(running) > self._pace.threads:
                    running = _collect(running, total, FIRST_COMPLETED)
                running.add(self._pool.submit(self._send, work, chunk))
            while running:
                running = _collect(running, total, FIRST_COMPLETED)
        finally:
            work.stop.set()
            wait(running)
        return total

    def _send(self, work: _Work, chunk: Sequence[Operation]) -> Tally:
        """Send one chunk until each of its operations has its answer."""
        total, pending = Tally(), list(chunk)
        seconds, since = _FIRST_PAUSE, self._clock()
        while pending and not work.stop.is_set():
            outcome = self._try(work, pending)
            total += outcome.tally
            if len(outcome.again) < len(pending):
                seconds, since = _FIRST_PAUSE, self._clock()
            pending = outcome.again
            if not pending:
                break
            if self._clock() - since > self._pace.patience:
                raise WriteFailed(f"{len(pending)} documents could not be written: {outcome.reason}")
            LOG.info("%d documents are sent again in %.1f s: %s", len(pending), seconds, outcome.reason)
            self._pause(work.stop, seconds * random.uniform(0.8, 1.2))  # noqa: S311 - spreads requests, no secret
            seconds = min(2 * seconds, _LAST_PAUSE)
        return total

    def _try(self, work: _Work, operations: Sequence[Operation]) -> _Outcome:
        self._guard()
        body: Any = b"".join(lines for _, lines in operations)
        try:
            answer = self._client.bulk(
                index=work.index,
                operations=body,
                timeout=_SHARD_WAIT,
                filter_path=["errors", "items.*.status", "items.*.error"],
            )
        except (ApiError, TransportError) as error:
            return self._whole(work, operations, error)
        if not answer["errors"]:
            return _Outcome(Tally(done=len(operations)))
        outcome, refused = _sorted_out(operations, answer["items"])
        if refused:
            work.refused(refused)
        return outcome

    def _whole(self, work: _Work, operations: Sequence[Operation], error: Exception) -> _Outcome:
        """Decide about a request that failed as a whole."""
        if is_passing(error):
            return _Outcome(again=list(operations), reason=in_words(error))
        status = error.meta.status if isinstance(error, ApiError) else None
        if status not in (_BAD, _TOO_LARGE):
            raise WriteFailed(in_words(error)) from error
        if len(operations) == 1:
            work.refused([Refused(operations[0][0], in_words(error))])
            return _Outcome(Tally(refused=1))
        # One of them is to blame, or it is their size.
        half, outcome = len(operations) // 2, _Outcome()
        for part in (operations[:half], operations[half:]):
            found = self._try(work, part)
            outcome.tally += found.tally
            outcome.again += found.again
            outcome.reason = found.reason or outcome.reason
        return outcome


def chunks(operations: Iterable[Operation], size: int) -> Iterator[list[Operation]]:
    """Group operations so that each group has about ``size`` bytes at most, and one operation at least."""
    chunk: list[Operation] = []
    held = 0
    for operation in operations:
        if chunk and held + len(operation[1]) > size:
            yield chunk
            chunk, held = [], 0
        chunk.append(operation)
        held += len(operation[1])
    if chunk:
        yield chunk


def _collect(running: set[Future[Tally]], total: Tally, when: str) -> set[Future[Tally]]:
    done, rest = wait(running, return_when=when)
    for future in done:
        total += future.result()
    return rest


def _sorted_out(
    operations: Sequence[Operation], items: Sequence[dict[str, Any]]
) -> tuple[_Outcome, list[Refused]]:
    """Tell what was done from what is to be sent again and what is refused for good.

    Raises
    ------
    WriteFailed
        When the index is gone or we may not write it.
    """
    outcome, refused = _Outcome(), list[Refused]()
    for operation, item in zip(operations, items, strict=True):
        [(action, answer)] = item.items()
        status, error = answer["status"], answer.get("error")
        if error is None or _was_done_before(action, status, error):
            done = error is None and status != _GONE
            outcome.tally += Tally(done=int(done), known=int(not done))
        elif status in PASSING or status == _CONFLICT:
            outcome.again.append(operation)
            outcome.reason = reason_of(error)
        elif status in (_BAD, _TOO_LARGE):
            refused.append(Refused(operation[0], reason_of(error)))
            outcome.tally.refused += 1
        else:
            raise WriteFailed(f"Elasticsearch answered {status}: {reason_of(error)}")
    return outcome, refused


def _was_done_before(action: str, status: int, error: dict[str, Any]) -> bool:
    if action == "create":
        return status == _CONFLICT
    return status == _GONE and error.get("type") == "document_missing_exception"
