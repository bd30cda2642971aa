"""Jobs in the database, which is also their queue: workers claim what waits, by compare and set."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, BigInteger, Engine, Text, delete, func, select, update
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from store.database.base import Base, UtcDateTime
from store.jobs import Failure, Job, Phase, Result, StoredFile

_WAITING = (Phase.PENDING, Phase.QUEUED)
_UNFINISHED = (Phase.PENDING, Phase.QUEUED, Phase.EXECUTING)


class JobRow(Base):
    """A job in the database."""

    __tablename__ = "job"

    id: Mapped[str] = mapped_column(primary_key=True)
    service: Mapped[str]
    owner: Mapped[str | None] = mapped_column(index=True)
    client: Mapped[str] = mapped_column(index=True)
    run_id: Mapped[str | None]
    phase: Mapped[str] = mapped_column(index=True)
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    queued: Mapped[datetime | None] = mapped_column(UtcDateTime)
    started: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended: Mapped[datetime | None] = mapped_column(UtcDateTime)
    destruction: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    execution_duration: Mapped[float]
    parameters: Mapped[list[Any]] = mapped_column(JSON)
    attempts: Mapped[int]
    worker: Mapped[str | None]
    heartbeat: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failure: Mapped[str | None] = mapped_column(Text)
    failure_transient: Mapped[bool | None]
    result_file: Mapped[str | None]
    result_type: Mapped[str | None]
    result_name: Mapped[str | None]
    result_size: Mapped[int | None] = mapped_column(BigInteger)


@dataclass(frozen=True, slots=True)
class Load:
    """How many jobs are not finished: all, and those of one client."""

    all: int
    own: int


class JobStore:
    """Keeps jobs. Every change says from which phases it starts, so that of two at once one wins."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, job: Job) -> None:
        """Keep a new job."""
        with Session(self._engine) as session, session.begin():
            session.add(_row(job))

    def get(self, job_id: str) -> Job | None:
        """Return a job; None when there is none of that id."""
        with Session(self._engine) as session:
            row = session.get(JobRow, job_id)
            return None if row is None else _job(row)

    def of(
        self,
        service: str,
        owner: str,
        *,
        phases: Collection[Phase] = (),
        after: datetime | None = None,
        last: int | None = None,
    ) -> list[Job]:
        """Return an owner's jobs of a service by their time of creation; the newest ``last`` at most."""
        query = select(JobRow).where(JobRow.service == service, JobRow.owner == owner)
        if phases:
            query = query.where(JobRow.phase.in_(list(phases)))
        if after is not None:
            query = query.where(JobRow.created > after)
        query = query.order_by(JobRow.created.desc(), JobRow.id.desc()).limit(last)
        with Session(self._engine) as session:
            return [_job(row) for row in reversed(session.scalars(query).all())]

    def load(self, client: str) -> Load:
        """Count the jobs that are not finished."""
        query = select(func.count()).select_from(JobRow).where(JobRow.phase.in_(_UNFINISHED))
        with Session(self._engine) as session:
            everything = session.scalar(query) or 0
            return Load(everything, session.scalar(query.where(JobRow.client == client)) or 0)

    def enqueue(self, job_id: str, now: datetime) -> bool:
        """Let a pending job wait for a worker; whether it was pending."""
        return self._change(job_id, (Phase.PENDING,), phase=Phase.QUEUED, queued=now)

    def abort(self, job_id: str, now: datetime) -> bool:
        """End a job that is not finished; whether it was not."""
        return self._change(job_id, _UNFINISHED, phase=Phase.ABORTED, ended=now, worker=None)

    def set_parameters(self, job_id: str, parameters: Sequence[tuple[str, str | StoredFile]]) -> bool:
        """Replace the parameters of a job that has not been asked to run; whether it was so."""
        return self._change(job_id, (Phase.PENDING,), parameters=_as_json(parameters))

    def set_destruction(self, job_id: str, moment: datetime) -> bool:
        """Say when a job is to be removed; whether there is such a job."""
        return self._change(job_id, tuple(Phase), destruction=moment)

    def set_execution_duration(self, job_id: str, seconds: float) -> bool:
        """Say how long a job may run; whether it was not running yet."""
        return self._change(job_id, _WAITING, execution_duration=seconds)

    def remove(self, job_id: str) -> bool:
        """Forget a job; whether there was one."""
        with Session(self._engine) as session, session.begin():
            return _count(session.execute(delete(JobRow).where(JobRow.id == job_id))) > 0

    def claim(self, worker: str, now: datetime) -> Job | None:
        """Begin the job that is due: of clients with the fewest running jobs, the one that waits longest."""
        with Session(self._engine) as session:
            while True:
                chosen = session.scalar(_next_in_line())
                if chosen is None:
                    return None
                session.rollback()
                taken = self._change(
                    chosen,
                    (Phase.QUEUED,),
                    phase=Phase.EXECUTING,
                    started=now,
                    heartbeat=now,
                    worker=worker,
                    attempts=JobRow.attempts + 1,
                )
                if taken:
                    return self.get(chosen)

    def beat(self, worker: str, now: datetime) -> set[str]:
        """Say that a worker lives; return the jobs that are still its own."""
        own = (JobRow.worker == worker, JobRow.phase == Phase.EXECUTING)
        with Session(self._engine) as session, session.begin():
            session.execute(update(JobRow).where(*own).values(heartbeat=now))
            return set(session.scalars(select(JobRow.id).where(*own)))

    def complete(self, job_id: str, worker: str, now: datetime, result: Result) -> bool:
        """Say what a job has produced; whether it was still the worker's."""
        return self._finish(
            job_id,
            worker,
            phase=Phase.COMPLETED,
            ended=now,
            result_file=result.file,
            result_type=result.media_type,
            result_name=result.file_name,
            result_size=result.size,
        )

    def fail(self, job_id: str, worker: str, now: datetime, failure: Failure) -> bool:
        """Say why a job has failed; whether it was still the worker's."""
        return self._finish(
            job_id,
            worker,
            phase=Phase.ERROR,
            ended=now,
            failure=failure.message,
            failure_transient=failure.transient,
        )

    def recover(self, now: datetime, silence: timedelta, most_attempts: int) -> int:
        """Take jobs from workers that are silent: back into the queue, or failed after too many attempts.

        Returns the number of jobs.
        """
        lost = (JobRow.phase == Phase.EXECUTING, JobRow.heartbeat < now - silence)
        again = {"phase": Phase.QUEUED, "worker": None, "started": None}
        text = "The server that ran the job stopped, more than once; run it again"
        failed = {
            "phase": Phase.ERROR,
            "worker": None,
            "ended": now,
            "failure": text,
            "failure_transient": True,
        }
        with Session(self._engine) as session, session.begin():
            back = session.execute(update(JobRow).where(*lost, JobRow.attempts < most_attempts).values(again))
            gone = session.execute(update(JobRow).where(*lost).values(failed))
            return _count(back) + _count(gone)

    def expired(self, now: datetime) -> list[str]:
        """Return the jobs whose time of destruction has come."""
        with Session(self._engine) as session:
            return list(session.scalars(select(JobRow.id).where(JobRow.destruction <= now)))

    def _finish(self, job_id: str, worker: str, **values: Any) -> bool:
        return self._change(job_id, (Phase.EXECUTING,), JobRow.worker == worker, **values)

    def _change(self, job_id: str, phases: Collection[Phase], *conditions: Any, **values: Any) -> bool:
        change = update(JobRow).where(JobRow.id == job_id, JobRow.phase.in_(list(phases)), *conditions)
        with Session(self._engine) as session, session.begin():
            return _count(session.execute(change.values(values))) > 0


