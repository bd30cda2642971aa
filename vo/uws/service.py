"""What owners do with jobs (UWS 1.1, section 2.2), before HTTP."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from store.jobs import Job, Phase
from vo.dali import NotFoundFault, Parameters, UsageFault
from vo.jobs import Jobs
from vo.reply import Reply
from vo.uws.documents import (
    job_document,
    jobs_document,
    moment_text,
    parameters_document,
    results_document,
)
from vo.votable.document import Info, error_document

_XML = "text/xml"
_TEXT = "text/plain"

OF_JOBS = frozenset({"PHASE", "ACTION", "WAIT", "EXECUTIONDURATION", "DESTRUCTION"})
"""Parameters that are for the job and not for what it does."""

_DURATION = re.compile(r"\d{1,9}(\.\d*)?\Z")


@dataclass(frozen=True, slots=True)
class Wait:
    """How long a request is to be held while a job stays in its phase; seconds."""

    seconds: float
    phase: Phase


class JobService:
    """The jobs of one service, whose list is at a URL."""

    def __init__(self, jobs: Jobs, service: str, url: str) -> None:
        self._jobs = jobs
        self._service = service
        self._url = url

    def create(self, params: Parameters, client: str) -> Reply:
        """Make a job of a request, and run it if PHASE says so.

        What is wrong with its parameters is found when it runs (TAP 1.1, section 2.4).
        """
        phase = params.one("PHASE")
        if phase not in (None, "RUN"):
            raise UsageFault(f"PHASE of a new job can be RUN, not {phase[:40]!r}")
        changes = self._changes(params)
        job = self._jobs.create(self._service, params, client)
        self._apply(job, changes)
        if phase == "RUN":
            self._jobs.run(job.id)
        return self._to(job)

    def all(self, params: Parameters) -> Reply:
        """Return the list of the caller's jobs; a caller without a name has none.

        The id of a job is the only key to it, so that nobody is shown the ids of others.
        """
        for name in params.many("PHASE"):
            _phase(name)
        if params.one("LAST") is not None and not (params.one("LAST") or "").isdigit():
            raise UsageFault("LAST must be a number of jobs")
        after = params.one("AFTER")
        if after is not None:
            _moment("AFTER", after)
        return Reply(jobs_document([], self._url), _XML)

    def get(self, job_id: str) -> Job:
        """Return a job.

        Raises
        ------
        NotFoundFault
            When there is none, or no more.
        """
        job = self._jobs.get(self._service, job_id)
        if job is None:
            raise NotFoundFault(
                f"there is no job {job_id[:60]}: it was deleted, or its time of destruction has come"
            )
        return job

    def waits(self, job: Job, params: Parameters) -> Wait | None:
        """Say how long a request for a job is to be held (UWS 1.1, section 2.2.1.1); None for not at all."""
        wanted = params.one("WAIT")
        if wanted is None:
            return None
        if not re.fullmatch(r"-1|\d{1,9}", wanted.strip()):
            raise UsageFault(f"WAIT must be a number of seconds, or -1, not {wanted[:40]!r}")
        given = params.one("PHASE")
        if not job.phase.is_active or (given is not None and _phase(given) is not job.phase):
            return None
        longest = self._jobs.limits.wait_seconds
        seconds = float(wanted)
        return Wait(longest if seconds < 0 else min(seconds, longest), job.phase)

    def show(self, job: Job) -> Reply:
        """Return the document of a job."""
        return Reply(job_document(job, self._at(job)), _XML)

    def change(self, job_id: str, params: Parameters) -> Reply:
        """Do what is posted to a job: delete it, set its times or parameters, run or abort it."""
        job = self.get(job_id)
        action = params.one("ACTION")
        if action is not None:
            if action.upper() != "DELETE":
                raise UsageFault(f"ACTION can be DELETE, not {action[:40]!r}")
            return self.delete(job_id)
        phase = params.one("PHASE")
        self._apply(job, self._changes(params))
        further = [(name, value) for name, value in params.pairs if name.upper() not in OF_JOBS]
        if further and not self._jobs.add_parameters(job.id, Parameters(further)):
            raise UsageFault(f"parameters can be set while a job is PENDING; it is {self.get(job_id).phase}")
        if phase is not None:
            self._set_phase(job, phase)
        return self._to(job)

    def delete(self, job_id: str) -> Reply:
        """End a job and forget it."""
        self._jobs.remove(self.get(job_id).id)
        return Reply(b"", _TEXT, 303, {"Location": self._url})

    def part(self, job: Job, name: str) -> Reply:
        """Return one of a job's resources.

        Raises
        ------
        NotFoundFault
            When there is none of that name, or not yet.
        """
        texts = {
            "phase": job.phase,
            "executionduration": str(round(job.execution_duration)),
            "destruction": moment_text(job.destruction),
            "quote": "",
            "owner": job.owner or "",
        }
        if name in texts:
            return Reply(texts[name].encode(), _TEXT)
        if name in ("parameters", "results"):
            write = parameters_document if name == "parameters" else results_document
            return Reply(write(job, self._at(job)), _XML)
        if name == "error":
            return _error(job)
        raise NotFoundFault(f"a job has no {name[:40]!r}")

    def result(self, job_id: str) -> tuple[str, str, str]:
        """Return a job's result: the path of the file, its media type, and a name for it.

        Raises
        ------
        NotFoundFault
            When there is none, or not yet.
        """
        job = self.get(job_id)
        if job.phase is not Phase.COMPLETED or job.result is None:
            raise NotFoundFault(f"the job is {job.phase}; it has no result")
        return self._jobs.path(job_id, job.result.file), job.result.media_type, job.result.file_name

    def given(self, job_id: str, copy: str) -> tuple[str, str, str]:
        """Return a file that came with a job, as ``result`` does."""
        files = [value for _, value in self.get(job_id).parameters if not isinstance(value, str)]
        for file in files:
            if file.copy == copy:
                return self._jobs.path(job_id, copy), file.media_type or "application/octet-stream", copy
        raise NotFoundFault(f"no file {copy[:40]!r} came with the job")

    def _set_phase(self, job: Job, phase: str) -> None:
        if phase == "RUN":
            # A job that was told so before runs already; a second word changes nothing.
            if not self._jobs.run(job.id) and self.get(job.id).phase is Phase.ABORTED:
                raise UsageFault("the job was aborted; make a new one")
        elif phase == "ABORT":
            self._jobs.abort(job.id)
        else:
            raise UsageFault(f"PHASE can be RUN or ABORT, not {phase[:40]!r}")

    def _changes(self, params: Parameters) -> tuple[float | None, datetime | None]:
        limits, now = self._jobs.limits, self._jobs.now()
        duration, destruction = params.one("EXECUTIONDURATION"), params.one("DESTRUCTION")
        seconds = None
        if duration is not None:
            if not _DURATION.match(duration.strip()):
                raise UsageFault(f"EXECUTIONDURATION must be a number of seconds, not {duration[:40]!r}")
            # 0 stands for no limit, and there is always one.
            seconds = min(float(duration) or limits.hard_seconds, limits.hard_seconds)
        moment = None
        if destruction is not None:
            latest = now + timedelta(seconds=limits.hard_keep)
            moment = min(max(_moment("DESTRUCTION", destruction), now), latest)
        return seconds, moment

    def _apply(self, job: Job, changes: tuple[float | None, datetime | None]) -> None:
        seconds, moment = changes
        if seconds is not None and not self._jobs.set_execution_duration(job.id, seconds):
            raise UsageFault("the execution duration can be set until a job is executing")
        if moment is not None:
            self._jobs.set_destruction(job.id, moment)

    def _at(self, job: Job) -> str:
        return f"{self._url}/{job.id}"

    def _to(self, job: Job) -> Reply:
        return Reply(b"", _TEXT, 303, {"Location": self._at(job)})


def _error(job: Job) -> Reply:
    if job.phase is not Phase.ERROR or job.failure is None:
        raise NotFoundFault(f"the job is {job.phase}; it has no error")
    return Reply(error_document(job.failure.message, [Info("job", job.id)]))


def _phase(name: str) -> Phase | None:
    """Read a phase; None for one of UWS that jobs here are never in."""
    others = ("HELD", "SUSPENDED", "UNKNOWN", "ARCHIVED")
    if name in others:
        return None
    try:
        return Phase(name)
    except ValueError:
        raise UsageFault(f"{name[:40]!r} is no phase; there are {', '.join((*Phase, *others))}") from None


def _moment(name: str, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageFault(f"{name} must be a time such as 2026-01-31T12:00:00Z, not {text[:40]!r}") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
