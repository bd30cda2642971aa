"""The answer to a request for a file: whole, in part, in several parts, or not at all."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from archive.files.bytes import read_spans
from archive.files.catalogue import HeldFile
from archive.files.ranges import RangeNotSatisfiable, Representation, Span, precondition, wanted_spans
from archive.problems import Problem

_UNSAFE = re.compile(r"[^A-Za-z0-9._+() -]")


def representation(held: HeldFile) -> Representation:
    """Return a file's validators: the recorded checksum is its entity tag."""
    modified = datetime.fromtimestamp(held.mtime // 1_000_000_000, UTC)
    return Representation(f'"{held.checksum}"', modified, held.size)


def disposition(file_name: str) -> str:
    """Return a Content-Disposition that no file name can break out of (RFC 6266)."""
    base = file_name.rsplit("/", 1)[-1] or "file"
    plain = _UNSAFE.sub("_", base)
    header = f'attachment; filename="{plain}"'
    if plain != base:
        header += f"; filename*=UTF-8''{quote(base, safe='')}"
    return header


def answer(held: HeldFile, descriptor: int, headers: Mapping[str, str], *, head: bool) -> Response:
    """Answer GET or HEAD; the descriptor is closed when all is sent, or nothing will be."""
    try:
        return _answer(held, descriptor, headers, head=head)
    except BaseException:
        os.close(descriptor)
        raise


def _answer(held: HeldFile, descriptor: int, headers: Mapping[str, str], *, head: bool) -> Response:
    what = representation(held)
    common = {
        "ETag": what.etag,
        "Last-Modified": what.last_modified,
        "Accept-Ranges": "bytes",
        "Cache-Control": "no-cache",
    }
    try:
        status = precondition(headers, what)
        spans = None if head or status else wanted_spans(headers, what)
    except RangeNotSatisfiable:
        more = {**common, "Content-Range": f"bytes */{what.size}"}
        raise Problem(416, f"the file has {what.size} bytes", kind="range", headers=more) from None
    if status is not None:
        unsent = _unsent(status, common)
        os.close(descriptor)
        return unsent
    common["Content-Disposition"] = disposition(held.file_name)
    if head:
        os.close(descriptor)
        return Response(
            None, 200, {**common, "Content-Length": str(what.size), "Content-Type": held.content_type}
        )
    return _partial(held, descriptor, spans, common) if spans else _whole(held, descriptor, common)


def _unsent(status: int, headers: dict[str, str]) -> Response:
    if status == 304:
        return Response(None, 304, headers)
    raise Problem(412, "the file is not the one that the condition names", kind="condition", headers=headers)


def _whole(held: HeldFile, descriptor: int, headers: dict[str, str]) -> Response:
    headers |= {"Content-Length": str(held.size), "Content-Type": held.content_type}
    spans = [Span(0, held.size - 1)] if held.size else []
    return StreamingResponse(_closing(descriptor, read_spans(descriptor, spans)), 200, headers)


def _partial(held: HeldFile, descriptor: int, spans: list[Span], headers: dict[str, str]) -> Response:
    if len(spans) == 1:
        [span] = spans
        headers |= {
            "Content-Range": f"bytes {span.first}-{span.last}/{held.size}",
            "Content-Length": str(span.size),
            "Content-Type": held.content_type,
        }
        return StreamingResponse(_closing(descriptor, read_spans(descriptor, spans)), 206, headers)
    boundary = secrets.token_hex(12)
    heads = [
        f"\r\n--{boundary}\r\nContent-Type: {held.content_type}\r\n"
        f"Content-Range: bytes {span.first}-{span.last}/{held.size}\r\n\r\n".encode()
        for span in spans
    ]
    end = f"\r\n--{boundary}--\r\n".encode()
    length = sum(map(len, heads)) + sum(span.size for span in spans) + len(end)
    headers |= {
        "Content-Length": str(length),
        "Content-Type": f"multipart/byteranges; boundary={boundary}",
    }
    return StreamingResponse(_closing(descriptor, _parts(descriptor, heads, spans, end)), 206, headers)


async def _parts(descriptor: int, heads: list[bytes], spans: list[Span], end: bytes) -> AsyncIterator[bytes]:
    for head, span in zip(heads, spans, strict=True):
        yield head
        async for chunk in read_spans(descriptor, [span]):
            yield chunk
    yield end


async def _closing(descriptor: int, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    try:
        async for chunk in chunks:
            yield chunk
    finally:
        os.close(descriptor)
