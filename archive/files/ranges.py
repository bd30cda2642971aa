"""Conditional and partial requests (RFC 9110, sections 13 and 14)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

MOST_RANGES = 32
"""Ranges of one request at most; a request for more gets the whole file."""

_MOST_DIGITS = 19

_RANGE = re.compile(r"(\d*)-(\d*)\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes from ``first`` to ``last``, both included."""

    first: int
    last: int

    @property
    def size(self) -> int:
        """Number of bytes."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Representation:
    """What validators say of a file: its strong entity tag, when it changed, its size in bytes."""

    etag: str
    modified: datetime
    size: int

    @property
    def last_modified(self) -> str:
        """The Last-Modified header."""
        return format_datetime(self.modified.astimezone(UTC).replace(microsecond=0), usegmt=True)


class RangeNotSatisfiable(ValueError):  # noqa: N818 - the name of status 416
    """No requested range overlaps the file."""


def precondition(headers: Mapping[str, str], what: Representation) -> int | None:
    """Return 412 or 304 when the conditions of a GET or HEAD ask for it, else None (section 13.2.2)."""
    if "if-match" in headers:
        if not _matches(headers["if-match"], what.etag, strong=True):
            return 412
    elif (since := _date(headers.get("if-unmodified-since"))) is not None and _seconds(what) > since:
        return 412
    if "if-none-match" in headers:
        return 304 if _matches(headers["if-none-match"], what.etag, strong=False) else None
    since = _date(headers.get("if-modified-since"))
    return 304 if since is not None and _seconds(what) <= since else None


def wanted_spans(headers: Mapping[str, str], what: Representation) -> list[Span] | None:
    """Return the ranges that a GET asks for; None for the whole file.

    Raises
    ------
    RangeNotSatisfiable
        When none of them overlaps the file.
    """
    asked = headers.get("range")
    if asked is None or not _still_same(headers.get("if-range"), what):
        return None
    unit, _, text = asked.partition("=")
    parts = [_RANGE.match(part.strip()) for part in text.split(",") if part.strip()]
    if unit.strip().lower() != "bytes" or not parts or len(parts) > MOST_RANGES:
        return None
    spans: list[Span] = []
    for part in parts:
        if part is None or not _is_valid(part[1], part[2]):
            return None
        span = _span(part[1], part[2], what.size)
        if span is not None:
            spans.append(span)
    if not spans:
        raise RangeNotSatisfiable(asked)
    # Overlapping ranges would let a small request ask for many times the file.
    return None if sum(span.size for span in spans) > what.size else spans


def _is_valid(first: str, last: str) -> bool:
    if not first:
        return bool(last)
    return not last or _number(first) <= _number(last)


def _number(digits: str) -> int:
    """Return a position; one of very many digits is beyond the end of any file."""
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) < _MOST_DIGITS else 10**_MOST_DIGITS


def _span(first: str, last: str, size: int) -> Span | None:
    if not first:
        length = min(_number(last), size)
        return Span(size - length, size - 1) if length else None
    start = _number(first)
    end = min(_number(last), size - 1) if last else size - 1
    return Span(start, end) if start < size else None


def _still_same(if_range: str | None, what: Representation) -> bool:
    if if_range is None:
        return True
    text = if_range.strip()
    if text.startswith(('"', "W/")):
        return text == what.etag
    return text == what.last_modified


def _matches(header: str, etag: str, *, strong: bool) -> bool:
    if header.strip() == "*":
        return True
    tags = re.findall(r'(?:W/)?"[^"]*"', header)
    return any((tag if strong else tag.removeprefix("W/")) == etag for tag in tags)


def _seconds(what: Representation) -> float:
    return what.modified.astimezone(UTC).replace(microsecond=0).timestamp()


def _date(header: str | None) -> float | None:
    if header is None:
        return None
    try:
        return parsedate_to_datetime(header).replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return None
