"""What constants say about one column, as filters of Elasticsearch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from query import tree
from schemas import Kind
from schemas.elastic import MOST_TEXT
from store.elastic.patterns import Case, beginning, matching

Body: TypeAlias = dict[str, Any]

MOST_TERMS = 50_000
"""Values of one list that are filtered by; Elasticsearch takes 65,536."""

MOST_RANGES = 500
"""Numbers of one list that are no whole ones and filtered by."""

MOST_CASES = 100
"""Texts of one list that are looked for in any case."""

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


@dataclass(frozen=True, slots=True)
class Field:
    """Where documents have the values of an operand.

    ``folded`` tells that the operand is what is there in lower case.
    """

    name: str
    kind: Kind
    folded: bool = False


def column_filter(condition: tree.Predicate, column: Field) -> Filter | None:
    """Return the filter of a condition whose operand has a field, be it negated or not."""
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


def _positive(condition: tree.Between | tree.InList | tree.Like, column: Field) -> Filter | None:
    """Return the filter of a condition as if it were not negated."""
    match condition:
        case tree.Between(low=tree.Literal() as low, high=tree.Literal() as high):
            return _between(column, low, high)
        case tree.InList(items=items):
            return _among(column, items)
        case tree.Like(pattern=tree.Literal(value=str() as pattern)) if column.kind is Kind.TEXT:
            case = (
                Case.IGNORED if condition.ignore_case else Case.LOWER_TEXT if column.folded else Case.COUNTS
            )
            return _like(column.name, pattern, case) if _is_text(pattern) else None
        case _:
            return None


def _negated(
    condition: tree.Between | tree.InList | tree.Like, column: Field, found: Filter | None
) -> Filter | None:
    if isinstance(condition, tree.InList):
        if not condition.items:
            return Filter.exactly({"match_all": {}})
        if any(isinstance(item, tree.Literal) and item.value is None for item in condition.items):
            return Filter.exactly(NOTHING)
    return _refused(column, found)


def stored_texts(name: str, texts: Sequence[str]) -> Filter | None:
    """Return the filter of rows that have one of some texts in a field; None when they are too many."""
    if len(texts) > MOST_TERMS:
        return None
    found: Body = {"terms": {name: list(texts)}}
    if all(_is_short(text) for text in texts):
        return Filter.exactly(found)
    return Filter(any_of([found, too_long(name)]), found)


def _refused(column: Field, found: Filter | None) -> Filter | None:
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


def _there(column: Field) -> Body:
    """Return the filter of rows that have a value."""
    name = column.name
    exists: Body = {"exists": {"field": name}}
    return any_of([exists, too_long(name)]) if column.kind is Kind.TEXT else exists


def too_long(name: str) -> Body:
    """Return the filter of rows whose text is longer than those that are indexed."""
    return {"term": {"_ignored": name}}


def _is_short(text: str) -> bool:
    """Whether each row with this text has it indexed; characters are counted as UTF-16 has them."""
    return len(text) * 2 <= MOST_TEXT or len(text.encode("utf-16-le", "surrogatepass")) // 2 <= MOST_TEXT


def _is_text(value: tree.Value) -> bool:
    """Whether a value is a text that Unicode has, without halves of characters."""
    return isinstance(value, str) and not any("\ud800" <= sign <= "\udfff" for sign in value)


def _compared(column: Field, operator: str, literal: tree.Literal) -> Filter | None:
    if literal.value is None:
        return None
    if operator == "=":
        return _equal(column, literal)
    return _range(column, {_BOUNDS[operator]: literal})


def _equal(column: Field, literal: tree.Literal) -> Filter | None:
    value = literal.value
    if column.kind is Kind.BOOLEAN:
        found: Body = {"term": {column.name: value}}
        return Filter.exactly(found) if isinstance(value, bool) else None
    if column.kind is Kind.TEXT:
        return _texts(column, [str(value)]) if _is_text(value) else None
    return _range(column, {"gte": literal, "lte": literal})


def _range(column: Field, bounds: Mapping[str, tree.Literal]) -> Filter | None:
    name = column.name
    if column.folded:
        return None
    if column.kind is Kind.TEXT:
        texts = {bound: literal.value for bound, literal in bounds.items()}
        if not all(_is_text(text) and len(str(text)) <= MOST_TEXT for text in texts.values()):
            return None
        found: Body = {"range": {name: texts}}
        return Filter(any_of([found, too_long(name)]), found)
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


def _between(column: Field, low: tree.Literal, high: tree.Literal) -> Filter | None:
    if low.value is None or high.value is None:
        return None
    return _range(column, {"gte": low, "lte": high})


def _among(column: Field, items: Sequence[tree.Expression]) -> Filter | None:
    literals = [item for item in items if isinstance(item, tree.Literal)]
    if len(literals) != len(items) or len(literals) > MOST_TERMS:
        return None
    known = [literal for literal in literals if literal.value is not None]
    values = [literal.value for literal in known]
    if not known:
        return Filter.exactly(NOTHING)
    if column.kind is Kind.TEXT and all(_is_text(value) for value in values):
        return _texts(column, [str(value) for value in values])
    if column.kind in _WHOLE and all(type(value) is int and abs(value) < 2**63 for value in values):
        return Filter.exactly({"terms": {column.name: values}})
    found = [_equal(column, literal) for literal in known] if len(known) <= MOST_RANGES else [None]
    told = [each.body for each in found if each is not None and each.exact]
    return Filter.exactly(any_of(told)) if len(told) == len(found) else None


def _texts(column: Field, texts: Sequence[str]) -> Filter | None:
    """Filter by the texts that an operand may be."""
    if not column.folded:
        return stored_texts(column.name, texts)
    found = (
        [matching(column.name, text, Case.LOWER_TEXT) for text in texts] if len(texts) <= MOST_CASES else []
    )
    told = [body for body in found if body is not None]
    # A wildcard among the texts is a character like others, which a pattern does not say.
    if not told or len(told) < len(texts) or any("%" in text or "_" in text for text in texts):
        return None
    return Filter(any_of([*told, too_long(column.name)]), any_of(told))


def _like(name: str, pattern: str, case: Case) -> Filter | None:
    """Filter by a pattern, or by what it begins with."""
    if case is Case.COUNTS and beginning(pattern) == pattern:
        return stored_texts(name, [pattern])
    found = matching(name, pattern, case)
    if found is not None:
        return Filter(any_of([found, too_long(name)]), found)
    fixed = beginning(pattern)
    if case is not Case.COUNTS or not 0 < len(fixed) <= MOST_TEXT:
        return None
    return Filter(any_of([{"prefix": {name: fixed}}, too_long(name)]), None)
