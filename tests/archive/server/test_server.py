"""The archive as its users meet it: it serves while data come in, and it stops when it is told to."""

from __future__ import annotations

import re
import signal
import socket
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


def test_what_is_ingested_while_it_serves_is_visible_when_the_command_ends(
    served: Served, tmp_path: Path
) -> None:
    for number in range(2, 5):
        image(tmp_path / f"night-{number}" / "file.fits", number)
        ended = served.run("ingest", tmp_path / f"night-{number}", "--workers", 0)
        assert ended.stderr.splitlines()[-1] == "visible"
        assert ended.stdout.splitlines()[-1] == "accepted 1, unchanged 0, replaced 0, quarantined 0"
        # Connections of their own reach both workers sooner or later.
        assert {observations(served) for _ in range(6)} == {number}


def test_releases_and_withdrawals_are_visible_when_the_command_ends(served: Served) -> None:
    reply = httpx.get(f"{served.url}/api/v1/tables/ivoa.obscore/rows").json()
    row = reply["rows"][0]
    for arguments, status in (
        (["set-release", row["dp_id"], "2199-01-01"], 401),
        (["set-release", row["dp_id"], "2001-01-01"], 200),
        (["withdraw", row["dp_id"], "--reason", "wrong header"], 410),
    ):
        ended = served.run(*arguments)
        assert (ended.returncode, ended.stderr) == (0, "visible\n")
        assert {httpx.get(row["access_url"]).status_code for _ in range(6)} == {status}
    assert observations(served) == 0


def test_a_small_batch_becomes_visible_without_being_waited_for(served: Served, tmp_path: Path) -> None:
    image(tmp_path / "more" / "file.fits", 2)
    served.run("ingest", tmp_path / "more", "--no-wait", "--workers", 0)
    eventually(lambda: {observations(served) for _ in range(6)} == {2}, 15)


def test_every_command_works_while_it_serves(served: Served, tmp_path: Path) -> None:
    stars = tmp_path / "stars.csv"
    stars.write_text("name,ra,dec\nVega,279.234,38.784\n")
    rows = tmp_path / "rows.csv"
    rows.write_text("dp_id,obs_collection,obs_id,calib_level,s_ra,s_dec\nA,x,1,2,10,20\n")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "bad.fits").write_bytes(b"SIMPLE  = no")
    commands = [
        ["status"],
        ["settings"],
        ["index", "status"],
        ["ingest", tmp_path / "bad", "--workers", 0],
        ["quarantine", "list"],
        ["load", rows, "--table", "ivoa.ObsCore", "--workers", 0],
        ["publish", stars, "--table", "catalogues.stars"],
        ["lake", "compact"],
        ["lake", "vacuum", "--keep-hours", 0],
        ["index", "rebuild"],
        ["check"],
        ["unpublish", "catalogues.stars"],
        ["migrate"],
    ]
    for command in commands:
        ended = served.run(*command)
        assert ended.returncode == 0, (command, ended.stdout, ended.stderr)
    assert observations(served) == 2
    assert httpx.get(f"{served.url}/readyz").status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_when_told_to_and_leaves_nothing_behind(served: Served, number: int) -> None:
    assert served.process is not None
    below = descendants(served.process.pid)
    assert len(below) >= 3
    assert served.stop(number) == 0
    eventually(lambda: not any(alive(pid) for pid in below), 10)
    assert list((served.data / "run").glob("server-*")) == []
    assert "Traceback" not in served.logs[0].read_text()


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


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    service = Served(tmp_path / "data", workers=1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = service.run("serve", "--port", port)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"onedfs: cannot serve on 127.0.0.1:{port}: Address already in use")
    assert ended.stderr.count("\n") == 1


def test_an_empty_archive_serves_too(tmp_path: Path) -> None:
    service = Served(tmp_path / "data", workers=1)
    service.start()
    assert observations(service) == 0
    image(tmp_path / "first" / "one.fits", 1)
    ended = service.run("ingest", tmp_path / "first", "--copy", "--workers", 0)
    assert ended.stderr.splitlines()[-1] == "visible"
    assert observations(service) == 1
    assert service.stop() == 0


def test_the_snippets_of_the_page_work_as_printed(served: Served, tmp_path: Path) -> None:
    page = html.document_fromstring(httpx.get(f"{served.url}/", headers={"Accept": "text/html"}).text)
    snippets = [element.text for element in page.xpath("//pre")]
    for number, snippet in enumerate(snippets):
        if snippet.startswith("import"):
            script = tmp_path / f"snippet-{number}.py"
            script.write_text(snippet)
            command = [sys.executable, "-W", "ignore", str(script)]
        elif snippet.startswith(("curl", "stilts")):
            command = ["sh", "-c", snippet]
        else:
            assert snippet == f"{served.url}/tap"
            continue
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert ended.returncode == 0, (snippet, ended.stderr)
        assert re.search(r"FIELD|image|first\.one", ended.stdout), (snippet, ended.stdout)


def test_the_same_observation_by_every_way_down_to_its_bytes(served: Served, tmp_path: Path) -> None:
    by_tap = pyvo.dal.TAPService(f"{served.url}/tap").search(CONE)
    by_cone = pyvo.dal.SCSService(f"{served.url}/scs/ivoa.obscore").search(pos=(63.3558, 10.4663), radius=0.1)
    by_json = httpx.get(
        f"{served.url}/api/v1/tables/ivoa.obscore/rows", params={"region": "CIRCLE 63.3558 10.4663 0.1"}
    ).json()
    [row] = by_json["rows"]
    assert [r["dp_id"] for r in by_tap] == [r["dp_id"] for r in by_cone] == [row["dp_id"]]
    assert by_tap[0]["access_url"] == row["access_url"]
    reply = httpx.get(row["access_url"])
    assert reply.content == (tmp_path / "first" / "one.fits").read_bytes()
    header = httpx.get(row["access_url"].replace("/files/", "/headers/"))
    assert "OBJECT  = 'FIELD 1 '" in header.text


def test_without_arguments_the_command_says_what_it_can_do() -> None:
    ended = subprocess.run([*ONEDFS, "--help"], capture_output=True, text=True, timeout=30, check=True)
    assert all(name in ended.stdout for name in ("ingest", "serve", "status", "check", "demo"))


def test_two_servers_of_one_archive_keep_their_numbers(served: Served) -> None:
    other = Served(served.data, workers=2)
    other.start()
    try:
        for url in (served.url, other.url):
            reply = httpx.get(f"{url}/metrics")
            assert reply.status_code == 200
            assert "onedfs_requests_total" in reply.text
    finally:
        other.stop()
