"""What happens to every request: id, CORS, security headers, gzip, metrics, log line, last-resort error.

One plain ASGI layer does it all, for a request that does nothing should cost next to nothing.
"""

from __future__ import annotations

import gzip
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from archive import context
from archive.incoming import Incoming
from archive.logs import get_logger
from archive.metrics import Metrics
from archive.problems import our_failure
from store.limits import STOP, Stop

EXPOSED = (
    "Content-Disposition, Content-Encoding, Content-Length, Content-Range, Accept-Ranges, ETag, "
    "Last-Modified, Link, Location, Retry-After, WWW-Authenticate, X-Request-ID"
)
"""Headers that scripts of other sites may read."""

_ALWAYS: list[tuple[bytes, bytes]] = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", EXPOSED.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]

_PREFLIGHT: list[tuple[bytes, bytes]] = [
    (b"access-control-allow-methods", b"GET, HEAD, POST, OPTIONS"),
    (b"access-control-max-age", b"86400"),
    (b"allow", b"GET, HEAD, POST, OPTIONS"),
]

_COMPRESSIBLE = (
    b"application/json",
    b"application/problem+json",
    b"text/html",
    b"text/css",
    b"text/plain",
    b"text/xml",
    b"application/xml",
    b"image/svg+xml",
)

_SLASHES = re.compile("//+")

_GZIP_LEAST = 1_500
"""Bytes below which compression does not pay."""

_GZIP_MOST = 4_000_000
"""Bytes above which compressing at once would hold up other requests."""


def _header(headers: list[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    return next((value for key, value in headers if key.lower() == name), None)


class _Exchange:
    """One request and its answer on the way out."""

    def __init__(self, scope: Scope, send: Send, request_id: str) -> None:
        self._send = send
        self._identity = (b"x-request-id", request_id.encode())
        accepted = _header(scope["headers"], b"accept-encoding") or b""
        self._head = scope["method"] == "HEAD"
        self._may_gzip = b"gzip" in accepted and not self._head
        self._held: Message | None = None
        self.started = False
        self.ended = False
        self.status = 500
        self.sent = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._start(message)
        elif message["type"] == "http.response.body":
            await self._body(message)
        else:
            await self._send(message)

    async def _start(self, message: Message) -> None:
        self.started = True
        self.status = message["status"]
        headers = [*message.get("headers", ()), *_ALWAYS, self._identity]
        held = {**message, "headers": headers}
        if self._may_gzip and _worth_compressing(headers, self.status):
            self._held = held
        else:
            await self._send(held)

    async def _body(self, message: Message) -> None:
        body = b"" if self._head else message.get("body", b"")
        if self._head:
            message = {**message, "body": body}
        if self._held is not None:
            start, self._held = self._held, None
            if not message.get("more_body"):
                body = gzip.compress(body, 1, mtime=0)
                start["headers"] = _compressed(start["headers"], len(body))
                message = {**message, "body": body}
            await self._send(start)
        self.sent += len(body)
        await self._send(message)
        self.ended = not message.get("more_body")


def _worth_compressing(headers: list[tuple[bytes, bytes]], status: int) -> bool:
    # Streams have no length and are left alone: compressing them delays the first rows.
    length = _header(headers, b"content-length")
    kind = _header(headers, b"content-type") or b""
    return (
        length is not None
        and _GZIP_LEAST <= int(length) <= _GZIP_MOST
        and status != 206
        and kind.startswith(_COMPRESSIBLE)
        and _header(headers, b"content-encoding") is None
        and not (_header(headers, b"etag") or b"W/").startswith(b'"')
    )


def _compressed(headers: list[tuple[bytes, bytes]], length: int) -> list[tuple[bytes, bytes]]:
    varies = [value for key, value in headers if key.lower() == b"vary"]
    kept = [(key, value) for key, value in headers if key.lower() not in (b"content-length", b"vary")]
    return [
        *kept,
        (b"content-length", str(length).encode()),
        (b"content-encoding", b"gzip"),
        (b"vary", b", ".join([*varies, b"Accept-Encoding"])),
    ]


class Gate:
    """The outermost layer of the application.

    Below the paths ``bases`` repeated slashes are one and a last one is none: clients of the VO append
    ``/sync`` to the URL that a user pasted, with or without a slash at its end.

    HEAD is answered wherever GET is (RFC 9110, section 9.1): routes see GET, and ``scope["head"]``.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics, bases: Sequence[str] = ()) -> None:
        self._app = app
        self._bases = tuple(f"{base}/" for base in bases)
        self._metrics = metrics
        self._log = get_logger()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        if scope["path"].startswith(self._bases):
            scope["path"] = _SLASHES.sub("/", scope["path"]).rstrip("/")
        offered = _header(scope["headers"], b"x-request-id")
        request_id = context.begin(offered.decode("latin-1") if offered else None)
        exchange = _Exchange(scope, send, request_id)
        method = scope["method"]
        if method == "HEAD":
            # A copy, for the server looks into its own whether a body is to follow.
            scope = {**scope, "method": "GET", "head": True}
        try:
            if method == "OPTIONS":
                await _preflight(scope, exchange.send)
            else:
                await self._guarded(scope, receive, exchange)
        finally:
            self._record(scope, method, exchange, time.perf_counter() - began)

    async def _guarded(self, scope: Scope, receive: Receive, exchange: _Exchange) -> None:
        stop = Stop()
        incoming = Incoming(receive, stop, has_body=scope["method"] == "POST")
        STOP.set(stop)
        try:
            await self._app(scope, incoming, exchange.send)
        except Exception:
            self._log.exception("request failed", path=scope["path"])
            if exchange.ended:
                return
            if exchange.started:
                raise
            await our_failure().response()(scope, receive, exchange.send)
        finally:
            incoming.close()

    def _record(self, scope: Scope, method: str, exchange: _Exchange, seconds: float) -> None:
        route = _route_of(scope)
        self._metrics.observe(method, route, exchange.status, seconds)
        if route in ("/healthz", "/readyz", "/metrics") and exchange.status < 400:
            return
        query = scope["query_string"]
        self._log.info(
            "request",
            method=method,
            path=scope["path"],
            query=query[:2000].decode("latin-1") if query else None,
            status=exchange.status,
            ms=round(seconds * 1000, 2),
            bytes=exchange.sent,
            client=scope["client"][0] if scope.get("client") else None,
        )


def _route_of(scope: Scope) -> str:
    route: Any = scope.get("route")
    path = getattr(route, "path", None)
    if isinstance(path, str):
        return path
    # Paths that no route knows must not become labels without end.
    return "none"


async def _preflight(scope: Scope, send: Callable[[Message], Awaitable[None]]) -> None:
    asked = _header(scope["headers"], b"access-control-request-headers")
    headers = list(_PREFLIGHT)
    if asked:
        headers += [(b"access-control-allow-headers", asked), (b"vary", b"Access-Control-Request-Headers")]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
