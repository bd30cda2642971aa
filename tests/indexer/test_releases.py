"""Files of collections that require a release date."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from indexer import retry, set_release
from indexer.releases import needs_date
from schemas.arrow import arrow_schema

FAR = datetime(2199, 1, 1)  # noqa: DTZ001 - UTC without a zone, as the lake keeps it
PAST = datetime(2001, 1, 1)  # noqa: DTZ001
WITHHELD, OPEN = ("proprietary", None), (None, None)


def put(folder: Path, made: Any, name: str, *, date: str | None = None, **cards: object) -> None:
    cards = cards if date is None else {**cards, "RELXDATE": date}
    (folder / f"{name}.fits").write_bytes(
        made.sky_image(OBJECT=name, **cards).replace(b"RELXDATE", b"REL_DATE")
    )


def said(archive: Any) -> dict[str, tuple[str | None, datetime | None]]:
    """Return the stored word and date of each file, by name; records and observations agree."""
    files = {row["dp_id"]: row for row in archive.rows("archive.files")}
    for row in archive.rows("ivoa.ObsCore"):
        file = files[row["dp_id"]]
        assert (row["data_rights"], row["obs_release_date"]) == (file["rights"], file["release_date"])
    return {
        row["file_name"].removesuffix(".fits"): (row["rights"], row["release_date"]) for row in files.values()
    }


def ids(archive: Any) -> dict[str, str]:
    return {row["file_name"].removesuffix(".fits"): row["dp_id"] for row in archive.rows("archive.files")}


@pytest.mark.parametrize(
    ("required", "named"),
    [((), set()), (("a",), {"a"}), (("a", "b"), {"a", "b"}), (("*",), {"a", "b", "c"}), (("A",), set())],
)
def test_collections_are_named_or_all(required: tuple[str, ...], named: set[str]) -> None:
    assert {name for name in ("a", "b", "c") if needs_date(name, required)} == named


@pytest.mark.parametrize("required", [["night"], ["*"], ["other", "night"]])
def test_a_file_without_a_date_is_withheld_where_its_collection_requires_one(
    archive: Any, night: Path, made: Any, required: list[str]
) -> None:
    put(night, made, "none")
    put(night, made, "past", date="2001-01-01")
    put(night, made, "far", date="2199-01-01")
    archive.ingest(night, release_required=required)
    assert said(archive) == {"none": WITHHELD, "past": (None, PAST), "far": (None, FAR)}


def test_a_file_without_a_date_is_public_where_none_is_required(archive: Any, night: Path, made: Any) -> None:
    put(night, made, "none")
    archive.ingest(night, release_required=["other"])
    assert said(archive) == {"none": OPEN}


def test_the_requirement_counts_when_a_file_comes(archive: Any, night: Path, made: Any) -> None:
    put(night, made, "open")
    archive.ingest(night)
    put(night, made, "held")
    assert archive.ingest(night, release_required=["*"]).unchanged == 1
    assert said(archive) == {"open": OPEN, "held": WITHHELD}
    assert archive.ingest(night).unchanged == 2
    assert said(archive) == {"open": OPEN, "held": WITHHELD}


def test_a_touched_or_copied_file_stays_withheld(archive: Any, night: Path, made: Any) -> None:
    put(night, made, "a")
    archive.ingest(night, release_required=["*"])
    content = (night / "a.fits").read_bytes()
    (night / "a.fits").unlink()
    (night / "a.fits").write_bytes(content)
    (night / "copy.fits").write_bytes(content)
    assert archive.ingest(night, holding="copy").unchanged == 2
    assert said(archive) == {"a": WITHHELD}


@pytest.mark.parametrize("when", [PAST, FAR, None])
def test_set_release_ends_it(archive: Any, night: Path, made: Any, when: datetime | None) -> None:
    put(night, made, "a")
    put(night, made, "b")
    archive.ingest(night, release_required=["*"])
    chosen = ids(archive)["a"]
    assert set_release([chosen], when, lake=archive.lake).changed == (chosen,)
    assert said(archive) == {"a": (None, when), "b": WITHHELD}
    assert set_release([chosen], when, lake=archive.lake).unchanged == (chosen,)


def test_set_release_leaves_other_words_on_rights(archive: Any, night: Path) -> None:
    words = {"S": "secure", "P": "proprietary", "N": None}
    columns = archive.lake.schemas().table("ivoa.ObsCore").columns
    rows = [
        {"dp_id": name, "obs_collection": "x", "obs_id": name, "calib_level": 1, "data_rights": word}
        for name, word in words.items()
    ]
    with archive.lake.writer("test") as writer:
        writer.append("ivoa.ObsCore", pa.Table.from_pylist(rows, schema=arrow_schema(columns)))
        writer.commit()
    assert set_release(words, PAST, lake=archive.lake).changed == tuple(words)
    stored = {row["dp_id"]: row["data_rights"] for row in archive.rows("ivoa.ObsCore")}
    assert stored == {"S": "secure", "P": None, "N": None}


@pytest.mark.parametrize(
    ("date", "now"), [(None, WITHHELD), ("2001-01-01", (None, PAST)), ("2199-01-01", (None, FAR))]
)
def test_new_content_stays_withheld_until_there_is_a_date(
    archive: Any, night: Path, made: Any, date: str | None, now: tuple[str | None, datetime | None]
) -> None:
    put(night, made, "a")
    archive.ingest(night, release_required=["*"])
    put(night, made, "a", date=date, EXPTIME=2.0)
    assert archive.ingest(night).replaced == 1
    assert said(archive) == {"a": now}


def test_a_date_that_was_set_counts_for_new_content_too(archive: Any, night: Path, made: Any) -> None:
    put(night, made, "a")
    archive.ingest(night, release_required=["*"])
    set_release(ids(archive).values(), PAST, lake=archive.lake)
    put(night, made, "a", EXPTIME=2.0)
    assert archive.ingest(night, release_required=["*"]).replaced == 1
    assert said(archive) == {"a": (None, PAST)}


def test_a_retried_file_is_withheld_likewise(archive: Any, night: Path, made: Any) -> None:
    (night / "a.fits").write_bytes(b"no FITS")
    assert archive.ingest(night, release_required=["*"]).quarantined == 1
    put(night, made, "a")
    given = {"lake": archive.lake, "quarantine": archive.quarantine, "files_root": archive.root / "files"}
    assert retry(workers=0, release_required=["night"], **given).accepted == 1
    assert said(archive) == {"a": WITHHELD}


PACKAGE = """
name: own
version: "1"
title: An instrument whose headers say who may have the data
extends: generic
claims:
  - {INSTRUME: OWN}
