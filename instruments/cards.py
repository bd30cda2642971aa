"""FITS header cards as text: keyword, value, comment (FITS 4.0, sections 4.1 and 4.2; HIERARCH; CONTINUE)."""

from __future__ import annotations

import math
import re
from typing import NamedTuple, TypeAlias

Value: TypeAlias = str | int | float | bool
"""What a card can say; a card that says nothing usable has no value."""

_COMMENTARY = frozenset({"COMMENT", "HISTORY", "", "CONTINUE"})
_STRING = re.compile(r"\s*'((?:[^']|'')*)'(.*)", re.DOTALL)
_INTEGER = re.compile(r"[+-]?\d+\Z")
_REAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[EeDd][+-]?\d+)?\Z")
_UNIT = re.compile(r"\s*\[([^\]]*)\]")

_MOST_DIGITS = 40
"""Digits of an integer that we still read; more is not a number anybody meant."""


class BadCardError(ValueError):
    """A card whose value field cannot be read."""


class Parsed(NamedTuple):
    """What stands right of a card's keyword."""

    value: Value | None
    comment: str


def keyword(card: str) -> str:
    """Return a card's keyword in upper case, without HIERARCH; empty for a blank card.

    ``HIERARCH ESO DPR CATG = ...`` has the keyword ``ESO DPR CATG``.
    """
    if card.startswith("HIERARCH "):
        equals = card.find("=")
        if equals > 0:
            return " ".join(card[9:equals].upper().split())
        return "HIERARCH"
    return card[:8].rstrip().upper()


def is_commentary(card: str) -> bool:
    """Tell whether a card is free text: COMMENT, HISTORY, blank, or one without a value indicator."""
    if card.startswith("HIERARCH "):
        return "=" not in card
    return card[:8].rstrip() in _COMMENTARY or card[8:9] != "="


def value_field(card: str) -> str:
    """Return what stands right of the value indicator."""
    if card.startswith("HIERARCH "):
        return card[card.index("=") + 1 :]
    return card[9:]


def parse_field(field: str) -> Parsed:
    """Read a value field.

    Raises
    ------
    BadCardError
        When it is neither a string, a number, a logical nor empty.
    """
    text = field.lstrip()
    if text.startswith("'"):
        return _string(field)
    raw, _, comment = text.partition("/")
    raw, comment = raw.strip(), comment.strip()
    if not raw:
        return Parsed(None, comment)
    if raw in {"T", "F"}:
        return Parsed(raw == "T", comment)
    return Parsed(_number(raw), comment)


def _string(field: str) -> Parsed:
    whole = _STRING.match(field)
    if whole is None:
        raise BadCardError(f"a text without its closing quote: {field.strip()}")
    _, _, comment = whole.group(2).partition("/")
    return Parsed(whole.group(1).replace("''", "'").rstrip(), comment.strip())


def _number(raw: str) -> Value:
    if _INTEGER.match(raw):
        if len(raw) > _MOST_DIGITS:
            raise BadCardError(f"a number of {len(raw)} digits")
        return int(raw)
    if _REAL.match(raw):
        number = float(raw.upper().replace("D", "E"))
        if math.isfinite(number):
            return number
        raise BadCardError(f"{raw} is too large a number")
    raise BadCardError(f"{raw!r} is no FITS value")


def parse_long(card: str, following: list[str]) -> Parsed:
    """Read a card whose text goes on in CONTINUE cards (FITS 4.0, section 4.2.1.2).

    Raises
    ------
    BadCardError
        As :func:`parse_field`.
    """
    first = parse_field(value_field(card))
    if not (isinstance(first.value, str) and first.value.endswith("&") and following):
        return first
    text, comments = first.value, [first.comment]
    for more in following:
        part = _STRING.match(more[8:])
        if part is None or not text.endswith("&"):
            break
        text = text[:-1] + part.group(1).replace("''", "'").rstrip()
        comments.append(part.group(2).partition("/")[2].strip())
    return Parsed(text.removesuffix("&"), " ".join(filter(None, comments)))


def unit_of(comment: str) -> str | None:
    """Return the unit that a comment begins with in square brackets (FITS 4.0, section 4.3.2)."""
    found = _UNIT.match(comment)
    return found.group(1).strip() or None if found else None


def plain(text: str) -> str:
    """Return text with everything that is not printable ASCII as ``?``: what a card may hold."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if " " <= c <= "~" else "?" for c in text)
