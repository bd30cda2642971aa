"""A query process as the worker sees it."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress

from archive.jobs.outcome import MEGABYTES, READY, from_line
from store.jobs import Failure, Result


class QueryProcess:
    """A process that is given one job, once it is ready; it is never waited for."""

    def __init__(self, megabytes: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "archive.runner"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, MEGABYTES: str(megabytes)},
            start_new_session=True,
        )
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        os.set_blocking(self._process.stdout.fileno(), False)
        self._said = b""

    @property
    def is_ready(self) -> bool:
        """Whether it can be given a job."""
        self._listen()
        return self._said.startswith(READY) and self.is_running

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def outcome(self) -> Result | Failure | None:
        """What it said of its job; None when it said nothing."""
        self._listen()
        return from_line(self._said.removeprefix(READY))

    @property
    def ended_by(self) -> int | None:
        """The number of the signal that ended it; None when none did."""
        code = self._process.poll()
        return -code if code is not None and code < 0 else None

    def begin(self, job_id: str) -> None:
        """Give it its job."""
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        self._process.stdin.write(f"{job_id}\n".encode())
        self._process.stdin.flush()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        while not self._process.stdout.closed and (said := self._process.stdout.read()):
            self._said += said
