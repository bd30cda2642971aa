"""Several people ingest at once; the archive sorts it out."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from schemas import load_schemas
from store.lake import Lake
from tests.support.digests import lake_rows, tap
from tests.support.holdings import Holdings
from tests.support.processes import Archive, Server, wait_until


@pytest.mark.slow
def test_four_ingesters_on_overlapping_folders_double_nothing(
    archive: Archive, small_holdings: Holdings
) -> None:
    with archive.server() as server:
        _ingest_at_once(archive, small_holdings)
        wait_until(lambda: _served(server) == len(small_holdings.accepted), "it is all served", 60)
    assert json.loads(archive.run("check", "--json"))["problems"] == []


def _served(server: Server) -> int:
    return int(tap(server.url, "SELECT COUNT(DISTINCT dp_id) AS n FROM ivoa.ObsCore")[0]["n"])


def _ingest_at_once(archive: Archive, small_holdings: Holdings) -> None:
    root = small_holdings.folder
    overlapping = ([root], [root / "images", root / "raw"], [root], [root / "products", root / "images"])
    started = [archive.start("ingest", *paths, "--copy", "--json") for paths in overlapping]
    answers = [process.communicate(timeout=200) for process in started]
    assert [process.returncode for process in started] == [0] * 4, answers
    counts = [json.loads(out) for out, _ in answers]

    accepted = len(small_holdings.accepted)
    assert sum(count["accepted"] for count in counts) == accepted
    assert sum(count["replaced"] for count in counts) == 0
    assert counts[0]["accepted"] + counts[0]["unchanged"] == accepted
    rows = lake_rows(archive.data)
    for table in ("ivoa.ObsCore", "archive.files", "archive.headers", "phase3v2.files"):
        assert len(rows[table]) == accepted
    files = Lake(archive.data / "lake", load_schemas()).read("archive.files").to_pylist()
    assert max(Counter(row["checksum"] for row in files).values()) == 1
    kept = {path.relative_to(archive.data / "files") for path in (archive.data / "files").rglob("*")}
    assert {row["location"] for row in files} <= {str(path) for path in kept}

    again = archive.run("ingest", root)
    assert again.splitlines()[-1].startswith(f"accepted 0, unchanged {accepted}, replaced 0,")
