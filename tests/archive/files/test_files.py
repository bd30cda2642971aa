"""Downloads: bytes, headers, and who gets them."""

from __future__ import annotations

import email
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.archive.conftest import (
    NOW,
    SmallArchive,
    add_rows,
    build_archive,
    file_row,
    header_row,
    observation,
)

ELSEWHERE = "https://other.example/get?id=1&x=%20"
CONTENT = bytes(range(256)) * 4000
PUBLIC = NOW.replace(tzinfo=None)


@dataclass
class WithFiles:
    """An archive with files of every kind, and the folder of the referenced ones."""

    archive: SmallArchive
    folder: Path

    def get(self, dp_id: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
        reply = self.archive.client.get(f"/files/{quote(dp_id, safe='')}", headers=named(headers))
        return reply.status_code, reply.content, dict(reply.headers)


def named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def _place(folder: Path, name: str, content: bytes = CONTENT) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WithFiles]:
    root = tmp_path_factory.mktemp("files")
    folder, store = root / "delivered", root / "data" / "files"
    plain = _place(folder, "plain.fits")
    odd = _place(folder, 'o"dd\n;é☆.fits')
    empty = _place(folder, "empty.fits", b"")
    changed = _place(folder, "changed.fits")
    outside = _place(root, "secret.txt", b"secret")
    _place(store, "aa/managed")
    (store / "aa/link").symlink_to(outside)
    (store / "out").symlink_to(root)
    os.mkfifo(folder / "pipe")
    managed = {"holding": "managed", "file_name": "managed.fits"}
    rows = [
        file_row("PLAIN", plain, CONTENT),
        file_row("odd id/with #1 ä%2F?.fits", odd, CONTENT),
        file_row("EMPTY", empty, b""),
        file_row("CHANGED", changed, CONTENT),
        file_row("GONE", folder / "gone.fits", CONTENT),
        file_row("PIPE", folder / "pipe", b""),
        file_row("FOLDER", folder, b""),
        file_row("WITHDRAWN", plain, CONTENT, withdrawn="the header was wrong"),
        file_row("MANAGED", store / "aa/managed", CONTENT, location="aa/managed", **managed),
        *(
            file_row(f"ESCAPE-{i}", outside, b"secret", location=location, **managed)
            for i, location in enumerate(
                ("../../secret.txt", str(outside), "aa/link", "out/secret.txt", "", ".")
            )
        ),
        file_row("JUST-PUBLIC", plain, CONTENT, release_date=PUBLIC),
        file_row("SOON", plain, CONTENT, release_date=PUBLIC + timedelta(microseconds=1)),
        file_row("UNDATED", plain, CONTENT, rights="proprietary"),
        file_row("SECURE", plain, CONTENT, rights="secure", release_date=PUBLIC),
        file_row("RELEASED", plain, CONTENT, rights="proprietary", release_date=PUBLIC),
        file_row("FAR", plain, CONTENT, release_date=datetime(2199, 1, 1)),  # noqa: DTZ001
    ]
    changed.write_bytes(CONTENT[:-1] + b"x")
    os.utime(changed, ns=(1, 1))
    archive = build_archive(root / "data", 10)
    add_rows(archive.lake, "archive.files", rows)
    cards = [
        ["SIMPLE  =                    T", "OBJECT  = 'NGC 1   '", "END"],
        ["XTENSION= 'IMAGE   '", "END"],
    ]
    add_rows(
        archive.lake,
        "archive.headers",
        [header_row(dp_id, cards) for dp_id in ("PLAIN", "SOON", "WITHDRAWN", "odd id/with #1 ä%2F?.fits")],
    )
    other = observation(9000) | {"dp_id": "ELSEWHERE", "access_url": ELSEWHERE}
    add_rows(archive.lake, "ivoa.ObsCore", [other])
    archive.refresh()
    yield WithFiles(archive, folder)
    archive.close()


@pytest.mark.parametrize(
    "dp_id", ["PLAIN", "MANAGED", "odd id/with #1 ä%2F?.fits", "JUST-PUBLIC", "RELEASED"]
)
def test_a_file_comes_as_it_was_recorded(files: WithFiles, dp_id: str) -> None:
    status, body, headers = files.get(dp_id)
    assert (status, body) == (200, CONTENT)
    assert headers["etag"] == f'"{hashlib.sha256(body).hexdigest()}"'
    assert headers["content-length"] == str(len(CONTENT))
    assert headers["content-type"] == "application/fits"
    assert headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize("dp_id", ["PLAIN", "MANAGED", "EMPTY"])