def new_job_id() -> str:
    """Return an id that nobody guesses: 128 bits."""
    return secrets.token_urlsafe(16)


def _next_in_line() -> Any:
    running = aliased(JobRow)
    others = (
        select(func.count())
        .select_from(running)
        .where(running.client == JobRow.client, running.phase == Phase.EXECUTING)
        .correlate(JobRow)
        .scalar_subquery()
    )
    waiting = select(JobRow.id).where(JobRow.phase == Phase.QUEUED)
    return waiting.order_by(others, JobRow.queued, JobRow.id).limit(1)


def _count(outcome: Any) -> int:
    return int(outcome.rowcount)


def _as_json(parameters: Sequence[tuple[str, str | StoredFile]]) -> list[Any]:
    return [
        [name, value] if isinstance(value, str) else [name, [value.copy, value.name, value.media_type]]
        for name, value in parameters
    ]


def _row(job: Job) -> JobRow:
    result, failure = job.result, job.failure
    return JobRow(
        id=job.id,
        service=job.service,
        owner=job.owner,
        client=job.client,
        run_id=job.run_id,
        phase=job.phase,
        created=job.created,
        queued=job.queued,
        started=job.started,
        ended=job.ended,
        destruction=job.destruction,
        execution_duration=job.execution_duration,
        parameters=_as_json(job.parameters),
        attempts=job.attempts,
        failure=None if failure is None else failure.message,
        failure_transient=None if failure is None else failure.transient,
        result_file=None if result is None else result.file,
        result_type=None if result is None else result.media_type,
        result_name=None if result is None else result.file_name,
        result_size=None if result is None else result.size,
    )


def _job(row: JobRow) -> Job:
    result = None
    if row.result_file is not None:
        result = Result(
            row.result_file, row.result_type or "", row.result_name or row.result_file, row.result_size or 0
        )
    return Job(
        id=row.id,
        service=row.service,
        owner=row.owner,
        client=row.client,
        run_id=row.run_id,
        phase=Phase(row.phase),
        created=row.created,
        queued=row.queued,
        started=row.started,
        ended=row.ended,
        destruction=row.destruction,
        execution_duration=row.execution_duration,
        parameters=tuple(
            (name, value if isinstance(value, str) else StoredFile(*value)) for name, value in row.parameters
        ),
        attempts=row.attempts,
        failure=None if row.failure is None else Failure(row.failure, bool(row.failure_transient)),
        result=result,
    )
