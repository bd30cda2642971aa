"""Patterns of LIKE, and texts in any case, as filters of Elasticsearch on the terms of a field."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from enum import Enum, auto
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

MOST_EXPRESSION = 900
"""Characters of the longest regular expression that is asked for; Elasticsearch takes 1,000."""

MOST_SINGLE = 6
"""Signs for any one character behind one for any text; the time to prepare a search doubles with each."""


class Case(Enum):
    """Whether case counts."""

    COUNTS = auto()
    LOWER_TEXT = auto()
    """The text is taken in lower case, the pattern as it is."""
    IGNORED = auto()
    """Both are taken in lower case."""


def matching(name: str, pattern: str, case: Case) -> dict[str, Any] | None:
    """Return the filter of indexed texts that match a pattern of ``%`` and ``_``; None if there is none."""
    if pattern and not pattern.strip("%"):
        return {"exists": {"field": name}}
    fixed = beginning(pattern)
    if case is Case.COUNTS and fixed and not pattern[len(fixed) :].strip("%"):
        return {"prefix" if fixed != pattern else "term": {name: fixed}}
    if pattern[pattern.find("%") :].count("_") > MOST_SINGLE and "%" in pattern:
        return None
    parts = list(_expressions(pattern, case))
    if "" in parts:
        return {"match_none": {}}
    expression = "".join(parts)
    if len(expression) > MOST_EXPRESSION:
        return None
    return {"regexp": {name: {"value": expression, "flags": "NONE"}}}


def beginning(pattern: str) -> str:
    """Return what every text begins with that matches a pattern."""
    return pattern[: min((place for place in map(pattern.find, "%_") if place >= 0), default=len(pattern))]


def _expressions(pattern: str, case: Case) -> Iterator[str]:
    """Yield a regular expression for each sign of a pattern; an empty one where no character will do."""
    before = ""
    for sign in pattern:
        if sign == "%":
            if before != "%":
                yield ".*"
        elif sign == "_":
            yield "."
        elif case is Case.COUNTS:
            yield _quoted(sign)
        else:
            yield _any_of(_spellings(_lowered().get(sign, sign) if case is Case.IGNORED else sign))
        before = sign


def _any_of(signs: str) -> str:
    return _quoted(signs) if len(signs) < 2 else f"[{''.join(map(_quoted, signs))}]"


def _quoted(sign: str) -> str:
    return f"\\{sign}" if sign.isascii() and not sign.isalnum() and sign else sign


def _spellings(sign: str) -> str:
    """Return the characters that are this one in lower case."""
    return ("" if sign in _lowered() else sign) + "".join(_raised().get(sign, ()))


@cache
def _lowered() -> Mapping[str, str]:
    """Return the characters that are others in lower case, by the same tables of Unicode as DuckDB has."""
    signs = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF]
    lower = pc.utf8_lower(pa.array(signs)).to_pylist()
    return {sign: low for sign, low in zip(signs, lower, strict=True) if sign != low}


@cache
def _raised() -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for sign, low in _lowered().items():
        found.setdefault(low, []).append(sign)
    return found
