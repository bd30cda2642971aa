"""The archive as its users meet it: what it serves works as printed, and what was killed comes back."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import pyvo
from lxml import html

from tests.archive.server.conftest import ONEDFS, Served, alive, descendants, eventually, image

CONE = (
    "SELECT TOP 5 * FROM ivoa.obscore "
    "WHERE 1=CONTAINS(POINT('ICRS',s_ra,s_dec),CIRCLE('ICRS',63.3558,10.4663,0.1))"
)

pytestmark = pytest.mark.slow


def observations(served: Served) -> int:
    reply = httpx.get(f"{served.url}/api/v1/tables/ivoa.obscore/rows", params={"limit": 0})
    total: int = reply.json()["total"]
    return total


def test_a_killed_server_takes_its_children_along_and_starts_again(served: Served) -> None:
    assert served.process is not None
    below = descendants(served.process.pid)
    served.stop(signal.SIGKILL)
    eventually(lambda: not any(alive(pid) for pid in below), 25)
    served.start()
    assert observations(served) == 1


def test_a_killed_worker_and_a_killed_follower_come_back(served: Served, tmp_path: Path) -> None:
    assert served.process is not None
    below = descendants(served.process.pid)
    for pid in below:
        subprocess.run(["kill", "-9", str(pid)], check=False)
    image(tmp_path / "after" / "file.fits", 2)
    eventually(lambda: httpx.get(f"{served.url}/readyz").status_code == 200)
    assert served.run("ingest", tmp_path / "after", "--workers", 0).returncode == 0
    eventually(lambda: observations(served) == 2)


def test_an_empty_archive_serves_too(tmp_path: Path) -> None:
    service = Served(tmp_path / "data", workers=1)
    service.start()
    assert observations(service) == 0
    image(tmp_path / "first" / "one.fits", 1)
    ended = service.run("ingest", tmp_path / "first", "--copy", "--workers", 0)
    assert ended.stderr.splitlines()[-1] == "visible"
    assert observations(service) == 1
    assert service.stop() == 0


def test_the_snippets_of_the_page_work_as_printed(shared: Served, tmp_path: Path) -> None:
    page = html.document_fromstring(httpx.get(f"{shared.url}/", headers={"Accept": "text/html"}).text)
    snippets = [element.text for element in page.xpath("//pre")]
    for number, snippet in enumerate(snippets):
        if snippet.startswith("import"):
            script = tmp_path / f"snippet-{number}.py"
            script.write_text(snippet)
            command = [sys.executable, "-W", "ignore", str(script)]
        elif snippet.startswith(("curl", "stilts")):
            command = ["sh", "-c", snippet]
        else:
            assert snippet == f"{shared.url}/tap"
            continue
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert ended.returncode == 0, (snippet, ended.stderr)
        assert re.search(r"FIELD|image|first\.one", ended.stdout), (snippet, ended.stdout)


def test_the_same_observation_by_every_way_down_to_its_bytes(shared: Served) -> None:
    by_tap = pyvo.dal.TAPService(f"{shared.url}/tap").search(CONE)
    by_cone = pyvo.dal.SCSService(f"{shared.url}/scs/ivoa.obscore").search(pos=(63.3558, 10.4663), radius=0.1)
    by_json = httpx.get(
        f"{shared.url}/api/v1/tables/ivoa.obscore/rows", params={"region": "CIRCLE 63.3558 10.4663 0.1"}
    ).json()
    [row] = by_json["rows"]
    assert [r["dp_id"] for r in by_tap] == [r["dp_id"] for r in by_cone] == [row["dp_id"]]
    assert by_tap[0]["access_url"] == row["access_url"]
    reply = httpx.get(row["access_url"])
    assert reply.content == (shared.data.parent / "first" / "one.fits").read_bytes()
    header = httpx.get(row["access_url"].replace("/files/", "/headers/"))
    assert "OBJECT  = 'FIELD 1 '" in header.text


def test_without_arguments_the_command_says_what_it_can_do() -> None:
    ended = subprocess.run([*ONEDFS, "--help"], capture_output=True, text=True, timeout=30, check=True)
    assert all(name in ended.stdout for name in ("ingest", "serve", "status", "check", "demo"))


def test_two_servers_of_one_archive_keep_their_numbers(shared: Served) -> None:
    other = Served(shared.data, workers=2)
    other.start()
    try:
        for url in (shared.url, other.url):
            reply = httpx.get(f"{url}/metrics")
            assert reply.status_code == 200
            assert "onedfs_requests_total" in reply.text
    finally:
        other.stop()
