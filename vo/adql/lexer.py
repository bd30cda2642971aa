"""Query text as tokens."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, TypeAlias, cast

from vo.adql.errors import Source
from vo.adql.words import RESERVED

MAX_LENGTH = 1_000_000
"""Characters that a query may have."""

MAX_TOKENS = 200_000
"""Words, numbers and signs that a query may have; an IN list of 50,000 names fits."""

Class: TypeAlias = Literal["word", "name", "quoted", "string", "integer", "decimal", "hex", "sign", "end"]


class Token(NamedTuple):
    """A piece of the text.

    ``value`` is the word in upper case, the sign, the identifier without its quotes, the text without its
    quotes, or the number as written; ``at`` is its offset.
    """

    cls: Class
    value: str
    at: int


_PIECE = re.compile(
    r"""
    (?P<blank>(?:\s+|--[^\r\n]*)+)
  | (?P<name>[A-Za-z][A-Za-z0-9_]*)
  | (?P<hex>0[xX][0-9A-Fa-f]+)
  | (?P<decimal>(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)
  | (?P<integer>[0-9]+)
  | (?P<string>'(?:[^']|'')*')
  | (?P<quoted>"(?:[^"]|"")+")
  | (?P<sign>\|\||<=|>=|<>|!=|[-+*/=<>(),.;])
    """,
    re.VERBOSE,
)

_CHECKED = 1_000
"""Tokens after which the clock is looked at again."""

_NUMBERS = ("integer", "decimal", "hex")


def tokens(source: Source) -> list[Token]:
    """Split a query into tokens; the last one is the end.

    Raises
    ------
    AdqlError
        ``syntax`` where a character belongs to nothing, or when the text is too long.
    QueryTimeout
        When the time is up.
    """
    text = source.text
    _check_text(source)
    found: list[Token] = []
    at, size = 0, len(text)
    match = _PIECE.match
    while at < size:
        piece = match(text, at)
        if piece is None:
            raise source.error("syntax", at, _stray(text[at]))
        cls, value = piece.lastgroup, piece.group()
        if cls != "blank":
            found.append(_token(source, cls, value, at))
            if len(found) % _CHECKED == 0:
                source.time.check()
            if len(found) > MAX_TOKENS:
                raise source.error("syntax", at, f"the query has more than {MAX_TOKENS} words and signs")
        at = piece.end()
    found.append(Token("end", "", _end(text)))
    return found


def _token(source: Source, cls: str | None, value: str, at: int) -> Token:
    if cls == "name":
        word = value.upper()
        return Token("word", word, at) if word in RESERVED else Token("name", value, at)
    if cls == "string":
        return Token("string", value[1:-1].replace("''", "'"), at)
    if cls == "quoted":
        return Token("quoted", value[1:-1].replace('""', '"'), at)
    if cls in _NUMBERS:
        after = source.text[at + len(value) : at + len(value) + 1]
        if after.isalnum() or after == "_":
            raise source.error("syntax", at, f"{value}{after}... is neither a number nor a name")
        return Token(cast("Class", cls), value, at)
    return Token("sign", value, at)


def _check_text(source: Source) -> None:
    text = source.text
    if len(text) > MAX_LENGTH:
        raise source.error("syntax", MAX_LENGTH, f"the query is longer than {MAX_LENGTH} characters")
    if "\0" in text:
        raise source.error("syntax", text.index("\0"), "the query holds a null character")
    try:
        text.encode()
    except UnicodeEncodeError as broken:
        raise source.error("syntax", broken.start, "this is not a valid Unicode character") from None


def _stray(character: str) -> str:
    if character == "'":
        return "this text has no closing quote"
    if character == '"':
        return "this quoted name is empty or has no closing quote"
    if character == "_":
        return "a name starts with a letter, or stands in double quotes"
    return f"the character {character!r} has no meaning here"


def _end(text: str) -> int:
    return len(text.rstrip())
