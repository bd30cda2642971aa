"""Whoever is killed, whenever: after the next run everything is as if nothing had happened."""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from store.duckdb.wanted import ask_for_generation
from tests.support.digests import Rows, lake_rows, refusals, served_rows
from tests.support.engines import EMBEDDED, EngineUnderTest
from tests.support.holdings import Holdings
from tests.support.processes import Archive, kill_group, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

KILLS = 10
FEWER = 4
"""Kills on other engines than the embedded one, whose followers and clusters have tests of their own."""
ROWS = 2000


def moments(seed: int, seconds: float, kills: int = KILLS) -> list[float]:
    """Return seeded moments, one in each part of a run of some length, in random order."""
    draw = random.Random(seed)
    return [(part + draw.random()) * seconds / kills for part in draw.sample(range(kills), kills)]


def kill_after(process: subprocess.Popen[str], seconds: float, *, group: bool) -> bool:
    """Kill a process, or it and its children; returns whether it was still at work."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        kill_group(process) if group else process.kill()
        process.communicate()
        return True
    process.communicate()
    return False


def grown(folder: Path) -> int:
    return sum(1 for _ in folder.rglob("*"))


def seconds_of(archive: Archive, *arguments: object) -> float:
    """Run a command; returns how long it took."""
    began = time.monotonic()
    archive.run(*arguments)
    return time.monotonic() - began


@dataclass(frozen=True)
class Held:
    """All that an archive holds and serves."""

    lake: Rows
    served: Rows
    refused: list[tuple[Any, ...]]
    files: list[str]


def held(archive: Archive) -> Held:
    """Look at everything."""
    with archive.server() as server:
        served = served_rows(server.url)
    files = archive.data / "files"
    kept = sorted(str(path.relative_to(files)) for path in files.rglob("*") if path.is_file())
    return Held(lake_rows(archive.data), served, refusals(archive.data), kept)


@pytest.fixture
def undisturbed(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "undisturbed")


@pytest.fixture
def disturbed(engine: EngineUnderTest, tmp_path: Path) -> Iterator[Archive]:
    archive = Archive(tmp_path / "disturbed", engine.settings())
    yield archive
    archive.wait_quiet()


@pytest.fixture
def kills(engine: EngineUnderTest) -> int:
    return KILLS if engine is EMBEDDED else FEWER


def test_the_ingester_may_be_killed_at_any_moment(
    undisturbed: Archive, disturbed: Archive, small_holdings: Holdings, tmp_path: Path
) -> None:
    night = tmp_path / "whole" / "night"
    shutil.copytree(small_holdings.folder, night)
    whole = seconds_of(undisturbed, "ingest", night, "--copy", "--workers", 2)
    shutil.copy2(small_holdings.folder / "images/virgo.fits", night / "images/orion.fits")
    (night / "images/virgo.fits").unlink()
    undisturbed.run("ingest", night, "--copy", "--workers", 2)

    growing = tmp_path / "growing" / "night"
    killed = 0
    paths = [made.path for made in small_holdings.files]
    for number, moment in enumerate(moments(3, whole)):
        if number % 2 == 0:
            _add(small_holdings.folder, growing, paths[number // 2 :: KILLS // 2])
        lake, draw = disturbed.data / "lake", random.Random(number)
        before = grown(lake)
        process = disturbed.start("ingest", growing, "--copy", "--workers", 2)
        if number % 2:
            killed += kill_after(process, moment, group=number % 4 == 1)
        else:
            wait_until(lambda: grown(lake) > before or process.poll() is not None, "it commits", 60)  # noqa: B023
            killed += kill_after(process, draw.uniform(0, 0.5), group=number % 4 == 0)
        disturbed.wait_quiet()
        if number % 2:
            disturbed.run("ingest", growing, "--copy")
    assert killed >= KILLS // 2

    shutil.copy2(small_holdings.folder / "images/virgo.fits", growing / "images/orion.fits")
    (growing / "images/virgo.fits").unlink()
    disturbed.run("ingest", growing, "--copy")
    assert held(disturbed) == held(undisturbed)


def _add(source: Path, target: Path, paths: list[str]) -> None:
    for path in paths:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / path, target / path)


@dataclass(frozen=True)
class Slices:
    """Rows to load: all of them in one file, and the same in as many as there are kills."""

    whole: Path
    parts: Mapping[int, list[Path]]


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> Slices:
    folder = tmp_path_factory.mktemp("rows")
    draw = random.Random(7)
    rows = pa.Table.from_pylist([_row(number, draw) for number in range(ROWS)])
    pq.write_table(rows, folder / "whole.parquet")
    parts = {
        count: [folder / f"part-{number}-{count}.parquet" for number in range(count)]
        for count in (KILLS, FEWER)
    }
    for count, paths in parts.items():
        for number, part in enumerate(paths):
            pq.write_table(rows.slice(number * ROWS // count, ROWS // count), part)
    return Slices(folder / "whole.parquet", parts)


def _row(number: int, draw: random.Random) -> dict[str, object]:
    ra, dec = draw.uniform(0, 360), draw.uniform(-90, 90)
    return {
        "dp_id": f"ROW.{number}",
        "obs_publisher_did": f"ivo://other.example/?ROW.{number}",
        "access_url": f"http://other.example/{number}",
        "obs_collection": "other",
        "obs_id": f"run {number // 3}",
        "calib_level": 2,
        "dataproduct_type": "image",
        "instrument_name": draw.choice(["MUSE", "ISAAC", None]),
        "s_ra": ra,
        "s_dec": dec,
        "s_region": f"CIRCLE ICRS {ra} {dec} 0.05",
        "t_min": 50000.0 + number,
    }


@pytest.fixture(scope="module")
def loaded(slices: Slices, tmp_path_factory: pytest.TempPathFactory) -> Held:
    """What an archive holds and serves after a load that nothing disturbed."""
    archive = Archive(tmp_path_factory.mktemp("loaded") / "data")
    archive.run("load", slices.whole, "--table", "ivoa.ObsCore")
    return held(archive)


def test_the_follower_may_be_killed_at_any_moment(
    engine: EngineUnderTest, kills: int, disturbed: Archive, slices: Slices, loaded: Held
) -> None:
    index = disturbed.data / "index"
    parts = slices.parts[kills]
    disturbed.run("load", parts[0], "--table", "ivoa.ObsCore")
    whole = seconds_of(disturbed, "index", "rebuild")
    killed = 0
    for part, moment in zip(parts, moments(5, whole, kills), strict=True):
        loading = disturbed.start("load", part, "--table", "ivoa.ObsCore")
        if engine is EMBEDDED:
            # Otherwise there would be nothing to do for it.
            ask_for_generation(index)
        killed += kill_after(disturbed.start("index", "follow"), moment, group=False)
        assert loading.wait(120) == 0, loading.communicate()
        loading.communicate()
    assert killed == kills
    with disturbed.server():
        # Ready to serve is not ready to follow: what the dead left goes when the next one takes their place.
        wait_until(lambda: not list(index.glob("draft-*")), "the drafts of the dead are removed", 60)
    assert held(disturbed) == loaded


def test_the_server_may_be_killed_at_any_moment(
    kills: int, disturbed: Archive, slices: Slices, loaded: Held
) -> None:
    parts = slices.parts[kills]
    began = time.monotonic()
    with disturbed.server(workers=2):
        disturbed.run("load", parts[0], "--table", "ivoa.ObsCore")
    whole = time.monotonic() - began
    log = disturbed.data.with_name("killed.log")
    for number, (part, moment) in enumerate(zip(parts, moments(11, whole, kills), strict=True)):
        serving = disturbed.start("serve", "--port", 0, "--workers", 1 + number % 2, log=log)
        loading = disturbed.start("load", part, "--table", "ivoa.ObsCore")
        assert kill_after(serving, moment, group=number % 3 == 0)
        out, errors = loading.communicate(timeout=120)
        assert loading.returncode == 0, out + errors
        disturbed.wait_quiet()
    assert "Traceback" not in log.read_text()
    assert held(disturbed) == loaded
