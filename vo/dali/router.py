"""DALI requests and answers over HTTP."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send
from typing_extensions import override

from vo.dali.faults import DefaultFault, Fault, UsageFault
from vo.dali.params import Parameters, PostedFile
from vo.ports import Ports
from vo.reply import Body, Reply, error_reply

_WHOLE = 2**20
"""Bytes up to which an answer is sent at once, with its length."""

_LARGEST_REQUEST = 8 * 2**20
"""Bytes of a request's body at most."""

_MOST_VALUES = 100_000
"""Values in a form at most; requests for links have thousands."""

_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")

_LOG = logging.getLogger(__name__)

Handler = Callable[[Parameters], Reply]
"""Answers a request; it may block, and raise ``Fault``."""

FaultHandler = Callable[[Ports, Fault], Reply]
"""Turns a fault into an answer, as a protocol wants it."""


@asynccontextmanager
async def parameters(request: Request, largest: int = _LARGEST_REQUEST) -> AsyncIterator[Parameters]:
    """Read the parameters of a request, of the URL and of a form in its body; its files are open meanwhile.

    The body may have ``largest`` bytes.

    Raises
    ------
    UsageFault
        When the body is too large, or no form.
    """
    pairs: list[tuple[str, str | PostedFile]] = list(request.query_params.multi_items())
    if request.method != "POST":
        yield Parameters(pairs)
        return
    async with AsyncExitStack() as opened:
        pairs += await _posted(Request(request.scope, _limited(request.receive, largest)), opened)
        yield Parameters(pairs)


async def _posted(request: Request, opened: AsyncExitStack) -> list[tuple[str, str | PostedFile]]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _FORMS:
        if await request.body():
            given = f"{kind[:40]!r}" if kind else "a body without Content-Type"
            raise UsageFault(f"parameters are posted as a form ({' or '.join(_FORMS)}), not as {given}")
        return []
    try:
        form = await opened.enter_async_context(
            request.form(max_part_size=_LARGEST_REQUEST, max_fields=_MOST_VALUES)
        )
        return [(name, _given(value)) for name, value in form.multi_items()]
    except HTTPException as error:
        raise UsageFault(f"the form cannot be read: {error.detail}") from error


def _given(value: str | UploadFile) -> str | PostedFile:
    if isinstance(value, str):
        return value
    return PostedFile(value.filename or "", value.content_type or "", value.file)


def asks_head(request: Request) -> bool:
    """Whether nobody reads the body: routes know GET only, and who passes HEAD on to them marks it."""
    return bool(request.scope.get("head"))


def _limited(receive: Receive, largest: int) -> Receive:
    """Refuse a body that is too large as it comes; its announced length may be absent."""
    received = 0

    async def take() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > largest:
            raise UsageFault(f"the request is larger than {largest} bytes")
        return message

    return take


async def respond(
    request: Request,
    ports: Ports,
    handler: Handler,
    on_fault: FaultHandler = error_reply,
    *,
    largest: int = _LARGEST_REQUEST,
) -> Response:
    """Answer a request of at most ``largest`` bytes in a worker thread; what goes wrong is an error document.

    A short answer is sent whole, a long one as it comes.
    """

    def work(given: Parameters) -> Response:
        return _response(handler(given), head=asks_head(request))

    try:
        async with parameters(request, largest) as given:
            return await run_in_threadpool(work, given)
    except Fault as fault:
        return _response(on_fault(ports, fault))
    except Exception:  # noqa: BLE001 - whatever it was, the client gets a document it can read
        _LOG.exception("request failed: %s %s", request.method, request.url.path)
        failed = DefaultFault("the server failed; its log has the details under this request id")
        return _response(on_fault(ports, failed))


def _response(reply: Reply, *, head: bool = False) -> Response:
    headers = {"Content-Type": _with_charset(reply.media_type), **reply.headers}
    if isinstance(reply.body, bytes):
        return Response(reply.body, reply.status, headers)
    begun, more = _beginning(reply.body)
    if more and head:
        # Nobody will read the rest, so its length stays unknown.
        reply.body.close()
        return StreamingResponse(iter(()), reply.status, headers)
    if more:
        return _Stream(begun, reply.body, headers)
    return Response(begun, reply.status, headers)


def _with_charset(media_type: str) -> str:
    """Say UTF-8 of what browsers show; other forms have it by definition, or say it inside."""
    shown = media_type in ("text/plain", "text/html")
    return f"{media_type};charset=utf-8" if shown else media_type


def _beginning(body: Body) -> tuple[bytes, bool]:
    """Read a document up to a size; say whether there is more."""
    begun = bytearray()
    for piece in body:
        begun += piece
        if len(begun) > _WHOLE:
            return bytes(begun), True
    return bytes(begun), False


class _Stream(StreamingResponse):
    """A document that is sent as it comes; the query stops when the client goes away."""

    def __init__(self, begun: bytes, body: Body, headers: dict[str, str]) -> None:
        super().__init__(_pieces(begun, body), headers=headers)
        self._body = body

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await run_in_threadpool(self._body.close)


async def _pieces(begun: bytes, body: Body) -> AsyncIterator[bytes]:
    yield begun
    while (piece := await run_in_threadpool(next, body, None)) is not None:
        yield piece
