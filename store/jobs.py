"""Jobs of UWS 1.1: their phases, and what is known of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Phase(StrEnum):
    """Where a job stands (UWS 1.1, section 2.1.3); the phases that this archive uses."""

    PENDING = "PENDING"
    QUEUED = "QUEUED"
    EXECUTING = "EXECUTING"
    COMPLETED = "COMPLETED"
    ERROR = "ERROR"
    ABORTED = "ABORTED"

    @property
    def is_active(self) -> bool:
        """Whether the job will still change by itself or by its owner."""
        return self in (Phase.PENDING, Phase.QUEUED, Phase.EXECUTING)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that came with a job's parameters: the name of its copy among the job's files."""

    copy: str
    name: str
    media_type: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job failed; ``transient`` says that it may succeed when tried again."""

    message: str
    transient: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What a job produced: a file among the job's files; size in bytes."""

    file: str
    media_type: str
    file_name: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as it stands; durations in seconds.

    ``client`` tells those apart who have no name, for fairness only. ``parameters`` are in the order in which
    they came. ``attempts`` counts how often it was begun.
    """

    id: str
    service: str
    owner: str | None
    client: str
    run_id: str | None
    phase: Phase
    created: datetime
    queued: datetime | None
    started: datetime | None
    ended: datetime | None
    destruction: datetime
    execution_duration: float
    parameters: tuple[tuple[str, str | StoredFile], ...]
    attempts: int = 0
    failure: Failure | None = None
    result: Result | None = None
