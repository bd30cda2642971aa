"""Jobs when the server, and all it started, is killed and started again."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

import httpx
import pytest

from tests.support.holdings import Holdings
from tests.support.processes import Archive, wait_until

pytestmark = pytest.mark.slow

LONG = """SELECT COUNT(*) FROM ivoa.ObsCore a, ivoa.ObsCore b, ivoa.ObsCore c, ivoa.ObsCore d,
    ivoa.ObsCore e, ivoa.ObsCore f, ivoa.ObsCore g, ivoa.ObsCore h,
    ivoa.ObsCore i, ivoa.ObsCore j, ivoa.ObsCore k, ivoa.ObsCore l
    WHERE SIN(a.s_ra) * b.s_ra < COS(c.s_dec) + l.s_ra + k.s_ra"""


def _phase(url: str) -> str:
    return httpx.get(f"{url}/phase", timeout=30).text


def _job(url: str, query: str, **more: str) -> str:
    data = {"LANG": "ADQL", "QUERY": query, "PHASE": "RUN", **more}
    return httpx.post(f"{url}/tap/async", data=data, timeout=30).headers["location"]


def test_queued_jobs_run_and_executing_ones_end_after_a_kill(
    archive: Archive, small_holdings: Holdings
) -> None:
    archive.run("ingest", small_holdings.folder)
    with archive.server() as server:
        executing = _job(server.url, LONG, EXECUTIONDURATION="5")
        wait_until(lambda: _phase(executing) == "EXECUTING", "the job runs", 60)
        queued = _job(server.url, "SELECT dp_id FROM ivoa.ObsCore")
        assert _phase(queued) == "QUEUED"
        for pid in archive.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        server.process.wait(30)
        archive.wait_quiet()
    with archive.server() as server:
        here = server.url + executing.partition("/tap")[1] + executing.partition("/tap")[2]
        there = server.url + queued.partition("/tap")[1] + queued.partition("/tap")[2]
        assert httpx.get(f"{here}/results/result", timeout=30).status_code == 404
        wait_until(lambda: _phase(there) == "COMPLETED", "the queued job runs", 90)
        found = httpx.get(f"{there}/results/result", timeout=30)
        assert found.text.count("<TR>") == len(small_holdings.accepted)
        wait_until(lambda: _phase(here) in ("ERROR", "COMPLETED"), "the other job ends", 120)
        assert _phase(here) == "ERROR"
        told = httpx.get(f"{here}/error", timeout=30).text
        assert "longer than" in told or "ended" in told
        assert httpx.get(f"{here}/results/result", timeout=30).status_code == 404
