"""Tables are fetched from public addresses only."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator

import pytest

from vo.uploads import fetch as fetching
from vo.uploads.fetch import fetch, is_public
from vo.uploads.limits import Unreadable, UploadLimits

LIMITS = UploadLimits(bytes=1000)


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.1",
        "172.16.5.4",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104 - it is refused
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fc00::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
        "ff02::1",
    ],
)
def test_others_are_not(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost/",
        "http://[::1]/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "ftp://example.org/x",
        "http://user@example.org/",
        "http://example.org:22/",
        "http://example.org:99999/",
        "http://exa mple.org/",
        "http:///x",
        "gopher://example.org",
    ],
)
def test_what_is_not_public_is_not_asked(url: str) -> None:
    with pytest.raises(Unreadable):
        fetch(url, limits=LIMITS)


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
            return
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"a\n1\n" if self.path == "/table?x=1" else b"x" * 5000)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A real server here that stands for one of the internet: its name and its address count as public."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    port, known = server.server_address[1], socket.getaddrinfo

    def resolve(host: str, *given: object, **options: object) -> object:
        return known("127.0.0.1" if host == "tables.test" else host, *given, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(fetching, "_PORTS", {"http": port, "https": 443})
    monkeypatch.setattr(fetching, "is_public", lambda address: address == "127.0.0.1")
    yield "http://tables.test"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_table_is_fetched_also_by_redirects(site: str) -> None:
    for path in ("/table?x=1", "/to//table?x=1", "/to/http://tables.test/table?x=1"):
        with fetch(site + path, limits=LIMITS) as file:
            assert file.read() == b"a\n1\n"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/missing", "answered 404"),
        ("/large", "larger than 1000 bytes"),
        ("/to/file:///etc/passwd", "public addresses"),
        ("/to/http://[::1]/", "not a public one"),
        ("/to/" * 7 + "/table?x=1", "leads to more than 5 others"),
    ],
)
def test_what_goes_wrong_is_said(site: str, path: str, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        fetch(site + path, limits=LIMITS)