def test_head_says_what_get_says(files: WithFiles, dp_id: str) -> None:
    got, head = (files.archive.client.request(method, f"/files/{dp_id}") for method in ("GET", "HEAD"))
    ignored = {"x-request-id"}
    assert {k: v for k, v in head.headers.items() if k not in ignored} == {
        k: v for k, v in got.headers.items() if k not in ignored
    }
    assert head.content == b""


def test_an_empty_file_is_empty(files: WithFiles) -> None:
    assert files.get("EMPTY")[:2] == (200, b"")
    assert files.get("EMPTY", Range="bytes=0-")[0] == 416


def test_a_file_name_cannot_break_out_of_its_header(files: WithFiles) -> None:
    disposition = files.get("odd id/with #1 ä%2F?.fits")[2]["content-disposition"]
    plain, _, extended = disposition.partition("; filename*=UTF-8''")
    assert plain == 'attachment; filename="o_dd____.fits"'
    assert extended == quote('o"dd\n;é☆.fits', safe="")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.integers(0, len(CONTENT) - 1), length=st.integers(0, 5000))
def test_a_range_is_that_part_of_the_bytes(files: WithFiles, first: int, length: int) -> None:
    status, body, headers = files.get("PLAIN", Range=f"bytes={first}-{first + length}")
    assert (status, body) == (206, CONTENT[first : first + length + 1])
    last = min(first + length, len(CONTENT) - 1)
    assert headers["content-range"] == f"bytes {first}-{last}/{len(CONTENT)}"
    assert headers["content-length"] == str(len(body))


def test_several_ranges_come_as_parts(files: WithFiles) -> None:
    status, body, headers = files.get("PLAIN", Range="bytes=0-9,100-199,-3")
    assert status == 206
    assert headers["content-length"] == str(len(body))
    message = email.message_from_bytes(
        b"Content-Type: " + headers["content-type"].encode() + b"\r\n\r\n" + body
    )
    found = [(part["Content-Range"], part.get_payload(decode=True)) for part in message.get_payload()]
    size = len(CONTENT)
    assert found == [
        (f"bytes 0-9/{size}", CONTENT[:10]),
        (f"bytes 100-199/{size}", CONTENT[100:200]),
        (f"bytes {size - 3}-{size - 1}/{size}", CONTENT[-3:]),
    ]


def test_a_range_beyond_the_end_says_how_long_the_file_is(files: WithFiles) -> None:
    status, _, headers = files.get("PLAIN", Range=f"bytes={len(CONTENT)}-")
    assert (status, headers["content-range"]) == (416, f"bytes */{len(CONTENT)}")


def test_what_the_client_has_is_not_sent_again(files: WithFiles) -> None:
    etag = files.get("PLAIN")[2]["etag"]
    status, body, headers = files.get("PLAIN", If_None_Match=etag)
    assert (status, body, headers["etag"]) == (304, b"", etag)
    assert "content-length" not in headers
    assert files.get("PLAIN", If_Match='"other"')[0] == 412
    assert files.get("PLAIN", Range="bytes=0-3", If_Range=etag)[0] == 206
    assert files.get("PLAIN", Range="bytes=0-3", If_Range='"other"')[:2] == (200, CONTENT)


def test_bytes_are_not_compressed_on_the_way(files: WithFiles) -> None:
    assert "content-encoding" not in files.get("PLAIN", Accept_Encoding="gzip")[2]


@pytest.mark.parametrize(
    ("dp_id", "status", "kind"),
    [
        ("CHANGED", 409, "changed"),
        ("PIPE", 409, "changed"),
        ("FOLDER", 409, "changed"),
        ("GONE", 404, "missing"),
        ("WITHDRAWN", 410, "withdrawn"),
        ("NEVER-HEARD-OF", 404, "unknown-file"),
        ("\x00", 404, "unknown-file"),
        ("OBS.00004", 404, "no-bytes"),
        ("ELSEWHERE", 404, "held-elsewhere"),
    ],
)
def test_what_is_not_there_is_told_apart(files: WithFiles, dp_id: str, status: int, kind: str) -> None:
    reply = files.archive.client.get(f"/files/{quote(dp_id, safe='')}")
    assert reply.status_code == status
    assert reply.json()["type"] == f"urn:onedfs:problem:{kind}"


