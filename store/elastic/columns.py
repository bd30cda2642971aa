"""What constants say about one column, as filters of Elasticsearch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

import schemas
from query import tree
from schemas import Kind
from schemas.elastic import MOST_TEXT, field_name

Body: TypeAlias = dict[str, Any]

MOST_TERMS = 50_000
"""Values of one list that are filtered by; Elasticsearch takes 65,536."""

MOST_RANGES = 500
"""Numbers of one list that are no whole ones and filtered by."""

NOTHING: Body = {"match_none": {}}
"""The filter that lets no row through."""

_EXACT = 2**53
"""Whole numbers up to which every one is a double."""

_WHOLE = frozenset({Kind.SHORT, Kind.INT, Kind.LONG, Kind.TIMESTAMP})
_BOUNDS = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}


@dataclass(frozen=True, slots=True)
class Filter:
    """What is known of the rows for which a condition is true: neither false nor unknown.

    ``body`` lets all of them through, and may let others through. ``certain`` lets none but these through,
    and may leave some out; it is None where nothing can be said for certain.
    """

    body: Body
    certain: Body | None

    @classmethod
    def exactly(cls, body: Body) -> Filter:
        """Return a filter that lets through just the rows for which the condition is true."""
        return cls(body, body)

    @property
    def exact(self) -> bool:
        """Whether just the rows for which the condition is true come through."""
        return self.body == self.certain


def all_of(filters: Iterable[Body]) -> Body:
    """Return the filter of what all of them let through."""
    return {"bool": {"filter": list(filters)}}


def any_of(filters: Iterable[Body]) -> Body:
    """Return the filter of what one of them lets through."""
    return {"bool": {"should": list(filters), "minimum_should_match": 1}}


def column_filter(condition: tree.Predicate, column: schemas.Column) -> Filter | None:
    """Return the filter of a condition whose operand is a column, be it negated or not."""
    match condition:
        case tree.Comparison(operator="<>", right=tree.Literal() as value):
            return _refused(column, _compared(column, "=", value))
        case tree.Comparison(operator=operator, right=tree.Literal() as value):
            return _compared(column, operator, value)
        case tree.IsNull(negated=negated):
            there = _there(column)
            return Filter.exactly(there if negated else {"bool": {"must_not": [there]}})
        case tree.Between(negated=negated) | tree.InList(negated=negated) | tree.Like(negated=negated):
            found = _positive(condition, column)
            return _negated(condition, column, found) if negated else found
        case _:
            return None


def _positive(condition: tree.Between | tree.InList | tree.Like, column: schemas.Column) -> Filter | None:
    """Return the filter of a condition as if it were not negated."""
    match condition:
        case tree.Between(low=tree.Literal() as low, high=tree.Literal() as high):
            return _between(column, low, high)
        case tree.InList(items=items):
            return _among(column, items)
        case tree.Like(pattern=tree.Literal(value=str() as pattern), ignore_case=False):
            return _like(column, pattern)
        case _:
            return None


def _negated(
    condition: tree.Between | tree.InList | tree.Like, column: schemas.Column, found: Filter | None
) -> Filter | None:
    if isinstance(condition, tree.InList):
        if not condition.items:
            return Filter.exactly({"match_all": {}})
        if any(isinstance(item, tree.Literal) and item.value is None for item in condition.items):
            return Filter.exactly(NOTHING)
    return _refused(column, found)


def stored_texts(name: str, texts: Sequence[str]) -> Filter | None:
    """Return the filter of rows that store one of some texts in a column; None when they are too many."""
    if len(texts) > MOST_TERMS:
        return None
    field = field_name(name)
    found: Body = {"terms": {field: list(texts)}}
    if all(_is_short(text) for text in texts):
        return Filter.exactly(found)
    return Filter(any_of([found, _too_long(field)]), found)


def _refused(column: schemas.Column, found: Filter | None) -> Filter | None:
    """Return the filter of rows for which a condition is false; of those without a value it is unknown."""
    if found is None:
        return None
    there = _there(column)
    all_others: Body = {"bool": {"filter": [there], "must_not": [found.body]}}
    if found.exact:
        return Filter.exactly(all_others)
    return Filter(
        there if found.certain is None else {"bool": {"filter": [there], "must_not": [found.certain]}},
        all_others,
    )


def _there(column: schemas.Column) -> Body:
    """Return the filter of rows that have a value."""
    name = field_name(column.name)
    exists: Body = {"exists": {"field": name}}
    return any_of([exists, _too_long(name)]) if column.kind is Kind.TEXT else exists


def _too_long(name: str) -> Body:
    """Return the filter of rows whose text is longer than those that are indexed."""
    return {"term": {"_ignored": name}}


def _is_short(text: str) -> bool:
    """Whether each row with this text has it indexed; characters are counted as UTF-16 has them."""
    return len(text) * 2 <= MOST_TEXT or len(text.encode("utf-16-le", "surrogatepass")) // 2 <= MOST_TEXT


def _is_text(value: tree.Value) -> bool:
    """Whether a value is a text that Unicode has, without halves of characters."""
    return isinstance(value, str) and not any("\ud800" <= sign <= "\udfff" for sign in value)


def _compared(column: schemas.Column, operator: str, literal: tree.Literal) -> Filter | None:
    if literal.value is None:
        return None
    if operator == "=":
        return _equal(column, literal)
    return _range(column, {_BOUNDS[operator]: literal})


def _equal(column: schemas.Column, literal: tree.Literal) -> Filter | None:
    value = literal.value
    if column.kind is Kind.BOOLEAN:
        found: Body = {"term": {field_name(column.name): value}}
        return Filter.exactly(found) if isinstance(value, bool) else None
    if column.kind is Kind.TEXT:
        return stored_texts(column.name, [str(value)]) if _is_text(value) else None
    return _range(column, {"gte": literal, "lte": literal})


def _range(column: schemas.Column, bounds: Mapping[str, tree.Literal]) -> Filter | None:
    name = field_name(column.name)
    if column.kind is Kind.TEXT:
        texts = {bound: literal.value for bound, literal in bounds.items()}
        if not all(_is_text(text) and len(str(text)) <= MOST_TEXT for text in texts.values()):
            return None
        found: Body = {"range": {name: texts}}
        return Filter(any_of([found, _too_long(name)]), found)
    numbers: dict[str, int | float] = {}
    for bound, literal in bounds.items():
        number = _bound(column.kind, bound, literal)
        if number is None:
            return None
        numbers[number[0]] = number[1]
    return Filter.exactly({"range": {name: numbers}})


def _bound(kind: Kind, bound: str, literal: tree.Literal) -> tuple[str, int | float] | None:
    """Return a bound on numbers as a column's field has them; None where it would not be the same."""
    value = literal.value
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    if literal.kind is Kind.FLOAT:
        with np.errstate(over="ignore"):
            value = float(np.float32(value))
    if kind in _WHOLE:
        return _whole(bound, value)
    if not kind.is_numeric or (isinstance(value, int) and abs(value) > _EXACT) or not math.isfinite(value):
        return None
    if value == 0:
        # Lucene orders -0.0 before 0.0, where SQL takes them for one number.
        return bound, -0.0 if bound in ("gte", "lt") else 0.0
    return bound, float(value)


