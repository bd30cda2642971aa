"""Jobs in the database, against a model of them; on SQLite and PostgreSQL."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import Engine, delete

from store.database import JobStore, migrate, new_job_id, open_database
from store.database.jobs import JobRow
from store.jobs import Failure, Job, Phase, Result, StoredFile

START = datetime(2026, 3, 1, tzinfo=UTC)
SILENCE = timedelta(seconds=30)
RESULT = Result("result", "text/csv", "result.csv", 12)


def job(at: int = 0, *, client: str = "here", owner: str | None = None, job_id: str = "") -> Job:
    return Job(
        id=job_id or new_job_id(),
        service="tap",
        owner=owner,
        client=client,
        run_id="run",
        phase=Phase.PENDING,
        created=START + timedelta(seconds=at),
        queued=None,
        started=None,
        ended=None,
        destruction=START + timedelta(days=1),
        execution_duration=60.0,
        parameters=(
            ("QUERY", "SELECT ☆"),
            ("UPLOAD", StoredFile("0", "t.xml", "text/xml")),
            ("query", "again"),
        ),
    )


@pytest.fixture
def store(engine: Engine) -> JobStore:
    return JobStore(engine)


def test_a_job_comes_back_as_it_was_kept(store: JobStore) -> None:
    kept = job()
    store.add(kept)
    assert store.get(kept.id) == kept
    assert store.get("none") is None


def test_an_owner_sees_own_jobs_by_phase_time_and_number(store: JobStore) -> None:
    mine = [job(at, owner="me") for at in range(4)]
    for each in [*mine, job(9, owner="you"), job(9)]:
        store.add(each)
    store.enqueue(mine[1].id, START)
    assert store.of("tap", "me") == [mine[0], store.get(mine[1].id), *mine[2:]]
    assert [found.id for found in store.of("tap", "me", last=2)] == [mine[2].id, mine[3].id]
    assert [found.id for found in store.of("tap", "me", phases=[Phase.QUEUED])] == [mine[1].id]
    assert [found.id for found in store.of("tap", "me", after=mine[1].created)] == [mine[2].id, mine[3].id]
    assert store.of("soda", "me") == []


def test_clients_take_turns(store: JobStore) -> None:
    busy = [job(client="busy") for _ in range(4)]
    late = job(client="late")
    for at, each in enumerate([*busy, late]):
        store.add(each)
        store.enqueue(each.id, START + timedelta(seconds=at))
    order = [found.id for _ in range(5) if (found := store.claim("w", START))]
    assert order == [busy[0].id, late.id, *(each.id for each in busy[1:])]
    assert store.claim("w", START) is None


def test_a_job_that_is_claimed_by_many_goes_to_one(store: JobStore) -> None:
    waiting = [job() for _ in range(12)]
    for each in waiting:
        store.add(each)
        store.enqueue(each.id, START)
    claimed: list[str] = []

    def work(name: str) -> None:
        while (found := store.claim(name, START)) is not None:
            claimed.append(found.id)

    threads = [threading.Thread(target=work, args=(f"w{at}",)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == sorted(each.id for each in waiting)


class Jobs(RuleBasedStateMachine):
    """Does what owners, workers and time do, and expects what a dictionary says."""

    store: JobStore

    @initialize()
    def begin(self) -> None:
        self.known: dict[str, Job] = {}
        self.workers: dict[str, str] = {}
        self.beats: dict[str, datetime] = {}
        self.now = START

    def _pick(self, number: int) -> str:
        return list(self.known)[number % len(self.known)] if self.known else "none"

    def _expect(self, *, happened: bool, job_id: str, phases: tuple[Phase, ...], **changes: Any) -> bool:
        found = self.known.get(job_id)
        should = found is not None and found.phase in phases
        assert happened == should
        if found is not None and should:
            self.known[job_id] = replace(found, **changes)
        return should

    @rule(client=st.sampled_from("abc"))
    def add(self, client: str) -> None:
        self.now += timedelta(seconds=1)
        new = replace(job(client=client, job_id=f"job{len(self.known)}"), created=self.now)
        if new.id not in self.known:
            self.store.add(new)
            self.known[new.id] = new

    @rule(number=st.integers(0, 9))
    def enqueue(self, number: int) -> None:
        job_id = self._pick(number)
        self.now += timedelta(seconds=1)
        happened = self.store.enqueue(job_id, self.now)
        self._expect(
            happened=happened, job_id=job_id, phases=(Phase.PENDING,), phase=Phase.QUEUED, queued=self.now
        )

    @rule(number=st.integers(0, 9))
    def abort(self, number: int) -> None:
        job_id = self._pick(number)
        happened = self.store.abort(job_id, self.now)
        phases = (Phase.PENDING, Phase.QUEUED, Phase.EXECUTING)
        if self._expect(happened=happened, job_id=job_id, phases=phases, phase=Phase.ABORTED, ended=self.now):
            self.workers.pop(job_id, None)

    @rule(worker=st.sampled_from("vw"))
    def claim(self, worker: str) -> None:
        waiting = [each for each in self.known.values() if each.phase is Phase.QUEUED]
        running = [each.client for each in self.known.values() if each.phase is Phase.EXECUTING]
        waiting.sort(key=lambda each: (running.count(each.client), each.queued, each.id))
        found = self.store.claim(worker, self.now)
        if not waiting:
            assert found is None
            return
        first = waiting[0]
        begun = replace(first, phase=Phase.EXECUTING, started=self.now, attempts=first.attempts + 1)
        self.known[first.id] = begun
        self.workers[first.id], self.beats[first.id] = worker, self.now
        assert found == begun

    @rule(number=st.integers(0, 9), worker=st.sampled_from("vw"), succeeds=st.booleans())
    def finish(self, number: int, worker: str, *, succeeds: bool) -> None:
        job_id = self._pick(number)
        failure = Failure("no memory")
        if succeeds:
            happened = self.store.complete(job_id, worker, self.now, RESULT)
        else:
            happened = self.store.fail(job_id, worker, self.now, failure)
        phases = (Phase.EXECUTING,) if self.workers.get(job_id) == worker else ()
        changes: dict[str, Any] = {"result": RESULT} if succeeds else {"failure": failure}
        changes |= {"phase": Phase.COMPLETED if succeeds else Phase.ERROR, "ended": self.now}
        self._expect(happened=happened, job_id=job_id, phases=phases, **changes)

    @rule(worker=st.sampled_from("vw"))
    def beat(self, worker: str) -> None:
        self.now += timedelta(seconds=7)
        own = {
            job_id
            for job_id, name in self.workers.items()
            if name == worker and self.known[job_id].phase is Phase.EXECUTING
        }
        assert self.store.beat(worker, self.now) == own
        self.beats |= dict.fromkeys(own, self.now)

    @rule()
    def recover(self) -> None:
        lost = [
            each
            for each in self.known.values()
            if each.phase is Phase.EXECUTING and self.beats[each.id] < self.now - SILENCE
        ]
        assert self.store.recover(self.now, SILENCE, most_attempts=2) == len(lost)
        for each in lost:
            self.workers.pop(each.id)
            if each.attempts < 2:
                self.known[each.id] = replace(each, phase=Phase.QUEUED, started=None)
            else:
                failure = self.store.get(each.id).failure  # type: ignore[union-attr]
                assert failure is not None
                assert failure.transient
                self.known[each.id] = replace(each, phase=Phase.ERROR, ended=self.now, failure=failure)

    @rule(number=st.integers(0, 9), seconds=st.integers(1, 100))
    def limit(self, number: int, seconds: int) -> None:
        job_id = self._pick(number)
        happened = self.store.set_execution_duration(job_id, seconds)
        self._expect(
            happened=happened,
            job_id=job_id,
            phases=(Phase.PENDING, Phase.QUEUED),
            execution_duration=float(seconds),
        )

    @rule(number=st.integers(0, 9))
    def destroy(self, number: int) -> None:
        job_id = self._pick(number)
        happened = self.store.set_destruction(job_id, self.now)
        self._expect(happened=happened, job_id=job_id, phases=tuple(Phase), destruction=self.now)
        assert (job_id in self.store.expired(self.now)) == (job_id in self.known)
        assert self.store.remove(job_id) == (job_id in self.known)
        self.known.pop(job_id, None)
        self.workers.pop(job_id, None)

    @invariant()
    def what_is_kept_is_what_is_known(self) -> None:
        assert {job_id: self.store.get(job_id) for job_id in self.known} == self.known
        active = [each for each in self.known.values() if each.phase.is_active]
        load = self.store.load("a")
        assert (load.all, load.own) == (len(active), sum(each.client == "a" for each in active))


def test_jobs_behave_as_the_model_says(url: str, tmp_path: Path) -> None:
    del tmp_path
    engine = open_database(url)
    migrate(engine)

    class OnThisDatabase(Jobs):
        store = JobStore(engine)

        def teardown(self) -> None:
            with engine.begin() as connection:
                connection.execute(delete(JobRow))

    few = settings(
        max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(OnThisDatabase, settings=few)  # type: ignore[no-untyped-call]
    engine.dispose()
