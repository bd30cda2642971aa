from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from indexer import IngestError, set_release, withdraw

NAIVE = datetime(2030, 1, 1)  # noqa: DTZ001 - UTC without a zone, as the lake keeps it


@pytest.fixture
def two(archive: Any, night: Path, made: Any) -> list[str]:
    for name in ("a", "b"):
        (night / f"{name}.fits").write_bytes(made.sky_image(OBJECT=name))
    archive.ingest(night)
    ids: list[str] = archive.ids()
    return ids


def test_withdrawn_files_are_in_no_search_and_stay_withdrawn(
    archive: Any, two: list[str], night: Path
) -> None:
    found = withdraw([two[0], "nobody"], "wrong calibration", lake=archive.lake)
    assert (found.changed, found.unchanged, found.unknown) == ((two[0],), (), ("nobody",))
    assert archive.ids() == archive.ids("phase3v2.files") == [two[1]]
    states = {row["dp_id"]: row["withdrawn"] for row in archive.rows("archive.files")}
    assert states == {two[0]: "wrong calibration", two[1]: None}
    assert archive.ingest(night).unchanged == 2
    assert archive.ids() == [two[1]]
    assert withdraw([two[0]], "again", lake=archive.lake).unchanged == (two[0],)


def test_new_content_of_a_withdrawn_file_is_refused(
    archive: Any, two: list[str], night: Path, made: Any
) -> None:
    withdraw(two, "private", lake=archive.lake)
    (night / "a.fits").write_bytes(made.image(OBJECT="new"))
    assert [reason.code for reason in archive.ingest(night).reasons] == ["withdrawn"]


def test_a_withdrawal_needs_a_reason(archive: Any, two: list[str]) -> None:
    with pytest.raises(IngestError, match="reason"):
        withdraw(two, " ", lake=archive.lake)


@pytest.mark.parametrize(
    "when", [NAIVE, NAIVE.replace(tzinfo=UTC), datetime(2030, 1, 1, 3, tzinfo=timezone(timedelta(hours=3)))]
)
def test_release_dates_change_in_all_tables(archive: Any, two: list[str], when: datetime) -> None:
    found = set_release([two[0]], when, lake=archive.lake)
    assert found.changed == (two[0],)
    dates = {row["dp_id"]: row["obs_release_date"] for row in archive.rows("ivoa.obscore")}
    assert dates == {two[0]: NAIVE, two[1]: None}
    assert {r["dp_id"]: r["release_date"] for r in archive.rows("archive.files")} == dates
    assert set_release([two[0]], when, lake=archive.lake).unchanged == (two[0],)
    assert set_release([two[0]], None, lake=archive.lake).changed == (two[0],)
    assert [row["release_date"] for row in archive.rows("archive.files")] == [None, None]


def test_new_content_becomes_public_no_earlier_than_the_old(
    archive: Any, two: list[str], night: Path, made: Any
) -> None:
    set_release([two[0]], NAIVE, lake=archive.lake)
    for name in ("a", "b"):
        content = made.sky_image(OBJECT=f"new {name}", REL_DATE="2001-01-01")
        (night / f"{name}.fits").write_bytes(content.replace(b"REL DATE", b"REL_DATE"))
    assert archive.ingest(night).replaced == 2
    dates = {row["dp_id"]: row["obs_release_date"] for row in archive.rows("ivoa.obscore")}
    assert dates == {two[0]: NAIVE, two[1]: datetime(2001, 1, 1)}  # noqa: DTZ001 - as above
    assert {r["dp_id"]: r["release_date"] for r in archive.rows("archive.files")} == dates
