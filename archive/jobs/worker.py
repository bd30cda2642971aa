"""Runs jobs that wait, each in a process of its own, and removes those whose time has come."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event

from archive.jobs.files import JobFiles
from archive.jobs.query_process import QueryProcess
from archive.logs import get_logger
from store.database import JobStore
from store.jobs import Failure, Job, Result

_LOOK = 0.1
"""Seconds between two looks at what is to be done."""

_SILENCE = timedelta(seconds=30)
"""After which a worker that says nothing is taken to have ended."""

_TIDY = 5.0
"""Seconds between two looks at what others left."""

_GRACE = 5.0
"""Seconds that a job may take beyond its time to say so itself."""

_MOST_ATTEMPTS = 2

_BROKEN = Failure(
    "DefaultFault: the process that ran the job ended unexpectedly; it may have needed too much memory: "
    "ask for less, or for parts one by one"
)


@dataclass(slots=True)
class _Running:
    job: Job
    process: QueryProcess
    end: float


class Worker:
    """Runs up to ``slots`` jobs at once; several workers share a database."""

    def __init__(
        self,
        store: JobStore,
        files: JobFiles,
        *,
        slots: int,
        megabytes: int,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._files = files
        self._slots = slots
        self._megabytes = megabytes
        self._clock = clock
        self._name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._running: list[_Running] = []
        self._spare: QueryProcess | None = None
        self._tidied = 0.0

    def run_forever(self, stop: Event) -> None:
        """Run what waits until told to stop; what runs then goes back into the queue."""
        try:
            while not stop.wait(_LOOK):
                self.step()
        finally:
            self.close()

    def step(self) -> None:
        """Do what is due."""
        own = self._store.beat(self._name, self._clock()) if self._running else set()
        for running in list(self._running):
            if running.job.id not in own:
                # It was aborted or removed.
                self._drop(running)
            elif not running.process.is_running:
                self._finish(running, running.process.outcome or _BROKEN)
            elif time.monotonic() > running.end:
                text = f"UsageFault: the job ran longer than its {running.job.execution_duration:g} s"
                self._finish(running, Failure(text))
        self._begin()
        if time.monotonic() - self._tidied > _TIDY:
            self._tidied = time.monotonic()
            self._tidy()

    def close(self) -> None:
        """End the processes; their jobs are begun again when the silence is noticed."""
        for running in list(self._running):
            self._drop(running)
        if self._spare is not None:
            self._spare.kill()
            self._spare = None

    def _begin(self) -> None:
        while len(self._running) < self._slots:
            if self._spare is not None and not self._spare.is_running:
                self._spare.kill()
                self._spare = None
            self._spare = self._spare or QueryProcess(self._megabytes)
            if not self._spare.is_ready:
                return
            job = self._store.claim(self._name, self._clock())
            if job is None:
                return
            process, self._spare = self._spare, None
            process.begin(job.id)
            end = time.monotonic() + job.execution_duration + _GRACE
            self._running.append(_Running(job, process, end))

    def _finish(self, running: _Running, outcome: Result | Failure) -> None:
        self._drop(running)
        job_id, now = running.job.id, self._clock()
        if isinstance(outcome, Result):
            self._store.complete(job_id, self._name, now, outcome)
        else:
            self._store.fail(job_id, self._name, now, outcome)
            get_logger().info("job failed", job=job_id, reason=outcome.message)

    def _drop(self, running: _Running) -> None:
        running.process.kill()
        self._running.remove(running)

    def _tidy(self) -> None:
        now = self._clock()
        recovered = self._store.recover(now, _SILENCE, _MOST_ATTEMPTS)
        if recovered:
            get_logger().warning("jobs of a worker that is gone", jobs=recovered)
        for job_id in self._store.expired(now):
            self._store.abort(job_id, now)
            self._store.remove(job_id)
            self._files.remove(job_id)
