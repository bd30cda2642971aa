"""Conditions as filters of Elasticsearch, which say how far they can be trusted.

A filter lets every row through for which its condition is true. It may let others through, for whoever
gathers rows applies the whole query to them; and it says which rows it is certain of. What cannot be said so
is not filtered by.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

import schemas
from query import tree
from query.functions import NAME_KEY
from schemas import Kind
from schemas.elastic import CELL, COVER_CELLS, field_name, is_indexed, key_field
from schemas.names import holds_names
from store.elastic.columns import Body, Field, Filter, all_of, any_of, column_filter, stored_texts
from store.planner import Relation

__all__ = ["Body", "Filter", "all_of", "any_of", "condition_filter", "sky_filter", "texts_filter"]

_TURNED: Mapping[tree.Operator, tree.Operator] = {
    "<": ">",
    "<=": ">=",
    ">": "<",
    ">=": "<=",
    "=": "=",
    "<>": "<>",
}
_OPPOSITE: Mapping[tree.Operator, tree.Operator] = {
    "<": ">=",
    "<=": ">",
    ">": "<=",
    ">=": "<",
    "=": "<>",
    "<>": "=",
}


def condition_filter(condition: tree.Predicate, alias: str, table: schemas.Table) -> Filter | None:
    """Return the filter of a condition on the rows of a table called ``alias``; None where there is none."""
    match condition:
        case tree.Not(item=item):
            opposite = _opposite(item)
            return None if opposite is None else condition_filter(opposite, alias, table)
        case tree.And() | tree.Or():
            return _combined(condition, alias, table)
        case tree.Comparison(operator=operator, left=tree.Literal() as left, right=tree.Column() as right):
            return condition_filter(tree.Comparison(_TURNED[operator], right, left), alias, table)
        case tree.Comparison(operator=operator, left=tree.Literal() as left, right=tree.Call() as right):
            return condition_filter(tree.Comparison(_TURNED[operator], right, left), alias, table)
        case tree.Comparison(left=operand) | tree.IsNull(operand=operand):
            field = _field(operand, alias, table)
        case tree.Between(operand=operand) | tree.InList(operand=operand) | tree.Like(operand=operand):
            field = _field(operand, alias, table)
        case _:
            return None
    return None if field is None else column_filter(condition, field)


def _opposite(condition: tree.Predicate) -> tree.Predicate | None:
    """Return the condition that is true where another is false; both are unknown for the same rows."""
    match condition:
        case tree.Not(item=item):
            return item
        case tree.And(items=items):
            return tree.Or(tuple(tree.Not(item) for item in items))
        case tree.Or(items=items):
            return tree.And(tuple(tree.Not(item) for item in items))
        case tree.Comparison(operator=operator):
            return replace(condition, operator=_OPPOSITE[operator])
        case tree.Between() | tree.InList() | tree.Like() | tree.IsNull():
            return replace(condition, negated=not condition.negated)
        case _:
            return None


def _combined(condition: tree.And | tree.Or, alias: str, table: schemas.Table) -> Filter | None:
    found = [condition_filter(item, alias, table) for item in condition.items]
    told = [each for each in found if each is not None]
    sure = [each.certain for each in told if each.certain is not None]
    if not told or (isinstance(condition, tree.Or) and len(told) < len(found)):
        return None
    join = any_of if isinstance(condition, tree.Or) else all_of
    body = join(each.body for each in told)
    if isinstance(condition, tree.And) and len(sure) < len(found):
        return Filter(body, None)
    return Filter(body, join(sure) if sure else None)


def sky_filter(relation: Relation, ranges: NDArray[np.int64]) -> Body:
    """Return the filter of rows whose position or footprint may meet half-open ranges of order-29 cells."""
    bounds = [{"gte": lo, "lt": hi} for lo, hi in ranges.tolist()]
    if relation is Relation.POSITION:
        return any_of({"range": {CELL: each}} for each in bounds)
    return any_of({"range": {COVER_CELLS: {**each, "relation": "intersects"}}} for each in bounds)


def texts_filter(texts: Mapping[str, Iterable[str]]) -> Body | None:
    """Return the filter of rows that store one of some texts in one of some columns, by lower-case name."""
    found = [stored_texts(field_name(name), list(values)) for name, values in texts.items()]
    told = [each.body for each in found if each is not None]
    return any_of(told) if len(told) == len(found) else None


def _field(operand: tree.Expression, alias: str, table: schemas.Table) -> Field | None:
    """Return the field of a column of the alias's own, of the keys of its names, or of it in lower case."""
    match operand:
        case tree.Column():
            column = _own(operand, alias, table)
            return None if column is None else Field(field_name(column.name), column.kind)
        case tree.Call(name=name, arguments=(tree.Column() as inside,)) if name == NAME_KEY:
            column = _own(inside, alias, table)
            known = column is not None and holds_names(column)
            return Field(key_field(inside.name), Kind.TEXT) if known else None
        case tree.Call(name="lower", arguments=(tree.Column() as inside,)):
            column = _own(inside, alias, table)
            known = column is not None and column.kind is Kind.TEXT
            return Field(field_name(inside.name), Kind.TEXT, folded=True) if known else None
    return None


def _own(column: tree.Column, alias: str, table: schemas.Table) -> schemas.Column | None:
    """Return the declared column, if it is the alias's own and stored as it is shown."""
    declared = table.by_name.get(column.name.lower()) if column.alias == alias else None
    if declared is None or declared.served or declared.rights_of or not is_indexed(declared):
        return None
    return declared
