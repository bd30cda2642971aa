"""The answer to a request for a file: whole, in part, in several parts, or not at all."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import AsyncIterator, Generator, Mapping
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from archive.files.bytes import ahead, read_span
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


class Content(Protocol):
    """Bytes of a known number, which can be read from any of them to any other."""

    @property
    def what(self) -> Representation:
        """Its validators."""

    @property
    def content_type(self) -> str:
        """Its media type."""

    @property
    def file_name(self) -> str:
        """The name offered to whoever saves it."""

    def read(self, span: Span) -> Generator[bytes]:
        """Yield the bytes of a span."""

    def close(self) -> None:
        """Release what reading needs; nothing is read any more."""


class OpenFile:
    """A file of the archive, open; its descriptor is closed with it, or when nobody has it any more."""

    def __init__(self, held: HeldFile, descriptor: int) -> None:
        self.held = held
        self._descriptor: int | None = descriptor

    def __del__(self) -> None:
        # An answer may be dropped before anything of it is sent.
        self.close()

    @property
    def what(self) -> Representation:
        """The file's validators."""
        return representation(self.held)

    @property
    def content_type(self) -> str:
        """The file's media type."""
        return self.held.content_type

    @property
    def file_name(self) -> str:
        """The file's name."""
        return self.held.file_name

    def read(self, span: Span) -> Generator[bytes]:
        """Yield the bytes of a span."""
        if self._descriptor is None:
            raise ValueError("the file is closed")
        return read_span(self._descriptor, span)

    def close(self) -> None:
        """Close the descriptor."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def answer(content: Content, headers: Mapping[str, str], *, head: bool) -> Response:
    """Answer GET or HEAD; the content is closed when all is sent, or nothing will be."""
    try:
        return _answer(content, headers, head=head)
    except BaseException:
        content.close()
        raise


def _answer(content: Content, headers: Mapping[str, str], *, head: bool) -> Response:
    what = content.what
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
        content.close()
        return unsent
    common["Content-Disposition"] = disposition(content.file_name)
    if head:
        content.close()
        return Response(
            None, 200, {**common, "Content-Length": str(what.size), "Content-Type": content.content_type}
        )
    return _partial(content, spans, common) if spans else _whole(content, common)


def _unsent(status: int, headers: dict[str, str]) -> Response:
    if status == 304:
        return Response(None, 304, headers)
    raise Problem(412, "the file is not the one that the condition names", kind="condition", headers=headers)


def _whole(content: Content, headers: dict[str, str]) -> Response:
    size = content.what.size
    headers |= {"Content-Length": str(size), "Content-Type": content.content_type}
    parts = [(b"", Span(0, size - 1))] if size else []
    return StreamingResponse(_sent(content, parts), 200, headers)


def _partial(content: Content, spans: list[Span], headers: dict[str, str]) -> Response:
    size, media_type = content.what.size, content.content_type
    if len(spans) == 1:
        [span] = spans
        headers |= {
            "Content-Range": f"bytes {span.first}-{span.last}/{size}",
            "Content-Length": str(span.size),
            "Content-Type": media_type,
        }
        return StreamingResponse(_sent(content, [(b"", span)]), 206, headers)
    boundary = secrets.token_hex(12)
    heads = [
        f"\r\n--{boundary}\r\nContent-Type: {media_type}\r\n"
        f"Content-Range: bytes {span.first}-{span.last}/{size}\r\n\r\n".encode()
        for span in spans
    ]
    end = f"\r\n--{boundary}--\r\n".encode()
    length = sum(map(len, heads)) + sum(span.size for span in spans) + len(end)
    headers |= {
        "Content-Length": str(length),
        "Content-Type": f"multipart/byteranges; boundary={boundary}",
    }
    return StreamingResponse(_sent(content, list(zip(heads, spans, strict=True)), end), 206, headers)


def _sent(content: Content, parts: list[tuple[bytes, Span]], end: bytes = b"") -> AsyncIterator[bytes]:
    return ahead(_chunks(content, parts, end), content.close)


def _chunks(content: Content, parts: list[tuple[bytes, Span]], end: bytes) -> Generator[bytes]:
    for head, span in parts:
        if head:
            yield head
        yield from content.read(span)
    if end:
        yield end
