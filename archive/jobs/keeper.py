"""Keeps jobs in the database and their files in a folder, behind the port of ``vo.uws``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from archive.jobs.files import JobFiles
from store.database import JobStore, new_job_id
from store.jobs import Job, Phase
from vo.dali import Parameters, TransientFault, UsageFault
from vo.jobs import JobLimits
from vo.uws.service import OF_JOBS

_LONGEST_RUNID = 64


class JobKeeper:
    """Jobs of all services; of them ``most`` wait and run at once, and of one client ``most_own``."""

    def __init__(
        self,
        store: JobStore,
        files: JobFiles,
        limits: JobLimits,
        *,
        most: int,
        most_own: int,
        secret: bytes,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._files = files
        self._limits = limits
        self._most = most
        self._most_own = most_own
        self._secret = secret
        self._clock = clock

    @property
    def limits(self) -> JobLimits:
        """What jobs are granted."""
        return self._limits

    def now(self) -> datetime:
        """Return the present, UTC, to the microsecond that databases keep."""
        return self._clock()

    def create(self, service: str, params: Parameters, client: str) -> Job:
        """Keep a new job with copies of its files; see ``vo.jobs``."""
        # Addresses are not kept; what is kept tells only whether two are the same.
        client = blake2b(client.encode(), key=self._secret, digest_size=16).hexdigest()
        load = self._store.load(client)
        if load.own >= self._most_own:
            raise TransientFault(f"you have {load.own} jobs that are not finished; more once one of them is")
        if load.all >= self._most:
            raise TransientFault(f"{load.all} jobs are not finished, more than this service queues")
        run_id = params.one("RUNID")
        if run_id is not None and len(run_id) > _LONGEST_RUNID:
            raise UsageFault(f"RUNID has {len(run_id)} characters; at most {_LONGEST_RUNID} are allowed")
        job_id, now = new_job_id(), self.now()
        own = Parameters((name, value) for name, value in params.pairs if name.upper() not in OF_JOBS)
        job = Job(
            id=job_id,
            service=service,
            owner=None,
            client=client,
            run_id=run_id,
            phase=Phase.PENDING,
            created=now,
            queued=None,
            started=None,
            ended=None,
            destruction=now + timedelta(seconds=self._limits.default_keep),
            execution_duration=self._limits.default_seconds,
            parameters=self._files.keep(job_id, own),
        )
        self._store.add(job)
        return job

    def get(self, service: str, job_id: str) -> Job | None:
        """Return a job of a service; None when there is none of that id, or no more."""
        job = self._store.get(job_id)
        return job if job is not None and job.service == service and job.destruction > self.now() else None

    def run(self, job_id: str) -> bool:
        """Let a pending job be run."""
        return self._store.enqueue(job_id, self.now())

    def abort(self, job_id: str) -> bool:
        """End a job that is not finished."""
        return self._store.abort(job_id, self.now())

    def remove(self, job_id: str) -> None:
        """End a job, and forget it and its files."""
        self._store.abort(job_id, self.now())
        self._store.remove(job_id)
        self._files.remove(job_id)

    def add_parameters(self, job_id: str, params: Parameters) -> bool:
        """Set parameters of a pending job, instead of those of the same name."""
        job = self._store.get(job_id)
        if job is None:
            return False
        named = {name.upper() for name, _ in params.pairs}
        rest = tuple(pair for pair in job.parameters if pair[0].upper() not in named)
        return self._store.set_parameters(job_id, (*rest, *self._files.keep(job_id, params)))

    def set_destruction(self, job_id: str, moment: datetime) -> bool:
        """Say when a job is to be removed."""
        return self._store.set_destruction(job_id, moment)

    def set_execution_duration(self, job_id: str, seconds: float) -> bool:
        """Say how long a job may run."""
        return self._store.set_execution_duration(job_id, seconds)

    def path(self, job_id: str, name: str) -> str:
        """Return where a file of a job is."""
        return str(self._files.path(job_id, name))
