from __future__ import annotations

import os
from pathlib import Path

import pytest

from indexer.discovery import Discovered, Found, NotRead, discover
from indexer.errors import IngestError

MAGIC = b"SIMPLE  =                    T"


def put(folder: Path, *names: str, content: bytes = MAGIC) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def found(*paths: str | Path) -> list[str]:
    return [item.relative for item in discover(paths) if isinstance(item, Found)]


def not_read(*paths: str | Path) -> dict[str, str]:
    return {item.relative: item.code for item in discover(paths) if isinstance(item, NotRead)}


def test_folders_are_walked_sorted(night: Path) -> None:
    put(night, "b.fits", "a/z.fits.gz", "a/c.fit", "A.FITS", "d.mt", "e.fits.fz", "f.fits.Z")
    assert found(night) == ["A.FITS", "a/c.fit", "a/z.fits.gz", "b.fits", "d.mt", "e.fits.fz", "f.fits.Z"]


def test_in_a_folder_name_or_first_bytes_say_fits(night: Path) -> None:
    put(night, "frame.dat", "plain")
    put(night, "notes.txt", "x.py", content=b"text")
    put(night, "broken.fits", content=b"")
    assert found(night) == ["broken.fits", "frame.dat", "plain"]


def test_hidden_and_unfinished_files_are_passed_over(night: Path) -> None:
    put(night, ".hidden.fits", ".git/x.fits", "x.fits~", "y.fits.part", "z.fits.tmp", "ok.fits")
    assert found(night) == ["ok.fits"]


def test_a_named_file_is_always_taken(night: Path) -> None:
    put(night, "notes.txt", content=b"text")
    assert found(night / "notes.txt") == ["notes.txt"]
    assert next(iter(discover([night / "notes.txt"]))) == Found(
        night / "notes.txt", night, "notes.txt", 4, (night / "notes.txt").stat().st_mtime_ns
    )


def test_globs_are_rooted_at_their_fixed_part(night: Path) -> None:
    put(night, "a/1.fits", "b/1.fits", "b/2.dat")
    assert found(f"{night}/*/1.*") == ["a/1.fits", "b/1.fits"]
    assert found(f"{night}/**/*.dat") == ["b/2.dat"]


def test_a_file_named_like_a_pattern_is_that_file(night: Path) -> None:
    put(night, "x[1].fits", "x1.fits")
    assert found(night / "x[1].fits") == ["x[1].fits"]


def test_each_file_is_met_once(night: Path) -> None:
    put(night, "a.fits", "b.fits")
    assert found(night, night / "a.fits", f"{night}/*.fits") == ["a.fits", "b.fits"]


def test_a_path_that_does_not_exist_is_an_error_before_anything_is_done(night: Path) -> None:
    put(night, "a.fits")
    for wrong in (night / "absent", f"{night}/*.nothing"):
        with pytest.raises(IngestError) as caught:
            next(iter(discover([night, wrong])))
        assert caught.value.code == "not-found"


def test_links_that_leave_the_root_are_refused(night: Path, tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere"
    put(outside, "secret.fits")
    put(night, "real.fits")
    (night / "file.fits").symlink_to(outside / "secret.fits")
    (night / "folder").symlink_to(outside)
    (night / "sly.fits").symlink_to("../night/../elsewhere/secret.fits")
    (night / "near.fits").symlink_to("real.fits")
    (night / "loop").symlink_to(".")
    assert found(night) == ["near.fits", "real.fits"]
    assert not_read(night) == {
        "file.fits": "link-outside",
        "folder/": "link-outside",
        "sly.fits": "link-outside",
    }
    assert not_read(night / "file.fits") == {"file.fits": "link-outside"}


def test_a_root_that_is_a_link_is_followed(night: Path, tmp_path: Path) -> None:
    put(night, "a.fits")
    (tmp_path / "link").symlink_to(night)
    assert found(tmp_path / "link") == ["a.fits"]


def test_broken_links_have_a_reason(night: Path) -> None:
    (night / "gone.fits").symlink_to("absent.fits")
    assert not_read(night) == {"gone.fits": "unreadable"}


def test_unreadable_folders_have_a_reason(night: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(night, "a/1.fits", "b/1.fits")
    real = os.scandir

    def scandir(path: Path) -> os._ScandirIterator[str]:
        if Path(path).name == "a":
            raise PermissionError(13, "Permission denied")
        return real(os.fspath(path))

    monkeypatch.setattr(os, "scandir", scandir)
    assert found(night) == ["b/1.fits"]
    assert not_read(night) == {"a/": "unreadable"}


def test_names_that_are_no_text_are_refused(night: Path) -> None:
    put(night, os.fsdecode(b"caf\xe9.fits"), "café.fits")
    items: list[Discovered] = list(discover([night]))
    assert [item.relative for item in items if isinstance(item, Found)] == ["café.fits"]
    assert not_read(night) == {"caf\\xe9.fits": "bad-name"}


def test_special_files_are_not_opened(night: Path) -> None:
    os.mkfifo(night / "pipe.fits")
    assert not_read(night / "pipe.fits") == {"pipe.fits": "unreadable"}
    assert found(night) == []


@pytest.mark.parametrize("second", [2**34, -(2**34)])
def test_a_time_that_cannot_be_kept_is_told(night: Path, second: int) -> None:
    put(night, "odd.fits", "plain.fits")
    try:
        os.utime(night / "odd.fits", (second, second))
    except OSError:
        pytest.skip("this file system keeps no such time")
    if abs((night / "odd.fits").stat().st_mtime_ns) < 2**63:
        pytest.skip("this file system keeps no such time")
    assert not_read(night) == {"odd.fits": "bad-time"}
    assert found(night) == ["plain.fits"]
