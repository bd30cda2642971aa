"""Conditions as filters of Elasticsearch: what they leave out cannot fulfil the condition.

A filter may let rows through that the condition refuses, for whoever gathers rows applies the whole query to
them; it never refuses one that the condition lets through. What cannot be said so is not filtered by.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import schemas
from query import tree
from schemas import Kind
from schemas.elastic import BORDER_CELLS, CELL, INNER_CELLS, MOST_TEXT, field_name, is_indexed
from store.planner import Relation

Body: TypeAlias = dict[str, Any]

MOST_TERMS = 50_000
"""Values of one list that are filtered by; Elasticsearch takes 65,536."""

MOST_RANGES = 500
"""Numbers of one list that are no whole ones and filtered by."""

_EXACT = 2**53
"""Whole numbers up to which every one is a double."""

_WHOLE = frozenset({Kind.SHORT, Kind.INT, Kind.LONG, Kind.TIMESTAMP})
_BOUNDS = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}
_TURNED: Mapping[tree.Operator, tree.Operator] = {
    "<": ">",
    "<=": ">=",
    ">": "<",
    ">=": "<=",
    "=": "=",
    "<>": "<>",
}


def condition_filter(condition: tree.Predicate, alias: str, table: schemas.Table) -> Body | None:
    """Return the filter of a condition on the rows of a table called ``alias``; None where there is none."""
    match condition:
        case tree.And() | tree.Or():
            return _combined(condition, alias, table)
        case tree.Comparison(operator=operator, left=tree.Literal() as left, right=tree.Column() as right):
            return condition_filter(tree.Comparison(_TURNED[operator], right, left), alias, table)
        case tree.Comparison(left=tree.Column() as operand) | tree.IsNull(operand=tree.Column() as operand):
            column = _own(operand, alias, table)
        case (
            tree.Between(operand=tree.Column() as operand, negated=False)
            | tree.InList(operand=tree.Column() as operand, negated=False)
            | tree.Like(operand=tree.Column() as operand, ignore_case=False, negated=False)
        ):
            column = _own(operand, alias, table)
        case _:
            return None
    return None if column is None else _of_column(condition, column)


def _combined(condition: tree.And | tree.Or, alias: str, table: schemas.Table) -> Body | None:
    found = [condition_filter(item, alias, table) for item in condition.items]
    told = [body for body in found if body is not None]
    if isinstance(condition, tree.Or):
        return any_of(told) if len(told) == len(found) else None
    return all_of(told) if told else None


def _of_column(condition: tree.Predicate, column: schemas.Column) -> Body | None:
    """Return the filter of a condition whose operand is a column."""
    match condition:
        case tree.Comparison(right=tree.Literal() as value):
            return _compared(column, condition.operator, value.value)
        case tree.Between():
            return _between(column, condition.low, condition.high)
        case tree.InList():
            return _among(column, condition.items)
        case tree.Like():
            return _like(column, condition.pattern)
        case tree.IsNull():
            return _missing(column, negated=condition.negated)
    return None


def all_of(filters: Iterable[Body]) -> Body:
    """Return the filter of what all of them let through."""
    return {"bool": {"filter": list(filters)}}


def any_of(filters: Iterable[Body]) -> Body:
    """Return the filter of what one of them lets through."""
    return {"bool": {"should": list(filters), "minimum_should_match": 1}}


def sky_filter(relation: Relation, ranges: NDArray[np.int64]) -> Body:
    """Return the filter of rows whose position or footprint may meet half-open ranges of order-29 cells."""
    bounds = [{"gte": lo, "lt": hi} for lo, hi in ranges.tolist()]
    if relation is Relation.POSITION:
        return any_of({"range": {CELL: each}} for each in bounds)
    return any_of(
        {"range": {name: {**each, "relation": "intersects"}}}
        for each in bounds
        for name in (INNER_CELLS, BORDER_CELLS)
    )


def texts_filter(texts: Mapping[str, Iterable[str]]) -> Body | None:
    """Return the filter of rows that store one of some texts in one of some columns, by lower-case name."""
    found = []
    for name, values in texts.items():
        listed = list(values)
        if len(listed) > MOST_TERMS:
            return None
        found += [_terms(field_name(name), listed), _too_long(field_name(name))]
    return any_of(found)


def _own(column: tree.Column, alias: str, table: schemas.Table) -> schemas.Column | None:
    """Return the declared column, if it is the alias's own and stored as it is shown."""
    declared = table.by_name.get(column.name.lower()) if column.alias == alias else None
    if declared is None or declared.served or declared.rights_of or not is_indexed(declared):
        return None
    return declared


