"""The landing page in a browser."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import TYPE_CHECKING

import httpx
import pytest
from lxml import html
from typing_extensions import override

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.processes import Server

pytestmark = pytest.mark.slow

SUBMIT = b"""
document.querySelector("textarea").value = decodeURIComponent(location.hash.slice(1));
document.querySelector("#adql button").click();
document.body.append(Object.assign(new Image(), { src: "patience.png" }));
"""
"""What the user does: types a query, runs it, and waits; until then the page counts as loading."""

PATIENCE = 10.0
"""Seconds."""

_NONE: Mapping[str, str] = MappingProxyType({})


@pytest.fixture(scope="module")
def followed() -> list[str]:
    """Collect the paths that the browser asks for."""
    return []


@pytest.fixture(scope="module")
def page(server: Server, followed: list[str]) -> Iterator[str]:
    """Serve the archive with that user in its page."""

    sent = threading.Event()

    class WithUser(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            followed.append(self.path)
            if self.path.startswith("/tap/sync"):
                sent.set()
            if self.path == "/user.js":
                self._send(200, "text/javascript", SUBMIT)
                return
            if self.path == "/patience.png":
                sent.wait(PATIENCE)
                self._send(404, "text/plain", b"")
                return
            reply = httpx.get(server.url + self.path, headers={"Accept": self.headers["Accept"]})
            user = b'<script src="user.js" defer></script></body>' if self.path == "/" else b"</body>"
            self._send(
                reply.status_code, reply.headers["content-type"], reply.content.replace(b"</body>", user)
            )

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            reply = httpx.post(server.url + self.path, content=body)
            self._send(reply.status_code, reply.headers["content-type"], reply.content)

        def _send(self, status: int, kind: str, body: bytes, more: Mapping[str, str] = _NONE) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **more}.items():
                self.send_header(name, value)
            with suppress(ConnectionError):
                # The browser may have left the page.
                self.end_headers()
                self.wfile.write(body)

        @override
        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), WithUser) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{proxy.server_port}/"
        proxy.shutdown()


def shown(url: str, folder: Path) -> html.HtmlElement:
    """Return what a browser shows in the end."""
    chromium = shutil.which("chromium")
    assert chromium is not None, "the tests need the Debian package chromium"
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}"]
    command = [chromium, *options, "--dump-dom", url]
    done = subprocess.run(command, capture_output=True, check=True, timeout=180)
    return html.document_fromstring(done.stdout)


def test_a_wrong_query_is_told_beside_it(page: str, tmp_path: Path) -> None:
    tree = shown(f"{page}#SELECT%20s_raa%20FROM%20ivoa.obscore", tmp_path)
    [told] = tree.xpath("//form[@id='adql']//p[@role='alert']")
    assert told.text_content().startswith("Line 1, column 8: no column s_raa")


def test_a_right_query_is_sent(page: str, tmp_path: Path, followed: list[str]) -> None:
    shown(f"{page}#SELECT%20COUNT(*)%20AS%20rows_found%20FROM%20ivoa.obscore", tmp_path)
    assert [path for path in followed if "rows_found" in path and "RESPONSEFORMAT=html" in path]
