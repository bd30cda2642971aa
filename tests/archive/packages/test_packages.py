"""Packages: what is in them, what is not, and that any part of one is that part of the whole."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.archive.conftest import NOW, SmallArchive, add_rows, build_archive, file_row, observation

PACKAGES = "/api/v1/packages"
SIZES = (0, 1, 511, 512, 513, 70_000, 3_000_000)


def content(number: int) -> bytes:
    return bytes([number]) * SIZES[number]


@dataclass
class WithFiles:
    """An archive with files of several sizes, and some that are not to be had."""

    archive: SmallArchive
    folder: Path

    def ask(self, **body: Any) -> tuple[int, dict[str, Any]]:
        reply = self.archive.client.post(PACKAGES, json=body)
        return reply.status_code, reply.json()

    def get(self, url: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        reply = self.archive.client.get(f"{PACKAGES}/{url.rpartition('/')[2]}", headers=named)
        return reply.status_code, reply.content, dict(reply.headers)


def place(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    os.utime(path, ns=(10**18, 10**18))
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WithFiles]:
    folder = tmp_path_factory.mktemp("delivered")
    archive = build_archive(tmp_path_factory.mktemp("archive"), 4)
    rows = [
        file_row(f"F{number}", place(folder, f"n{number}.fits", content(number)), content(number))
        for number in range(len(SIZES))
    ]
    other = place(folder, "other", b"second")
    rows += [
        file_row("SAME", other, b"second", file_name="N1.fits"),
        file_row("LONG", other, b"second", file_name=f"{'é☆' * 60}.fits"),
        file_row("SOON", other, b"second", release_date=NOW.replace(tzinfo=None) + timedelta(days=1)),
        file_row("SECURE", other, b"second", rights="secure"),
        file_row("WITHDRAWN", other, b"second", withdrawn="the header was wrong"),
        file_row("CHANGED", other, b"changed"),
        file_row("GONE", folder / "gone", b""),
    ]
    elsewhere = observation(9) | {"dp_id": "ELSEWHERE", "access_url": "https://other.example/x"}
    add_rows(archive.lake, "ivoa.ObsCore", [elsewhere])
    add_rows(archive.lake, "archive.files", rows)
    archive.refresh()
    yield WithFiles(archive, folder)
    archive.close()


@pytest.fixture(scope="module")
def whole(files: WithFiles) -> dict[str, tuple[str, bytes, str]]:
    """Ask for a package of everything, and return its two forms: address, bytes and entity tag."""
    ids = [f"F{number}" for number in range(len(SIZES))] + ["SAME", "LONG", "SOON", "GONE", "ELSEWHERE"]
    status, document = files.ask(ids=ids)
    assert status == 201
    found = {}
    for form in ("tar", "zip"):
        status, data, headers = files.get(document[form])
        assert status == 200
        assert len(data) == int(headers["content-length"])
        found[form] = (document[form], data, headers["etag"])
    return found


def members(form: str, data: bytes) -> dict[str, bytes]:
    if form == "zip":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert archive.testzip() is None
            return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        return {item.name.partition("/")[2]: tar.extractfile(item).read() for item in tar}  # type: ignore[union-attr]


@pytest.mark.parametrize("form", ["tar", "zip"])
def test_a_package_has_its_files_and_what_verifies_them(
    whole: dict[str, tuple[str, bytes, str]], form: str
) -> None:
    found = members(form, whole[form][1])
    sums = [line.split("  ", 1) for line in found["manifest-sha256.txt"].decode().splitlines()]
    assert {name: hashlib.sha256(found[name]).hexdigest() for _, name in sums} == {n: s for s, n in sums}
    assert {name for name in found if name.startswith("data/")} == {name for _, name in sums}
    for number in range(len(SIZES)):
        assert found[f"data/n{number}.fits"] == content(number)
    assert found["data/SAME/N1.fits"] == b"second"
    assert len(sums) == len(SIZES) + 2
    manifest = found["manifest.csv"].decode()
    assert "SOON,,,,left out,proprietary: " in manifest
    assert 'ELSEWHERE,,,,left out,"held-elsewhere: ' in manifest
    assert "https://other.example/x" in manifest


@settings(max_examples=60, deadline=None)
@given(data=st.data(), form=st.sampled_from(["tar", "zip"]))
def test_any_range_is_that_part_of_the_whole(
    files: WithFiles, whole: dict[str, tuple[str, bytes, str]], data: st.DataObject, form: str
) -> None:
    url, everything, tag = whole[form]
    first = data.draw(st.integers(0, len(everything) - 1))
    last = data.draw(st.integers(first, len(everything) - 1))
    status, part, headers = files.get(url, Range=f"bytes={first}-{last}", If_Range=tag)
    assert status == 206
    assert part == everything[first : last + 1]
    assert headers["content-range"] == f"bytes {first}-{last}/{len(everything)}"


def test_another_entity_tag_gets_the_whole(
    files: WithFiles, whole: dict[str, tuple[str, bytes, str]]
) -> None:
    url, everything, _ = whole["tar"]
    status, data, _ = files.get(url, Range="bytes=5-9", If_Range='"other"')
    assert (status, data == everything) == (200, True)


def test_who_asks_is_told_what_is_left_out_and_why(files: WithFiles) -> None:
    status, document = files.ask(ids=["F1", "SOON", "SECURE", "WITHDRAWN", "CHANGED", "GONE", "NONE"])
    assert (status, document["files"], document["bytes"]) == (201, 1, 1)
    reasons = {item["dp_id"]: item["reason"] for item in document["left_out"]["files"]}
    assert reasons == {
        "SOON": "proprietary",
        "SECURE": "secure",
        "WITHDRAWN": "withdrawn",
        "CHANGED": "changed",
        "GONE": "missing",
        "NONE": "unknown",
    }


def test_a_package_of_nothing_is_a_problem(files: WithFiles) -> None:
    assert files.ask(ids=["SOON", "SECURE"])[0] == 401
    assert files.ask(ids=["NONE", "SOON"])[0] == 404
    assert files.ask(ids=[])[0] == 400
    assert files.ask(ids=["F1"], target="NGC 1")[0] == 400
    assert files.ask(nonsense=1)[0] == 400
    assert files.get("0" * 32)[0] == 404
    assert files.get("0" * 32 + ".tar")[0] == 404


def test_a_selection_is_that_of_a_search(files: WithFiles) -> None:
    status, document = files.ask(where={"dp_id": "ELSEWHERE"})
    assert (status, document["type"]) == (404, "urn:onedfs:problem:empty")


def test_a_form_asked_for_is_a_redirect(files: WithFiles) -> None:
    reply = files.archive.client.post(PACKAGES, json={"ids": ["F1"], "format": "zip"})
    assert reply.status_code == 303
    assert members("zip", files.get(reply.headers["location"])[1])["data/n1.fits"] == content(1)


def test_a_file_that_changed_since_is_never_sent(files: WithFiles) -> None:
    path = place(files.folder, "fleeting", b"before")
    add_rows(files.archive.lake, "archive.files", [file_row("FLEETING", path, b"before")])
    files.archive.refresh()
    _, document = files.ask(ids=["F1", "FLEETING"])
    path.write_bytes(b"after!")
    # The transport of this test tells a cut connection as less than was promised.
    _, data, headers = files.get(document["tar"])
    assert b"after!" not in data
    assert len(data) < int(headers["content-length"])
