"""Every file has exactly one outcome, and ids follow their rules."""

from __future__ import annotations

import errno
import gzip
import hashlib
import json
import os
import re
from pathlib import Path
from random import Random
from threading import Event
from typing import Any

import pytest

import indexer.reader
from indexer import IngestError, ingestion, retry
from indexer.discovery import Found
from indexer.identity import minted_id
from indexer.reader import ReadJob

RAW = {
    "INSTRUME": "ISAAC",
    "TELESCOP": "ESO-VLT-U1",
    "ORIGIN": "ESO",
    "ARCFILE": "ISAAC.2006-04-13T06:32:38.944.fits",
    "DATE__OBS": "2006-04-13T06:32:38.944",
    "ESO_DPR_CATG": "SCIENCE",
    "ESO_DPR_TECH": "IMAGE",
    "ESO_DPR_TYPE": "OBJECT",
}
RAW_ID = "ISAAC.2006-04-13T06:32:38.944"


def put(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_folder_becomes_rows_in_all_tables(archive: Any, night: Path, made: Any) -> None:
    content = made.sky_image(**RAW)
    path = put(night, "sub/raw.fits", content)
    put(night, "image.fits.gz", gzip.compress(made.sky_image(OBJECT="A 478")))
    summary = archive.ingest(night)
    assert summary.line() == "accepted 2, unchanged 0, replaced 0, quarantined 0"
    assert summary.version == archive.lake.version() == 1
    minted = minted_id("night", "image.fits.gz")
    assert (
        archive.ids()
        == archive.ids("phase3v2.files")
        == archive.ids("archive.files")
        == sorted([RAW_ID, minted])
    )
    assert archive.ids("dbo.raw") == [RAW_ID]
    file = archive.rows("archive.files")[0]
    assert file["checksum"] == hashlib.sha256(content).hexdigest()
    assert (file["location"], file["path"], file["holding"]) == (str(path), "sub/raw.fits", "reference")
    assert (file["collection"], file["revision"], file["size"]) == ("night", 1, len(content))
    cards = json.loads(archive.rows("archive.headers")[0]["cards"])
    assert cards[0][0] == "SIMPLE  =                    T".ljust(80)


def test_a_position_has_its_cells(archive: Any, night: Path, made: Any) -> None:
    put(night, "image.fits", made.sky_image())
    put(night, "dark.fits", made.image())
    archive.ingest(night)
    rows = {row["s_ra"]: row for row in archive.rows("ivoa.obscore")}
    assert rows[None]["_healpix"] == -1
    assert rows[None]["_border"] is None
    (placed,) = (row for ra, row in rows.items() if ra is not None)
    ranges = [*placed["_inner"], *placed["_border"]]
    assert any(low <= placed["_healpix"] < high for low, high in zip(ranges[::2], ranges[1::2], strict=True))


def test_minted_ids_are_readable_and_told_by_collection_and_path() -> None:
    found = minted_id("My data/2", "a b/ñame (1).fits.fz")
    assert re.fullmatch(r"My_data_2\.ame_1\.[0-9a-f]{10}", found)
    assert found != minted_id("My data/2", "a c/ñame (1).fits.fz")


def test_a_second_run_opens_nothing(
    archive: Any, night: Path, made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(night, "a.fits", made.image())
    put(night, "b.fits", made.image())
    archive.ingest(night)
    monkeypatch.setattr(indexer.reader, "read_fits", lambda *_, **__: pytest.fail("opened"))
    summary = archive.ingest(night)
    assert (summary.unchanged, summary.total, summary.version) == (2, 2, 1)


def test_touched_files_are_unchanged_and_their_time_is_kept(archive: Any, night: Path, made: Any) -> None:
    path = put(night, "a.fits", made.image())
    archive.ingest(night)
    os.utime(path, ns=(1, 5_000_000_000))
    assert archive.ingest(night).unchanged == 1
    assert archive.rows("archive.files")[0]["mtime"] == 5_000_000_000
    assert archive.ingest(night).version == 2


def test_same_path_and_new_content_is_a_new_revision(archive: Any, night: Path, made: Any) -> None:
    path = put(night, "a.fits", made.sky_image(OBJECT="before"))
    archive.ingest(night)
    path.write_bytes(made.image(OBJECT="afterwards"))
    assert archive.ingest(night).line() == "accepted 0, unchanged 0, replaced 1, quarantined 0"
    (row,) = archive.rows("ivoa.obscore")
    assert (row["dp_id"], row["target_name"], row["s_ra"]) == (
        minted_id("night", "a.fits"),
        "afterwards",
        None,
    )
    for table in ("archive.files", "archive.headers", "phase3v2.files"):
        assert [r["revision"] for r in archive.rows(table)] == [2], table


def test_same_content_at_another_path_is_an_alias(archive: Any, night: Path, made: Any) -> None:
    put(night, "a.fits", made.image())
    put(night, "b/again.fits", made.image())
    assert archive.ingest(night).line() == "accepted 1, unchanged 1, replaced 0, quarantined 0"
    (alias,) = archive.rows("archive.aliases")
    assert (alias["path"], alias["dp_id"]) == ("b/again.fits", minted_id("night", "a.fits"))
    assert archive.ingest(night).version == 1


def test_content_that_is_lost_at_its_first_place_is_kept_from_its_other_one(
    archive: Any, night: Path, made: Any
) -> None:
    path = put(night, "a.fits", made.image(OBJECT="first"))
    put(night, "b.fits", made.image(OBJECT="first"))
    archive.ingest(night)
    path.write_bytes(made.image(OBJECT="second"))
    archive.ingest(path, collection="night")
    assert archive.ingest(night).line() == "accepted 1, unchanged 1, replaced 0, quarantined 0"
    assert {row["target_name"] for row in archive.rows("ivoa.obscore")} == {"first", "second"}
    assert archive.rows("archive.aliases") == []
    assert archive.ingest(night).unchanged == 2


def test_an_alias_that_changes_becomes_a_file_of_its_own(archive: Any, night: Path, made: Any) -> None:
    put(night, "a.fits", made.image())
    path = put(night, "b.fits", made.image())
    archive.ingest(night)
    path.write_bytes(made.image(OBJECT="other"))
    assert archive.ingest(night).accepted == 1
    assert archive.rows("archive.aliases") == []
    assert len(archive.ids()) == 2


def test_other_content_with_an_id_that_is_taken_is_refused_naming_both(
    archive: Any, night: Path, made: Any
) -> None:
    put(night, "a.fits", made.sky_image(**RAW))
    put(night, "b.fits", made.sky_image(**RAW, OBJECT="other"))
    summary = archive.ingest(night)
    assert summary.line() == "accepted 1, unchanged 0, replaced 0, quarantined 1"
    (reason,) = summary.reasons
    assert (reason.where, reason.code) == ("b.fits", "id-taken")
    assert RAW_ID in reason.message
    assert "night/a.fits" in reason.message


def test_a_product_never_takes_its_raw_frames_id(archive: Any, night: Path, made: Any) -> None:
    product = made.sky_image(**RAW, ESO_PRO_CATG="REDUCED")
    put(night, "product.fits", product)
    put(night, "raw.fits", made.sky_image(**RAW))
    archive.ingest(night)
    assert archive.ids() == sorted([RAW_ID, minted_id("night", "product.fits")])
    put(night, "raw.fits", made.sky_image(**RAW, ESO_PRO_CATG="OTHER"))
    assert archive.ingest(night).reasons[0].code == "id-changed"
    assert archive.ids("dbo.raw") == [RAW_ID]


def test_two_roots_with_the_same_path_in_one_collection_do_not_overwrite_each_other(
    archive: Any, tmp_path: Path, made: Any
) -> None:
    put(tmp_path / "one", "a.fits", made.image(OBJECT="one"))
    put(tmp_path / "two", "a.fits", made.image(OBJECT="two"))
    both = (tmp_path / "one", tmp_path / "two")
    assert archive.ingest(*both, collection="x").reasons[0].code == "path-taken"
    assert archive.ingest(both[1], collection="x").reasons[0].code == "path-taken"
    assert [row["target_name"] for row in archive.rows("ivoa.obscore")] == ["one"]
    assert archive.ingest(*both).line() == "accepted 1, unchanged 1, replaced 0, quarantined 0"


def test_a_file_whose_path_was_taken_gets_the_id_of_its_path_when_it_is_tried_again(
    archive: Any, tmp_path: Path, made: Any
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
        put(folder, "a.fits", made.image(OBJECT=folder.name))
    given = {"lake": archive.lake, "quarantine": archive.quarantine, "files_root": archive.root / "files"}
    assert archive.ingest(one, two, collection="x").quarantined == 1
    taken = {str(two / "a.fits"): "path-taken"}
    assert archive.refused() == taken
    assert retry(workers=0, **given).quarantined == 1
    assert archive.ingest(one, collection="x").unchanged == 1
    assert archive.refused() == taken
    (one / "a.fits").unlink()
    assert retry(workers=0, **given).replaced == 1
    assert archive.refused() == {}
    assert archive.ids() == [minted_id("x", "a.fits")]


def test_files_of_the_same_path_below_two_roots_are_refused_and_forgotten_one_by_one(
    archive: Any, tmp_path: Path, made: Any
) -> None:
    roots = [tmp_path / "one", tmp_path / "two"]
    for root in roots:
        put(root, "a.fits", b"SIMPLE  = no")
        archive.ingest(root, collection="x")
    assert [entry.root for entry in archive.quarantine.list()] == [str(root) for root in roots]
    put(roots[0], "a.fits", made.image())
    assert archive.ingest(roots[0], collection="x").accepted == 1
    [left] = archive.quarantine.list()
    assert left.root == str(roots[1])
    put(roots[1], "a.fits", made.image())
    given = {"lake": archive.lake, "quarantine": archive.quarantine, "files_root": archive.root / "files"}
    assert retry([left.id], workers=0, **given).unchanged == 1
    assert archive.refused() == {}


def test_a_refused_file_that_moved_is_listed_once_and_forgotten_when_it_is_accepted(
    archive: Any, tmp_path: Path, made: Any
) -> None:
    old, new = tmp_path / "old/night", tmp_path / "new/night"
    put(old, "a.fits", b"SIMPLE  = no")
    archive.ingest(old)
    old.parent.rename(new.parent)
    archive.ingest(new)
    assert [entry.root for entry in archive.quarantine.list()] == [str(new)]
    new.parent.rename(old.parent)
    put(old, "a.fits", made.image())
    assert archive.ingest(old).accepted == 1
    assert archive.refused() == {}


def test_a_moved_tree_is_followed(archive: Any, tmp_path: Path, made: Any) -> None:
    put(tmp_path / "old/night", "a.fits", made.image())
    archive.ingest(tmp_path / "old/night")
    (tmp_path / "old").rename(tmp_path / "new")
    assert archive.ingest(tmp_path / "new/night").unchanged == 1
    assert archive.rows("archive.files")[0]["location"] == str(tmp_path / "new/night/a.fits")


def test_refused_files_stand_in_the_quarantine_until_they_are_accepted(
    archive: Any, night: Path, made: Any
) -> None:
    content = made.image((100, 100))
    path = put(night, "sub/a.fits", content[:9000])
    put(night, "b.fits", made.image())
    summary = archive.ingest(night)
    assert summary.line() == "accepted 1, unchanged 0, replaced 0, quarantined 1"
    assert archive.refused() == {"sub/a.fits": "truncated"}
    path.write_bytes(content)
    stores = {"lake": archive.lake, "quarantine": archive.quarantine, "files_root": archive.root / "files"}
    assert retry(**stores, workers=0).accepted == 1
    assert archive.refused() == {}
    assert minted_id("night", "sub/a.fits") in archive.ids()


def test_an_unreadable_folder_is_listed_until_it_can_be_read(
    archive: Any, night: Path, made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(night, "a/1.fits", made.image())
    real = os.scandir

    def scandir(path: Path) -> object:
        if Path(path).name == "a":
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", scandir)
        assert archive.ingest(night).quarantined == 1
    assert archive.refused() == {"a/": "unreadable"}
    assert archive.ingest(night).accepted == 1
    assert archive.refused() == {}


def test_copies_are_whole_and_stand_by_their_checksum(archive: Any, night: Path, made: Any) -> None:
    content = made.image((100, 100))
    put(night, "a.fits", content)
    put(night, "same.fits", content)
    put(night, "broken.fits", content[:5000])
    archive.ingest(night, holding="copy")
    checksum = hashlib.sha256(content).hexdigest()
    files = [path for path in (archive.root / "files").rglob("*") if path.is_file()]
    assert [path.relative_to(archive.root / "files").as_posix() for path in files] == [
        f"{checksum[:2]}/{checksum}"
    ]
    assert files[0].read_bytes() == content
    (row,) = archive.rows("archive.files")
    assert (row["holding"], row["location"]) == ("managed", f"{checksum[:2]}/{checksum}")
    assert (night / "a.fits").exists()


@pytest.mark.parametrize("holding", ["copy", "move"])
def test_what_was_referred_to_is_taken_over_later_with_its_id(
    archive: Any, night: Path, made: Any, holding: str
) -> None:
    content = made.image((100, 100))
    put(night, "a.fits", content)
    put(night, "b/same.fits", content)
    archive.ingest(night)
    (before,) = archive.rows("archive.files")
    summary = archive.ingest(night, holding=holding)
    assert summary.line() == "accepted 0, unchanged 2, replaced 0, quarantined 0"
    (row,) = archive.rows("archive.files")
    assert (row["dp_id"], row["revision"], row["holding"]) == (before["dp_id"], 1, "managed")
    assert row["content_type"] == "application/fits"
    assert (archive.root / "files" / row["location"]).read_bytes() == content
    assert (night / "a.fits").exists() is (night / "b/same.fits").exists() is (holding == "copy")
    version = archive.lake.version()
    if holding == "copy":
        assert archive.ingest(night, holding="copy").version == archive.ingest(night).version == version


def test_bytes_that_the_file_store_lost_are_copied_again(archive: Any, night: Path, made: Any) -> None:
    put(night, "a.fits", made.image())
    archive.ingest(night, holding="copy")
    (row,) = archive.rows("archive.files")
    (archive.root / "files" / row["location"]).unlink()
    assert archive.ingest(night, holding="copy").unchanged == 1
    assert (archive.root / "files" / row["location"]).read_bytes() == made.image()


def test_move_removes_originals_of_what_is_kept(archive: Any, night: Path, made: Any) -> None:
    put(night, "a.fits", made.image())
    put(night, "broken.fits", b"")
    archive.ingest(night, holding="move")
    assert [path.name for path in night.iterdir()] == ["broken.fits"]


def test_a_full_disk_stops_the_run_and_keeps_what_was_committed(
    archive: Any, night: Path, made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(night, "a.fits", made.image())
    archive.ingest(night, holding="copy")
    put(night, "b.fits", made.image(OBJECT="b"))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(IngestError, match="No space left on device") as caught:
            archive.ingest(night, holding="copy")
    assert "\n" not in caught.value.message
    assert len(archive.ids()) == 1
    assert (
        archive.ingest(night, holding="copy").line() == "accepted 1, unchanged 1, replaced 0, quarantined 0"
    )


def test_a_lake_that_cannot_be_written_stops_the_run(
    archive: Any, night: Path, made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(night, "a.fits", made.image())

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("store.lake.tables.LakeTable.append", full)
        with pytest.raises(IngestError, match="No space left on device"):
            archive.ingest(night)
    assert archive.lake.version() == 0
    assert archive.ingest(night).accepted == 1


def test_a_run_that_is_stopped_commits_what_was_read(archive: Any, night: Path, made: Any) -> None:
    for number in range(5):
        put(night, f"{number}.fits", made.image(OBJECT=str(number)))
    stop = Event()
    summary = archive.ingest(night, stop=stop, progress=lambda _: None)
    assert not summary.stopped
    stop.set()
    put(night, "more.fits", made.image(OBJECT="more"))
    summary = archive.ingest(night, stop=stop)
    assert (summary.stopped, summary.total) == (True, 0)


def test_ids_are_settled_under_the_lease(
    archive: Any, night: Path, made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run commits the same files after ours has read them, before it takes the lease."""
    put(night, "a.fits", made.image())
    prepare = ingestion.prepare
    with monkeypatch.context() as patch:

        def late(files: object, schemas: object) -> object:
            batch = prepare(files, schemas)
            patch.undo()
            assert archive.ingest(night).accepted == 1
            return batch

        patch.setattr(ingestion, "prepare", late)
        assert archive.ingest(night).line() == "accepted 0, unchanged 1, replaced 0, quarantined 0"
    assert len(archive.ids()) == 1


@pytest.mark.slow
def test_reader_processes_give_the_same_rows(archive: Any, night: Path, made: Any) -> None:
    for number in range(20):
        put(night, f"{number}.fits", made.sky_image(OBJECT=str(number)))
    put(night, "bad.fits", b"")
    summary = archive.ingest(night, workers=2)
    assert summary.line() == "accepted 20, unchanged 0, replaced 0, quarantined 1"
    assert archive.refused() == {"bad.fits": "empty"}


def test_wrong_values_are_never_accepted_as_true(archive: Any, night: Path, made: Any) -> None:
    for name, cards in {
        "nan": {"CRVAL1": "NaN", "CD1_1": "Inf"},
        "ra400": {"CRVAL1": 400.0},
        "dec95": {"CRVAL2": 95.0},
        "huge": {"CDELT1": 1e300},
        "zero": {"CDELT1": 0.0, "CDELT2": 0.0},
        "text": {"CRVAL1": "abc"},
        "odd": {"OBJECT": "caf\xe9", "EXPTIME": -1.0, "MJD__OBS": 1e9},
    }.items():
        put(night, f"{name}.fits", made.sky_image(**cards))
    summary = archive.ingest(night)
    assert summary.total == 7
    for row in archive.rows("ivoa.obscore"):
        if row["s_ra"] is not None:
            assert 0 <= row["s_ra"] <= 360
            assert -90 <= row["s_dec"] <= 90
        assert row["t_exptime"] is None or row["t_exptime"] >= 0


def test_five_styles_of_dates_are_one_moment(archive: Any, night: Path, made: Any) -> None:
    styles: dict[str, dict[str, object]] = {
        "iso": {"DATE__OBS": "1998-12-24T00:00:00"},
        "day": {"DATE__OBS": "1998-12-24"},
        "old": {"DATE__OBS": "24/12/98"},
        "blank": {"DATE__OBS": "1998-12-24 00:00:00.000"},
        "mjd": {"MJD__OBS": 51171.0},
    }
    for name, cards in styles.items():
        put(night, f"{name}.fits", made.image(**cards))
    archive.ingest(night)
    assert [row["t_min"] for row in archive.rows("ivoa.obscore")] == [51171.0] * 5


def test_jobs_have_time_by_their_size(night: Path, made: Any) -> None:
    path = put(night, "a.fits", made.image())
    found = Found(path, night, "a.fits", 10**10, 0)
    assert ReadJob(found, "x").seconds > 2000


def test_a_batch_is_one_version(archive: Any, night: Path, made: Any) -> None:
    for number in range(30):
        put(night, f"{number}.fits", made.image(OBJECT=str(number)))
    archive.ingest(night)
    assert archive.lake.version() == 1
    assert len({row["_batch"] for row in archive.rows("ivoa.obscore")}) == 1


def mutated(content: bytes, random: Random) -> bytes:
    """Change a file as bad disks, editors and transfers do, mostly in its header."""
    changed = bytearray(content)
    for _ in range(random.randrange(1, 6)):
        place = random.randrange(len(changed) if random.random() < 0.2 else 2000)
        piece = random.choice(
            [b"NaN", b"-1", b"1E400", b"'", b"/", b"\xe9", b"\0", b"=", b"T", b"9" * 15, b"END"]
        )
        changed[place : place + len(piece)] = piece
    return bytes(changed[: random.randrange(len(changed))] if random.random() < 0.1 else changed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_whatever_happened_to_files_every_one_is_accounted_for(
    archive: Any, night: Path, made: Any, seed: int
) -> None:
    random = Random(seed)
    sources = [made.sky_image(**RAW), made.sky_image(RADESYS="FK5", EXPTIME=10.0, FILTER="V"), made.image()]
    for number in range(100):
        put(night, f"{number}.fits", mutated(random.choice(sources), random))
    summary = archive.ingest(night)
    assert summary.total == 100
    assert [reason for reason in summary.reasons if reason.code in ("reader-failed", "reader-died")] == []
    assert len(archive.ids()) == summary.accepted
    assert len(archive.refused()) == summary.quarantined
    again = archive.ingest(night)
    assert (again.accepted, again.replaced, again.version) == (0, 0, summary.version)