def _whole(bound: str, value: float) -> tuple[str, int] | None:
    """Return a bound on whole numbers; that of a decimal is the next whole number within it."""
    if isinstance(value, int):
        return (bound, value) if -(2**63) <= value < 2**63 else None
    if abs(value) >= _EXACT:
        return None
    if value.is_integer():
        return bound, int(value)
    return ("gte", math.ceil(value)) if bound in ("gt", "gte") else ("lte", math.floor(value))


def _between(column: schemas.Column, low: tree.Literal, high: tree.Literal) -> Filter | None:
    if low.value is None or high.value is None:
        return None
    return _range(column, {"gte": low, "lte": high})


def _among(column: schemas.Column, items: Sequence[tree.Expression]) -> Filter | None:
    literals = [item for item in items if isinstance(item, tree.Literal)]
    if len(literals) != len(items) or len(literals) > MOST_TERMS:
        return None
    known = [literal for literal in literals if literal.value is not None]
    values = [literal.value for literal in known]
    if not known:
        return Filter.exactly(NOTHING)
    if column.kind is Kind.TEXT and all(_is_text(value) for value in values):
        return stored_texts(column.name, [str(value) for value in values])
    if column.kind in _WHOLE and all(type(value) is int and abs(value) < 2**63 for value in values):
        return Filter.exactly({"terms": {field_name(column.name): values}})
    found = [_equal(column, literal) for literal in known] if len(known) <= MOST_RANGES else [None]
    told = [each.body for each in found if each is not None and each.exact]
    return Filter.exactly(any_of(told)) if len(told) == len(found) else None


def _like(column: schemas.Column, pattern: str) -> Filter | None:
    """Filter by what a pattern begins with."""
    if column.kind is not Kind.TEXT or not _is_text(pattern):
        return None
    fixed = pattern[: min((place for place in map(pattern.find, "%_") if place >= 0), default=len(pattern))]
    if fixed == pattern:
        return stored_texts(column.name, [pattern])
    if not 0 < len(fixed) <= MOST_TEXT:
        return None
    name = field_name(column.name)
    found: Body = {"prefix": {name: fixed}}
    whole = not pattern[len(fixed) :].strip("%")
    return Filter(any_of([found, _too_long(name)]), found if whole else None)
