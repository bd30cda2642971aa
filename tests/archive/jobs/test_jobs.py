"""Asynchronous TAP with real query processes: what owners see of their jobs."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from lxml import etree

from archive.jobs.files import JobFiles
from archive.jobs.worker import Worker
from store.database import JobStore
from tests.archive.conftest import SmallArchive, add_rows, build_archive, observation

pytestmark = pytest.mark.slow

BOUND = 60.0
"""Seconds after which something that has to happen is taken not to."""

LONG = """SELECT COUNT(*) FROM ivoa.ObsCore a, ivoa.ObsCore b, ivoa.ObsCore c
    WHERE SIN(a.s_ra) * b.s_ra < COS(c.s_dec)"""
GREEDY = """SELECT COUNT(DISTINCT a.dp_id || b.dp_id || a.dp_id || b.dp_id || a.dp_id || b.dp_id || a.dp_id)
    FROM ivoa.ObsCore a, ivoa.ObsCore b"""
ALL = "SELECT dp_id, s_ra FROM ivoa.ObsCore ORDER BY dp_id"


@dataclass
class Jobs:
    """An archive, its jobs, and a worker that runs them while the test lasts."""

    archive: SmallArchive
    store: JobStore
    worker: Worker

    def make(self, query: str = ALL, **parameters: Any) -> str:
        reply = self.archive.client.post("/tap/async", data={"LANG": "ADQL", "QUERY": query, **parameters})
        assert reply.status_code == 303, reply.text
        return reply.headers["location"].removeprefix("http://127.0.0.1:8000")

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.archive.client.get(path, **options)

    def post(self, path: str, **data: Any) -> httpx.Response:
        return self.archive.client.post(path, data=data)

    def phase(self, job: str) -> str:
        return self.get(f"{job}/phase").text

    def until(self, job: str, *phases: str) -> str:
        wait(lambda: self.phase(job) in phases, f"{phases}, it is {self.phase(job)}: {self.get(job).text}")
        return self.phase(job)


def wait(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + BOUND
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.05)


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    folder = tmp_path_factory.mktemp("jobs") / "data"
    archive = build_archive(folder, 0)
    add_rows(archive.lake, "ivoa.ObsCore", [observation(at) for at in range(3_000)])
    archive.refresh()
    store = JobStore(archive.database)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ONEDFS_DATA", str(folder))
        worker = Worker(store, JobFiles(archive.process.settings.jobs_root), slots=2, megabytes=2048)
        stop = threading.Event()
        thread = threading.Thread(target=worker.run_forever, args=(stop,))
        thread.start()
        yield Jobs(archive, store, worker)
        stop.set()
        thread.join()
    archive.close()


def children() -> set[int]:
    """Return the query processes of this process."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        if parent == os.getpid() and b"archive.runner" in command:
            found.add(int(entry.name))
    return found


def test_the_result_is_what_sync_answers(jobs: Jobs) -> None:
    job = jobs.make(RESPONSEFORMAT="csv")
    assert jobs.phase(job) == "PENDING"
    assert jobs.get(f"{job}/results/result").status_code == 404
    jobs.post(f"{job}/phase", PHASE="RUN")
    assert jobs.until(job, "COMPLETED", "ERROR") == "COMPLETED"
    asked = {"LANG": "ADQL", "QUERY": ALL, "RESPONSEFORMAT": "csv"}
    direct = jobs.archive.client.get("/tap/sync", params=asked)
    result = jobs.get(f"{job}/results/result")
    assert result.content == direct.content
    assert result.headers["content-type"].startswith("text/csv")
    part = jobs.get(f"{job}/results/result", headers={"Range": "bytes=10-29"})
    assert (part.status_code, part.content) == (206, direct.content[10:30])
    document = etree.fromstring(jobs.get(job).content)
    (listed,) = document.iter("{*}result")
    assert (listed.get("id"), listed.get("size")) == ("result", str(len(direct.content)))


def test_what_is_wrong_is_found_when_the_job_runs(jobs: Jobs) -> None:
    job = jobs.make("SELECT nope FROM ivoa.ObsCore", PHASE="RUN")
    assert jobs.until(job, "COMPLETED", "ERROR") == "ERROR"
    (message,) = etree.fromstring(jobs.get(job).content).iter("{*}message")
    assert "no column nope" in (message.text or "")
    error = jobs.get(f"{job}/error")
    assert error.status_code == 200
    assert "no column nope" in error.text
    assert jobs.get(f"{job}/results/result").status_code == 404


