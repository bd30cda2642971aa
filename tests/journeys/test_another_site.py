"""A follower without the observatory's own declarations changes no answer of a server that has them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.digests import tap
from tests.support.engines import EngineUnderTest
from tests.support.processes import Archive, Server, kill_group, wait_until
from tests.support.tables import SURVEY

pytestmark = pytest.mark.slow

OTHERS = "dp_id,obs_collection,obs_id,calib_level\n"


def stars(path: Path, numbers: range) -> Path:
    path.write_text("id\n" + "".join(f"{n}\n" for n in numbers))
    return path


def observations(path: Path, numbers: range) -> Path:
    path.write_text(OTHERS + "".join(f"O.{n},x,{n},2\n" for n in numbers))
    return path


def found(server: Server) -> tuple[int, int]:
    """How many stars and observations a server shows; both are there, whatever a follower knows."""
    counts = [
        tap(server.url, f"SELECT COUNT(*) AS n FROM {name}")[0]["n"]
        for name in ("survey.stars", "ivoa.ObsCore")
    ]
    return int(counts[0]), int(counts[1])


def test_a_follower_without_the_site_changes_no_answer(engine: EngineUnderTest, tmp_path: Path) -> None:
    (tmp_path / "site" / "schemas").mkdir(parents=True)
    (tmp_path / "site" / "schemas" / "survey.yaml").write_text(SURVEY)
    settings = engine.settings()
    without = Archive(tmp_path / "data", settings)
    archive = Archive(tmp_path / "data", {**settings, "ONEDFS_SITE": str(tmp_path / "site")})
    archive.run("load", stars(tmp_path / "a.csv", range(50)), "--table", "survey.stars")
    archive.run("load", observations(tmp_path / "b.csv", range(10)), "--table", "ivoa.ObsCore")
    archive.run("index", "rebuild")
    follower = without.start("index", "follow", log=tmp_path / "follower.log")
    serving = archive.start("serve", "--port", 0, "--no-follower", log=tmp_path / "server.log")
    try:
        server = Server(serving, _url(tmp_path / "server.log"), tmp_path / "server.log")
        server.wait_ready()
        assert found(server) == (50, 10)
        archive.run("load", observations(tmp_path / "c.csv", range(10, 20)), "--table", "ivoa.ObsCore")
        assert found(server) == (50, 20)
        archive.run("load", stars(tmp_path / "d.csv", range(50, 60)), "--table", "survey.stars")
        assert found(server) == (60, 20)
        without.run("index", "rebuild")
        assert found(server) == (60, 20)
        assert follower.poll() is None, (tmp_path / "follower.log").read_text()
    finally:
        kill_group(follower)
        kill_group(serving)
    with archive.server() as again:
        assert found(again) == (60, 20)
        wait_until(lambda: _is_clean(archive), "the right follower puts it in order", 60)
    archive.wait_quiet()


def _url(log: Path) -> str:
    def told() -> str:
        lines = [line for line in log.read_text().splitlines() if line.startswith("One DFS serves ")]
        return lines[0].split()[3].rstrip("/") if lines else ""

    return wait_until(told, "the server says its address", 90)


def _is_clean(archive: Archive) -> bool:
    return json.loads(archive.call("check", "--json").stdout)["problems"] == []