def _compared(column: schemas.Column, operator: str, value: tree.Value) -> Body | None:
    if value is None:
        return None
    if operator == "=":
        return _equal(column, value)
    return _range(column, {_BOUNDS[operator]: value}) if operator in _BOUNDS else None


def _equal(column: schemas.Column, value: tree.Value) -> Body | None:
    name = field_name(column.name)
    if column.kind is Kind.BOOLEAN:
        return {"term": {name: value}} if isinstance(value, bool) else None
    if column.kind is Kind.TEXT and isinstance(value, str):
        return any_of([_terms(name, [value]), _too_long(name)])
    return _range(column, {"gte": value, "lte": value})


def _range(column: schemas.Column, bounds: Mapping[str, tree.Value]) -> Body | None:
    name = field_name(column.name)
    if column.kind is Kind.TEXT:
        if not all(isinstance(value, str) and len(value) <= MOST_TEXT for value in bounds.values()):
            return None
        return any_of([{"range": {name: dict(bounds)}}, _too_long(name)])
    numbers: dict[str, int | float] = {}
    for bound, value in bounds.items():
        number = _number(column.kind, bound, value)
        if number is None:
            return None
        numbers[number[0]] = number[1]
    return {"range": {name: numbers}}


def _number(kind: Kind, bound: str, value: tree.Value) -> tuple[str, int | float] | None:
    """Return a bound and its value as a column's field has it, widened where it is no such number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    if kind in _WHOLE:
        return _whole(bound, value)
    if value == 0:
        # Lucene orders -0.0 before 0.0, where SQL takes them for one number.
        return ("gte", -0.0) if bound in ("gt", "gte") else ("lte", 0.0)
    if kind is Kind.FLOAT:
        return _single(bound, value)
    fits = kind is Kind.DOUBLE and (isinstance(value, float) or abs(value) <= _EXACT)
    return (bound, float(value)) if fits else None


def _whole(bound: str, value: float) -> tuple[str, int] | None:
    """Return a bound on whole numbers."""
    if isinstance(value, int):
        return (bound, value) if -(2**63) <= value < 2**63 else None
    if abs(value) >= _EXACT:
        return None
    return ("gte", math.floor(value)) if bound in ("gt", "gte") else ("lte", math.ceil(value))


def _single(bound: str, value: float) -> tuple[str, float] | None:
    """Return a bound on numbers of single precision; it may have been rounded to one of them, or not."""
    with np.errstate(over="ignore"):
        rounded = float(np.float32(value))
    if not math.isfinite(rounded):
        return None
    return ("gte", min(value, rounded)) if bound in ("gt", "gte") else ("lte", max(value, rounded))


def _between(column: schemas.Column, low: tree.Expression, high: tree.Expression) -> Body | None:
    if not isinstance(low, tree.Literal) or not isinstance(high, tree.Literal):
        return None
    if low.value is None or high.value is None:
        return None
    return _range(column, {"gte": low.value, "lte": high.value})


def _among(column: schemas.Column, items: Sequence[tree.Expression]) -> Body | None:
    values = [item.value for item in items if isinstance(item, tree.Literal)]
    if len(values) != len(items) or len(values) > MOST_TERMS:
        return None
    known = [value for value in values if value is not None]
    name = field_name(column.name)
    if column.kind is Kind.TEXT and all(isinstance(value, str) for value in known):
        return any_of([_terms(name, known), _too_long(name)])
    if column.kind in _WHOLE and all(type(value) is int and abs(value) < 2**63 for value in known):
        return _terms(name, known)
    found = [_equal(column, value) for value in known] if len(known) <= MOST_RANGES else [None]
    told = [body for body in found if body is not None]
    return any_of(told) if len(told) == len(found) else None


def _like(column: schemas.Column, pattern: tree.Expression) -> Body | None:
    """Filter by what a pattern begins with."""
    text = pattern.value if isinstance(pattern, tree.Literal) else None
    if column.kind is not Kind.TEXT or not isinstance(text, str):
        return None
    fixed = text[: min((place for place in map(text.find, "%_") if place >= 0), default=len(text))]
    name = field_name(column.name)
    return any_of([{"prefix": {name: fixed}}, _too_long(name)]) if 0 < len(fixed) <= MOST_TEXT else None


def _missing(column: schemas.Column, *, negated: bool) -> Body:
    name = field_name(column.name)
    there = any_of([{"exists": {"field": name}}, _too_long(name)])
    return there if negated else {"bool": {"must_not": [there]}}


def _terms(name: str, values: Iterable[Any]) -> Body:
    return {"terms": {name: list(values)}}


def _too_long(name: str) -> Body:
    """Return the filter of rows whose text is longer than those that are indexed."""
    return {"term": {"_ignored": name}}
