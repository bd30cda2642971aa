"""Every file has one outcome, and a reason where it was refused."""

from __future__ import annotations

import json

import pytest

from tests.support.digests import tap
from tests.support.holdings import RAW_OF_CUBE, Holdings
from tests.support.processes import Archive, Server


def test_every_file_is_accounted_for(ingested: Archive, small_holdings: Holdings) -> None:
    entries = json.loads(ingested.run("quarantine", "list", "--json"))
    assert {entry["path"]: entry["code"] for entry in entries} == small_holdings.refused
    assert all(len(entry["reason"]) > 10 for entry in entries)
    status = json.loads(ingested.run("status", "--json"))
    rows = {name.lower(): count for name, count in status["tables"].items()}
    assert rows["ivoa.obscore"] == rows["archive.files"] == len(small_holdings.accepted)


def test_positions_are_those_of_the_headers(server: Server, small_holdings: Holdings) -> None:
    placed = [made.position for made in small_holdings.accepted if made.position is not None]
    rows = tap(server.url, "SELECT s_ra, s_dec FROM ivoa.ObsCore WHERE s_ra IS NOT NULL")
    found = sorted((round(float(row["s_ra"]), 3), round(float(row["s_dec"]), 3)) for row in rows)
    assert found == sorted((round(ra, 3), round(dec, 3)) for ra, dec in placed)


def test_a_product_never_takes_its_raw_frames_id(server: Server) -> None:
    rows = tap(
        server.url, "SELECT dp_id, dataproduct_type, obs_id FROM ivoa.ObsCore WHERE instrument_name = 'MUSE'"
    )
    raw, cube = sorted(rows, key=lambda row: row["dp_id"] != RAW_OF_CUBE)
    assert raw["dp_id"] == RAW_OF_CUBE
    assert cube["dp_id"] != RAW_OF_CUBE
    assert cube["dataproduct_type"] == "cube"
    assert cube["obs_id"] == raw["obs_id"] == RAW_OF_CUBE


@pytest.mark.slow
def test_a_second_run_changes_nothing(ingested: Archive, small_holdings: Holdings) -> None:
    last = ingested.run("ingest", small_holdings.folder).splitlines()[-1]
    accepted, refused = len(small_holdings.accepted), len(small_holdings.refused)
    assert last == f"accepted 0, unchanged {accepted}, replaced 0, quarantined {refused}"


@pytest.mark.slow
def test_strict_says_so_with_its_exit_code(ingested: Archive, small_holdings: Holdings) -> None:
    assert ingested.call("ingest", small_holdings.folder, "--strict").returncode == 3