def test_a_row_without_bytes_tells_where_they_are(files: WithFiles) -> None:
    reply = files.archive.client.get("/files/ELSEWHERE")
    assert reply.json()["access_url"] == ELSEWHERE


@pytest.mark.parametrize("number", range(6))
def test_no_location_leaves_the_file_store(files: WithFiles, number: int) -> None:
    status, body, _ = files.get(f"ESCAPE-{number}")
    assert status in (404, 409)
    assert b"secret" not in body


BYTE_ROUTES = [("GET", {}), ("HEAD", {}), ("GET", {"Range": "bytes=0-3"}), ("GET", {"If-None-Match": '"x"'})]


@pytest.mark.parametrize("dp_id", ["SOON", "FAR", "UNDATED", "SECURE"])
@pytest.mark.parametrize(("method", "headers"), BYTE_ROUTES)
def test_bytes_before_their_release_need_a_login(
    files: WithFiles, dp_id: str, method: str, headers: dict[str, str]
) -> None:
    reply = files.archive.client.request(method, f"/files/{dp_id}", headers=headers)
    assert reply.status_code == 401
    assert reply.headers["www-authenticate"] == 'Bearer realm="onedfs.example"'
    assert CONTENT[:50] not in reply.content


def test_the_refusal_says_until_when(files: WithFiles) -> None:
    document = files.archive.client.get("/files/FAR").json()
    assert (document["release_date"], document["data_rights"]) == ("2199-01-01T00:00:00", "proprietary")


def test_the_refusal_says_that_there_is_no_date_yet(files: WithFiles) -> None:
    document = files.archive.client.get("/files/UNDATED").json()
    assert document["detail"] == "UNDATED is proprietary: it needs a release date and has none yet"
    assert (document["release_date"], document["data_rights"]) == (None, "proprietary")


def test_even_the_validators_of_proprietary_bytes_are_kept_back(files: WithFiles) -> None:
    etag = files.get("PLAIN")[2]["etag"]
    status, _, headers = files.get("FAR", If_None_Match=etag)
    assert status == 401
    assert "etag" not in headers


@pytest.mark.parametrize("dp_id", ["PLAIN", "SOON", "odd id/with #1 ä%2F?.fits"])
def test_headers_are_public_as_text_and_json(files: WithFiles, dp_id: str) -> None:
    url = f"/headers/{quote(dp_id, safe='')}"
    text = files.archive.client.get(url)
    assert text.headers["content-type"].startswith("text/plain")
    blocks = [block.splitlines() for block in text.text.rstrip("\n").split("\n\n")]
    assert [[len(card) for card in block] for block in blocks] == [[80, 80, 80], [80, 80]]
    document = files.archive.client.get(url, headers={"Accept": "application/json"}).json()
    assert document["dp_id"] == dp_id
    assert [hdu["cards"] for hdu in document["hdus"]] == blocks
    assert files.archive.client.get(url, params={"format": "json"}).json() == document


def test_headers_as_json_hold_values_as_well_as_cards(own: SmallArchive) -> None:
    cards = [
        "EXPTIME =                 12.5 / [s] exposure",
        "NAXIS   =                    2",
        "FLAG    =                    T",
        "HIERARCH ESO DPR CATG = 'SCIENCE '",
        f"HUGE    = {10**19}",
        "BROKEN  = 'no end",
        "COMMENT  words",
        "END",
    ]
    add_rows(own.lake, "archive.files", [file_row("H", Path("/nowhere"), b"x")])
    add_rows(own.lake, "archive.headers", [header_row("H", [cards])])
    own.refresh()
    [hdu] = own.client.get("/headers/H?format=json").json()["hdus"]
    assert hdu["values"] == {
        "EXPTIME": 12.5,
        "NAXIS": 2,
        "FLAG": True,
        "ESO DPR CATG": "SCIENCE",
        "HUGE": 1e19,
    }
    assert [card.rstrip() for card in hdu["cards"]] == cards


def test_no_header_of_what_is_withdrawn_or_unknown(files: WithFiles) -> None:
    assert files.archive.client.get("/headers/WITHDRAWN").status_code == 410
    assert files.archive.client.get("/headers/NONE").status_code == 404
    assert files.archive.client.get("/headers/PLAIN?format=xml").status_code == 400
