"""What is done with the outputs of a resolved query: naming, casting, checking that they are grouped."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias, cast

import schemas
from query import tree
from schemas import Kind
from vo.adql import constants, syntax

Describe: TypeAlias = Callable[[tree.Expression, str], schemas.Column]
"""Describes an output of an expression under a name."""


def as_kinds(query: tree.Query, kinds: list[Kind], describe: Describe) -> tree.Query:
    """Return a query with its columns cast to these kinds where they are of others."""
    if all(column.kind is kind for column, kind in zip(query.columns, kinds, strict=True)):
        return query
    if isinstance(query, tree.SetOperation):
        left, right = as_kinds(query.left, kinds, describe), as_kinds(query.right, kinds, describe)
        new = {column.name: kind for column, kind in zip(left.columns, kinds, strict=True)}
        order = tuple(
            dataclasses.replace(
                key, expression=tree.Column("", key.expression.name, new[key.expression.name])
            )
            for key in query.order_by
            if isinstance(key.expression, tree.Column)
        )
        return dataclasses.replace(query, left=left, right=right, order_by=order)
    select = cast("tree.Select", query)
    outputs = tuple(_output_as(o, kind, describe) for o, kind in zip(select.outputs, kinds, strict=True))
    return dataclasses.replace(select, outputs=outputs)


def _output_as(output: tree.Output, kind: Kind, describe: Describe) -> tree.Output:
    if output.field.kind is kind:
        return output
    expression = output.expression
    literal = constants.as_kind(expression, kind) if isinstance(expression, tree.Literal) else None
    fitted = literal if literal is not None and literal.kind is kind else tree.Cast(expression, kind)
    return tree.Output(fitted, describe(fitted, output.name))


def named_output(key: syntax.SortKey, outputs: tuple[tree.Output, ...] | None) -> tree.Output | None:
    """Return the output that a sort key means by its position or its name."""
    if key.position is not None:
        return outputs[key.position - 1] if outputs and 0 < key.position <= len(outputs) else None
    if not isinstance(key.value, syntax.Name) or len(key.value.parts) > 1:
        return None
    (name,) = key.value.parts
    for output in outputs or ():
        if name.text == output.name or (not name.quoted and name.text.lower() == output.name.lower()):
            return output
    return None


def column_kinds(query: tree.Query) -> list[Kind | None]:
    """Return the kinds of a query's columns; None for a plain NULL, which can be of any."""
    if isinstance(query, tree.Select):
        return [
            None if output.expression == tree.Literal(None, Kind.TEXT) else output.field.kind
            for output in query.outputs
        ]
    return [column.kind for column in query.columns]


def renamed(query: tree.Query, names: list[str]) -> tree.Query:
    """Return a query with other names for its outputs."""
    if isinstance(query, tree.SetOperation):
        new = {column.name: name for column, name in zip(query.columns, names, strict=True)}
        order = tuple(
            dataclasses.replace(
                key, expression=dataclasses.replace(key.expression, name=new[key.expression.name])
            )
            for key in query.order_by
            if isinstance(key.expression, tree.Column)
        )
        return dataclasses.replace(query, left=renamed(query.left, names), order_by=order)
    select = cast("tree.Select", query)
    outputs = tuple(
        dataclasses.replace(output, field=output.field.renamed(name))
        for output, name in zip(select.outputs, names, strict=True)
    )
    return dataclasses.replace(select, outputs=outputs)


def loose(node: Any, keys: tuple[tree.Expression, ...], own: set[str]) -> tree.Column | None:
    """Return a column of this SELECT that is neither grouped nor aggregated, if there is one."""
    if node in keys or isinstance(node, tree.Aggregate | schemas.Table | schemas.Column):
        return None
    if isinstance(node, tree.Column):
        return node if node.alias in own else None
    parts: Iterable[Any] = ()
    if isinstance(node, tuple):
        parts = node
    elif dataclasses.is_dataclass(node) and not isinstance(node, tree.RegionLiteral):
        parts = (getattr(node, part.name) for part in dataclasses.fields(node))
    for part in parts:
        found = loose(part, keys, own)
        if found is not None:
            return found
    return None
