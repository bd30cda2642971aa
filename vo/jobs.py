"""What a service with jobs needs from the archive."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from store.jobs import Job
from vo.dali import Parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLimits:
    """What jobs are granted: seconds of work and of keeping, without and with a wish, and of waiting.

    ``wait_seconds`` is the longest that a request with WAIT is held.
    """

    default_seconds: float
    hard_seconds: float
    default_keep: float
    hard_keep: float
    wait_seconds: float


class Jobs(Protocol):
    """Keeps jobs and lets them be run, elsewhere."""

    @property
    def limits(self) -> JobLimits:
        """What jobs are granted."""
        ...

    def now(self) -> datetime:
        """Return the present, UTC."""
        ...

    def create(self, service: str, params: Parameters, client: str) -> Job:
        """Keep a new job of a service, with copies of the files among its parameters.

        Raises
        ------
        TransientFault
            When the client, or all of them, have too many jobs that are not finished.
        """
        ...

    def get(self, service: str, job_id: str) -> Job | None:
        """Return a job of a service; None when there is none of that id."""
        ...

    def run(self, job_id: str) -> bool:
        """Let a pending job be run; whether it was pending."""
        ...

    def abort(self, job_id: str) -> bool:
        """End a job that is not finished; whether it was not."""
        ...

    def remove(self, job_id: str) -> None:
        """End a job, and forget it and its files."""
        ...

    def add_parameters(self, job_id: str, params: Parameters) -> bool:
        """Set parameters of a pending job, instead of those of the same name; whether it was pending."""
        ...

    def set_destruction(self, job_id: str, moment: datetime) -> bool:
        """Say when a job is to be removed."""
        ...

    def set_execution_duration(self, job_id: str, seconds: float) -> bool:
        """Say how long a job may run; whether it was not running yet."""
        ...

    def path(self, job_id: str, name: str) -> str:
        """Return where a file of a job is."""
        ...
