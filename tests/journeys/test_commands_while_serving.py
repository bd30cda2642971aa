"""While the server runs with two workers every command works, and both workers show what it changed."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.digests import tap
from tests.support.engines import EngineUnderTest
from tests.support.holdings import Holdings, sky_header, write_image
from tests.support.processes import Archive, Server, catches, kill_group, wait_until

pytestmark = pytest.mark.slow

ASKED = 24
"""Requests, each over a connection of its own, after which both workers have answered."""


@pytest.fixture(scope="module")
def archive(engine: EngineUnderTest, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return Archive(tmp_path_factory.mktemp("busy") / "data", engine.settings())


@pytest.fixture(scope="module")
def server(archive: Archive, small_holdings: Holdings) -> Iterator[Server]:
    """Serve with two workers from before the first file."""
    with archive.server(workers=2) as running:
        archive.run("ingest", small_holdings.folder)
        yield running
    archive.wait_quiet()


def everywhere(ask: Callable[[], object]) -> set[object]:
    """Return all the answers that the workers give."""
    return {ask() for _ in range(ASKED)}


def count(server: Server, condition: str) -> Callable[[], int]:
    query = f"SELECT COUNT(*) AS n FROM ivoa.ObsCore WHERE {condition}"
    return lambda: int(tap(server.url, query)[0]["n"])


def status_of(server: Server, path: str) -> Callable[[], int]:
    return lambda: httpx.get(f"{server.url}{path}").status_code


def taken(tmp_path: Path, name: str, seed: int, **cards: object) -> Path:
    """Write one more image of its own."""
    write_image(tmp_path / name, sky_header(100.0 + seed, 40.0, 0.1), {"OBJECT": name, **cards}, seed=seed)
    return tmp_path / name


def id_of(server: Server, target: str) -> str:
    (row,) = tap(server.url, f"SELECT dp_id FROM ivoa.ObsCore WHERE target_name = '{target}'")
    return row["dp_id"]


def test_ingest_is_visible_when_it_ends(archive: Archive, server: Server, tmp_path: Path) -> None:
    path = taken(tmp_path, "one more", 201)
    done = archive.call("ingest", path)
    assert (done.returncode, done.stdout.splitlines()[-1][:10]) == (0, "accepted 1"), done.stderr
    assert "visible" in done.stderr.splitlines()
    assert everywhere(count(server, "target_name = 'one more'")) == {1}
    write_image(tmp_path / "new", sky_header(10.0, 40.0, 0.1), {"OBJECT": "replaced"}, seed=202)
    shutil.move(tmp_path / "new", path)
    assert archive.run("ingest", path).splitlines()[-1].startswith("accepted 0, unchanged 0, replaced 1")
    assert everywhere(count(server, "target_name = 'one more'")) == {0}
    assert everywhere(count(server, "target_name = 'replaced'")) == {1}


def test_a_small_batch_is_visible_within_seconds(archive: Archive, server: Server, tmp_path: Path) -> None:
    path = taken(tmp_path, "quick", 203)
    answer = json.loads(archive.run("ingest", path, "--no-wait", "--json"))
    assert answer["visible"] is None
    began = time.monotonic()
    wait_until(lambda: everywhere(count(server, "target_name = 'quick'")) == {1}, "both workers show it", 20)
    assert time.monotonic() - began < 10


def test_load_is_visible_when_it_ends(archive: Archive, server: Server, tmp_path: Path) -> None:
    rows = [
        {
            "obs_publisher_did": f"ivo://other.example/?L{number}",
            "access_url": f"http://other.example/{number}" if number else None,
            "obs_collection": "loaded",
            "obs_id": f"L{number}",
            "calib_level": 2,
            "dataproduct_type": "image",
            "s_ra": 1.0 * number,
            "s_dec": 1.0,
        }
        for number in range(100)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    last = archive.run("load", tmp_path / "rows.parquet", "--table", "ivoa.obscore").splitlines()[-1]
    assert last == "accepted 100, unchanged 0, replaced 0, quarantined 0"
    assert everywhere(count(server, "obs_collection = 'loaded'")) == {100}
    answer = httpx.get(f"{server.url}/files/L7")
    assert answer.status_code == 404
    assert "http://other.example/7" in answer.text
    (row,) = tap(server.url, "SELECT dp_id, access_url FROM ivoa.ObsCore WHERE dp_id = 'L0'")
    assert not row["access_url"]
    assert httpx.get(f"{server.url}/files/L0").status_code == 404
    assert count(server, "obs_collection = 'loaded' AND access_url IS NULL")() == 1


def test_publish_and_unpublish(archive: Archive, server: Server, tmp_path: Path) -> None:
    table = tmp_path / "stars.csv"
    table.write_text("name,ra,dec,mag\n" + "".join(f"S{n},{n},{n / 4},{n}\n" for n in range(50)))
    archive.run("publish", table, "--table", "catalogues.stars", "--title", "Stars")
    assert everywhere(status_of(server, "/scs/catalogues.stars?RA=8&DEC=2&SR=0.1")) == {200}
    rows = {row["name"] for row in tap(server.url, "SELECT name FROM catalogues.stars WHERE mag < 3")}
    assert rows == {"S0", "S1", "S2"}
    listed = {row["table_name"] for row in tap(server.url, "SELECT table_name FROM TAP_SCHEMA.tables")}
    assert "catalogues.stars" in listed
    archive.run("unpublish", "catalogues.stars")
    assert everywhere(status_of(server, "/scs/catalogues.stars?RA=8&DEC=2&SR=0.1")) != {200}
    listed = {row["table_name"] for row in tap(server.url, "SELECT table_name FROM TAP_SCHEMA.tables")}
    assert "catalogues.stars" not in listed


def test_withdraw(archive: Archive, server: Server, tmp_path: Path) -> None:
    archive.run("ingest", taken(tmp_path, "mistaken", 204))
    dp_id = id_of(server, "mistaken")
    assert everywhere(status_of(server, f"/files/{dp_id}")) == {200}
    done = archive.call("withdraw", dp_id, "--reason", "taken with the dome closed")
    assert (done.returncode, done.stderr) == (0, "visible\n")
    assert everywhere(count(server, "target_name = 'mistaken'")) == {0}
    assert everywhere(status_of(server, f"/files/{dp_id}")) == {410}
    assert "taken with the dome closed" in httpx.get(f"{server.url}/files/{dp_id}").text
    assert archive.call("withdraw", "nothing", "--reason", "x").returncode == 1


def test_set_release(archive: Archive, server: Server, tmp_path: Path) -> None:
    archive.run("ingest", taken(tmp_path, "secret", 205, REL_DATE="2150-01-01"))
    dp_id = id_of(server, "secret")
    assert everywhere(status_of(server, f"/files/{dp_id}")) == {401}
    archive.run("set-release", dp_id, "2001-01-01")
    assert everywhere(status_of(server, f"/files/{dp_id}")) == {200}
    archive.run("set-release", dp_id, "2150-01-01")
    assert everywhere(status_of(server, f"/files/{dp_id}")) == {401}


def test_quarantine_lists_shows_and_tries_again(archive: Archive, server: Server, tmp_path: Path) -> None:
    path = taken(tmp_path, "mended", 206)
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    archive.run("ingest", path, "--collection", "mending")
    entries = json.loads(archive.run("quarantine", "list", "--json"))
    (entry,) = [entry for entry in entries if entry["collection"] == "mending"]
    assert entry["reason"] in archive.run("quarantine", "show", entry["id"])
    assert "quarantined 1" in archive.run("quarantine", "retry", entry["id"])
    path.write_bytes(whole)
    assert archive.run("quarantine", "retry", entry["id"]).splitlines()[-1].startswith("accepted 1")
    assert everywhere(count(server, "target_name = 'mended'")) == {1}
    entries = json.loads(archive.run("quarantine", "list", "--json"))
    assert [entry for entry in entries if entry["collection"] == "mending"] == []


def test_status_names_both_workers(archive: Archive, server: Server) -> None:
    status = json.loads(archive.run("status", "--json"))
    assert {one["url"] for one in status["servers"]} == {server.url}
    assert len({one["pid"] for one in status["servers"]}) == 2
    assert len({one["version"] for one in status["servers"]} | {status["lake_version"]}) == 1
    assert str(server.port) in archive.run("status")


def test_check_finds_nothing_wrong(archive: Archive, server: Server, small_holdings: Holdings) -> None:
    answer = json.loads(archive.run("check", "--json"))
    assert answer["problems"] == []
    assert answer["checked"] >= len(small_holdings.accepted)


def test_index_and_lake_commands_change_no_answer(archive: Archive, server: Server) -> None:
    ask = count(server, "1 = 1")
    (before,) = everywhere(ask)
    for command in (
        ["index", "status"],
        ["index", "rebuild"],
        ["lake", "compact"],
        ["lake", "vacuum", "--keep-hours", 0],
    ):
        archive.run(*command)
        assert everywhere(ask) == {before}
    archive.run("migrate")
    assert "ONEDFS_DATA" in archive.run("settings")
    assert server.ready()


def test_a_second_follower_stands_by_and_ends_when_asked(archive: Archive, server: Server) -> None:
    follower = archive.start("index", "follow")
    wait_until(lambda: catches(follower.pid, signal.SIGTERM), "it is at work", 60)
    time.sleep(0.5)
    assert follower.poll() is None
    follower.send_signal(signal.SIGTERM)
    follower.communicate(timeout=20)
    assert follower.returncode == 0


def test_a_port_in_use_is_one_line(archive: Archive, server: Server) -> None:
    done = archive.call("serve", "--port", server.port)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"onedfs: cannot serve on 127.0.0.1:{server.port}: Address already in use")


def test_the_folder_where_the_server_starts_does_not_matter(tmp_path: Path) -> None:
    for name in ("archive", "store", "indexer"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('not this one')")
    own = Archive(tmp_path / "data")
    with own.server(workers=2) as server:
        assert server.ready()
    own.wait_quiet()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_every_process(tmp_path: Path, number: signal.Signals) -> None:
    own = Archive(tmp_path / "data")
    server = own.start_server(workers=2)
    try:
        server.wait_ready()
        assert len(own.processes()) >= 4
        server.process.send_signal(number)
        assert server.process.wait(15) == 0
        own.wait_quiet(10)
        assert list((own.data / "run").glob("server-*")) == []
    finally:
        kill_group(server.process)
    assert "Traceback" not in server.log.read_text()
