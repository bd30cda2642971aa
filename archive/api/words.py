"""Free text: words as conditions on the texts of a row, and names however they are written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import schemas
from query import build, tree
from query.functions import NAME_KEY
from schemas import Kind
from schemas.names import holds_names, name_key

_WORDS = re.compile(r'"([^"]*)"|(\S+)')
_LETTERS = re.compile(r"[^\W\d_]+[-_]*\Z")
_SEPARATORS = re.compile(r"[\s_-]+")
_BEFORE_NUMBER = re.compile(r"(?<=[^\W\d_])_?(?=\d)")


def searched_columns(table: schemas.Table) -> tuple[schemas.Column, ...]:
    """Return the columns in which words are looked for: the principal texts, and the names of targets."""
    return tuple(
        column
        for column in table.columns
        if column.kind is Kind.TEXT
        and not (column.served or column.rights_of)
        and (column.principal or holds_names(column))
    )


def key_of(table: schemas.Table, column: schemas.Column) -> tree.Call:
    """Return the key of the name in a column."""
    return tree.Call(NAME_KEY, (build.column(table, column.name),), Kind.TEXT)


def words_condition(table: schemas.Table, q: str) -> tree.Predicate | None:
    """Return the condition that each word of a text is in one of the texts of a row."""
    return build.all_of([_found(table, word) for word in _words(q)])


def _words(q: str) -> Iterator[str]:
    """Take a text apart; letters followed by a number are one word, as they are the name of an object."""
    before = ""
    for quoted, plain in _WORDS.findall(q):
        if before and plain[:1].isdigit():
            yield f"{before} {plain}"
            before = ""
            continue
        if before:
            yield before
        before = plain if _LETTERS.match(plain) else ""
        if not before and (quoted or plain):
            yield quoted or plain
    if before:
        yield before


def _found(table: schemas.Table, word: str) -> tree.Predicate:
    key = name_key(word).lstrip("0")
    patterns = _patterns(word)
    options: list[tree.Predicate] = []
    for column in searched_columns(table):
        if holds_names(column) and key and "%" not in word:
            options.append(tree.Like(key_of(table, column), tree.Literal(f"%{key}%", Kind.TEXT)))
        else:
            ref = build.column(table, column.name)
            options += [
                tree.Like(ref, tree.Literal(pattern, Kind.TEXT), ignore_case=True) for pattern in patterns
            ]
    return options[0] if len(options) == 1 else tree.Or(tuple(options))


def _patterns(word: str) -> Sequence[str]:
    """Return patterns of texts with a word; between letters and a number there may be a sign."""
    plain = word.lower()
    spaced = _SEPARATORS.sub("_", plain.strip(" _-")) or plain
    return list(dict.fromkeys(f"%{_BEFORE_NUMBER.sub(sign, spaced)}%" for sign in ("", "_")))
