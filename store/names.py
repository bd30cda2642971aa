"""Conditions on the keys of names, as texts that an index can look up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from query import tree
from query.functions import NAME_KEY
from schemas.names import holds_names, key_column
from store.planner import conditions_of
from store.served import Sought


def sought_names(nodes: Iterable[Any]) -> Iterator[Sought]:
    """Say, for conditions among all nodes of a query, of which names' keys the rows must have one.

    The columns are named by :func:`schemas.names.key_column`.
    """
    for tables, conditions in conditions_of(nodes):
        for condition in conditions:
            keys = dict(_keys(condition)) if _is_of_names(condition) else {}
            aliases = {column.alias for column in keys}
            if len(aliases) == 1 and (table := tables.get(alias := aliases.pop())) is not None:
                names = {column.name.lower(): texts for column, texts in keys.items()}
                if all(holds_names(table.column(name)) for name in names):
                    yield Sought(alias, table, {key_column(name): texts for name, texts in names.items()})


def _is_of_names(condition: tree.Predicate) -> bool:
    """Whether a condition is that one of some names has one of some keys."""
    match condition:
        case tree.Or(items=items):
            return all(_is_of_names(item) for item in items)
        case _:
            return any(True for _ in _keys(condition))


def _keys(condition: tree.Predicate) -> Iterator[tuple[tree.Column, tuple[str, ...]]]:
    match condition:
        case tree.Or(items=items):
            found: dict[tree.Column, tuple[str, ...]] = {}
            for item in items:
                for column, keys in _keys(item):
                    found[column] = (*found.get(column, ()), *keys)
            yield from found.items()
        case tree.Comparison(operator="=", left=tree.Literal() as left, right=tree.Call() as right):
            yield from _keys(tree.Comparison("=", right, left))
        case tree.Comparison(
            operator="=",
            left=tree.Call(name=name, arguments=(tree.Column() as column,)),
            right=tree.Literal(value=str() as key),
        ) if name == NAME_KEY:
            yield column, (key,)
        case tree.InList(
            operand=tree.Call(name=name, arguments=(tree.Column() as column,)), items=items, negated=False
        ) if name == NAME_KEY:
            texts = [item.value for item in items if isinstance(item, tree.Literal)]
            known = tuple(text for text in texts if isinstance(text, str))
            if len(known) == len(items):
                yield column, known