def test_an_abort_stops_the_query(jobs: Jobs) -> None:
    job = jobs.make(LONG, PHASE="RUN")
    jobs.until(job, "EXECUTING")
    running = children()
    jobs.post(f"{job}/phase", PHASE="ABORT")
    begun = time.monotonic()
    assert jobs.phase(job) == "ABORTED"
    wait(lambda: bool(running - children()), "the process has to end")
    # It takes a look of the worker, 0.1 s, and the end of a process; a busy machine may take longer.
    assert time.monotonic() - begun < 10
    quick = jobs.make(PHASE="RUN")
    assert jobs.until(quick, "COMPLETED", "ERROR") == "COMPLETED"


def test_a_job_that_needs_too_much_memory_fails_alone_and_says_so(jobs: Jobs) -> None:
    job = jobs.make(GREEDY, PHASE="RUN")
    beside = jobs.make(PHASE="RUN")
    assert jobs.until(job, "ERROR", "COMPLETED") == "ERROR"
    told = jobs.get(f"{job}/error").text
    assert "memory" in told or "disk" in told, told
    assert "Traceback" not in told
    assert jobs.until(beside, "COMPLETED", "ERROR") == "COMPLETED"
    assert jobs.get("/tap/sync", params={"LANG": "ADQL", "QUERY": ALL}).status_code == 200


def test_a_job_that_takes_too_long_fails_and_says_so(jobs: Jobs) -> None:
    job = jobs.make(LONG, EXECUTIONDURATION="1")
    assert jobs.get(f"{job}/executionduration").text == "1"
    jobs.post(job, PHASE="RUN")
    assert jobs.until(job, "ERROR", "COMPLETED") == "ERROR"
    assert "longer than" in jobs.get(f"{job}/error").text


def test_waiting_holds_the_answer_until_the_phase_changes(jobs: Jobs) -> None:
    job = jobs.make(PHASE="RUN")
    wait(lambda: "COMPLETED" in jobs.get(job, params={"WAIT": "30"}).text, "it has to end")
    began = time.monotonic()
    jobs.get(job, params={"WAIT": "-1"})
    assert time.monotonic() - began < 30
    assert jobs.get(job, params={"WAIT": "soon"}).status_code == 400
    pending = jobs.make()
    assert "PENDING" in jobs.get(pending, params={"WAIT": "1", "PHASE": "PENDING"}).text


def test_a_deleted_job_leaves_nothing(jobs: Jobs) -> None:
    job = jobs.make(PHASE="RUN")
    jobs.until(job, "COMPLETED")
    folder = jobs.archive.process.settings.jobs_root / job.rsplit("/", 1)[1]
    assert (folder / "result").exists()
    assert jobs.archive.client.request("DELETE", job).status_code == 303
    assert jobs.get(job).status_code == 404
    assert not folder.exists()
    again = jobs.make()
    assert jobs.post(again, ACTION="DELETE").headers["location"].endswith("/tap/async")
    assert jobs.get(again).status_code == 404


def test_jobs_are_in_no_list_and_are_removed_when_their_time_has_come(jobs: Jobs) -> None:
    job = jobs.make()
    assert (
        list(etree.fromstring(jobs.get("/tap/async", params={"LAST": "5", "PHASE": "PENDING"}).content)) == []
    )
    jobs.post(f"{job}/destruction", DESTRUCTION="2001-01-01T00:00:00Z")
    assert jobs.get(job).status_code == 404
    wait(lambda: jobs.store.get(job.rsplit("/", 1)[1]) is None, "the worker removes it")


def test_a_job_of_a_worker_that_is_gone_is_run_again(jobs: Jobs) -> None:
    job = jobs.make()
    job_id = job.rsplit("/", 1)[1]
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    jobs.store.enqueue(job_id, long_ago - timedelta(hours=1))
    # The worker of the tests may be quicker than the one that is to be gone.
    claimed = jobs.store.claim("gone", long_ago)
    assert jobs.until(job, "COMPLETED", "ERROR") == "COMPLETED"
    kept = jobs.store.get(job_id)
    assert kept is not None
    assert kept.attempts == (2 if claimed is not None else 1)


def test_parameters_can_be_set_until_a_job_runs(jobs: Jobs) -> None:
    job = jobs.make("SELECT nope FROM nowhere")
    jobs.post(f"{job}/parameters", QUERY=ALL, RESPONSEFORMAT="csv")
    jobs.post(job, PHASE="RUN")
    assert jobs.until(job, "COMPLETED", "ERROR") == "COMPLETED"
    assert jobs.post(f"{job}/parameters", QUERY="x").status_code == 400


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"PHASE": "STOP"}, "PHASE"),
        ({"EXECUTIONDURATION": "long"}, "EXECUTIONDURATION"),
        ({"DESTRUCTION": "never"}, "DESTRUCTION"),
        ({"ACTION": "KEEP"}, "ACTION"),
    ],
)
def test_wrong_words_are_refused(jobs: Jobs, data: dict[str, str], said: str) -> None:
    reply = jobs.post(jobs.make(), **data)
    assert reply.status_code == 400
    assert said in reply.text
