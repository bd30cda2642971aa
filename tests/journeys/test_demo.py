"""``onedfs demo`` on an empty data folder: real files in, and astronomers find what they know to be there."""

from __future__ import annotations

import gzip
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pyvo
from astropy.coordinates import SkyCoord

from tests.support.digests import tap
from tests.support.processes import Archive, Server
from tests.support.readme import readme_query

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyWarning"),
]

REASONS = {
    ("midas", "no-data"): 1,
    ("pypeit", "no-data"): 36,
    ("reproject", "no-end"): 1,
}
"""Every refusal: headers that were kept without their data, and a header as a text file."""

OPENNGC_ROWS = 14_033
M31 = SkyCoord("00h42m44.35s", "+41d16m08.6s")


@dataclass(frozen=True)
class Demo:
    """The archive after its first run, and what that run said."""

    archive: Archive
    said: dict[str, Any]
    told: str


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    archive = Archive(tmp_path_factory.mktemp("demo") / "data")
    done = archive.call("demo", "--json", seconds=840)
    assert done.returncode == 0, done.stderr
    assert "is left out" not in done.stderr, f"the package registries must be reachable: {done.stderr}"
    return Demo(archive, json.loads(done.stdout), done.stderr)


@pytest.fixture(scope="module")
def server(demo: Demo) -> Iterator[Server]:
    with demo.archive.server() as running:
        yield running


def looks_like_fits(path: Path) -> bool:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        return file.read(9) == b"SIMPLE  ="


def test_every_fits_file_is_accounted_for(demo: Demo) -> None:
    unpacked = [path for path in (demo.archive.data / "demo").rglob("*") if path.is_file()]
    fits = [path for path in unpacked if looks_like_fits(path)]
    files = sum(demo.said[name] for name in ("accepted", "unchanged", "quarantined")) - OPENNGC_ROWS
    assert len(fits) >= 187
    assert files == len(fits)


def test_every_refusal_has_its_reason(demo: Demo) -> None:
    entries = json.loads(demo.archive.run("quarantine", "list", "--json"))
    assert Counter((entry["collection"], entry["code"]) for entry in entries) == REASONS
    assert demo.said["quarantined"] == len(entries)


def test_most_are_accepted_and_many_have_a_position(server: Server) -> None:
    (row,) = tap(
        server.url, "SELECT COUNT(*) AS n, COUNT(s_ra) AS placed, COUNT(s_region) AS seen FROM ivoa.ObsCore"
    )
    assert int(row["n"]) >= 120
    assert int(row["placed"]) >= 55
    assert int(row["seen"]) >= 30


def test_the_query_of_the_readme_finds_abell_478(server: Server) -> None:
    found = pyvo.dal.TAPService(f"{server.url}/tap").search(readme_query())
    cubes = [row for row in found if row["dataproduct_type"] == "cube"]
    assert {(row["target_name"], row["instrument_name"]) for row in cubes} == {("Abell 478", "MUSE")}
    for row in cubes:
        assert httpx.get(row["access_url"]).content[:9] == b"SIMPLE  ="
        assert "Abell 478" in httpx.get(f"{server.url}/headers/{row['dp_id']}").text
        assert not row["dp_id"].startswith("MUSE.2014-12-08T02:48:56.798")


def test_openngc_is_published_and_finds_andromeda(server: Server) -> None:
    (row,) = tap(server.url, "SELECT COUNT(*) AS n FROM catalogues.openngc")
    assert int(row["n"]) == OPENNGC_ROWS
    cone = pyvo.dal.SCSService(f"{server.url}/scs/catalogues.openngc")
    found = cone.search(M31, radius=0.01)
    (andromeda,) = [row for row in found if row["name"] in {"NGC0224", "NGC224"}]
    assert SkyCoord(andromeda["ra"], andromeda["dec"], unit=cone_unit(found)).separation(M31).arcsec < 10


def cone_unit(found: pyvo.dal.SCSResults) -> tuple[str, str]:
    return str(found.getdesc("ra").unit), str(found.getdesc("dec").unit)


def test_the_readmes_curl_commands_work(server: Server) -> None:
    cone = httpx.get(f"{server.url}/scs/ivoa.obscore?RA=63.3558&DEC=10.4663&SR=0.1")
    assert b"Abell 478" in cone.content
    region = "region=CIRCLE+63.3558+10.4663+0.1&facets=instrument_name"
    answer = httpx.get(f"{server.url}/api/v1/tables/ivoa.obscore/rows?{region}").json()
    assert answer["total"] >= 1
    assert "MUSE" in str(answer["facets"]["instrument_name"])


def test_a_second_run_finds_nothing_new(demo: Demo) -> None:
    before = json.loads(demo.archive.run("status", "--json"))
    began = time.monotonic()
    said = json.loads(demo.archive.run("demo", "--json", "--no-wait"))
    assert time.monotonic() - began < 20
    assert said["accepted"] == said["replaced"] == 0
    after = json.loads(demo.archive.run("status", "--json"))
    assert after["tables"] == before["tables"]