keys:
  ivoa.ObsCore: {data_rights: RIGHTS}
"""


@pytest.fixture
def own_package(tmp_path: Path) -> Path:
    """A folder of Instrument Packages with one whose headers say who may have the data."""
    folder = tmp_path / "instruments" / "own"
    folder.mkdir(parents=True)
    (folder / "package.yaml").write_text(PACKAGE)
    return folder.parent


def test_the_word_of_an_instrument_package_withholds_the_bytes_too(
    archive: Any, night: Path, made: Any, own_package: Path
) -> None:
    for number, word in enumerate(("proprietary", "public", "secure")):
        put(night, made, word, INSTRUME="OWN", RIGHTS=word, EXPTIME=float(number))
    archive.ingest(night, package_folders=[own_package])
    words = {row["file_name"]: row["rights"] for row in archive.rows("archive.files")}
    assert words == {"proprietary.fits": "proprietary", "public.fits": None, "secure.fits": "secure"}


def test_what_is_secure_stays_so_with_a_release_date_and_ends_with_content_that_is_not(
    archive: Any, night: Path, made: Any, own_package: Path
) -> None:
    def come(word: str, exposure: float) -> tuple[str | None, datetime | None]:
        put(night, made, "a", date="2001-01-01", INSTRUME="OWN", RIGHTS=word, EXPTIME=exposure)
        archive.ingest(night, package_folders=[own_package], release_required=["*"])
        [row] = archive.rows("archive.files")
        return row["rights"], row["release_date"]

    assert come("secure", 1) == ("secure", PAST)
    set_release(ids(archive).values(), None, lake=archive.lake)
    assert come("secure", 2) == ("secure", PAST)
    set_release(ids(archive).values(), FAR, lake=archive.lake)
    assert said(archive) == {"a": ("secure", FAR)}
    assert come("public", 3) == (None, FAR)
