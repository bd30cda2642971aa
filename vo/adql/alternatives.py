"""Alternatives: one column that equals this constant OR that one is a list of its values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from query import tree


def listed(items: Iterable[tree.Predicate]) -> tuple[tree.Predicate, ...]:
    """Join those of some alternatives that compare one column with constants into one IN.

    An engine finds the rows of a list by an index and plans it at once, where it would try and plan
    alternatives one by one. Each stands where the first of its alternatives stood.
    """
    found: list[tree.Predicate | tree.Column] = []
    values: dict[tree.Column, list[tree.Expression]] = {}
    for item in items:
        column, constants = _constants(item)
        if column is None:
            found.append(item)
            continue
        if column not in values:
            found.append(column)
        values.setdefault(column, []).extend(constants)
    return tuple(_one_of(item, values[item]) if isinstance(item, tree.Column) else item for item in found)


def _constants(item: tree.Predicate) -> tuple[tree.Column | None, Sequence[tree.Expression]]:
    """Return the column that a condition compares with constants, and these; None when it is another."""
    match item:
        case tree.Comparison("=", tree.Column() as column, tree.Literal() as value) | tree.Comparison(
            "=", tree.Literal() as value, tree.Column() as column
        ):
            return column, (value,)
        case tree.InList(tree.Column() as column, values, negated=False) if _all_constant(values):
            return column, values
    return None, ()


def _all_constant(values: Iterable[tree.Expression]) -> bool:
    return all(isinstance(value, tree.Literal) for value in values)


def _one_of(column: tree.Column, values: list[tree.Expression]) -> tree.Predicate:
    if len(values) == 1:
        return tree.Comparison("=", column, values[0])
    return tree.InList(column, tuple(values))
