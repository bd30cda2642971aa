"""Shorthand for building queries in code."""

from __future__ import annotations

from collections.abc import Iterable

import schemas
from query import tree
from schemas import Kind
from sky.regions import Region

ALIAS = "t"
"""The alias of the one table of a built query."""


def column(table: schemas.Table, name: str) -> tree.Column:
    """Return a reference to a column of the query's one table; KeyError when it has none of that name."""
    found = table.column(name)
    return tree.Column(ALIAS, found.name, found.kind)


def outputs(table: schemas.Table, names: Iterable[str] | None = None) -> tuple[tree.Output, ...]:
    """Return an output for each named column, or for all of them."""
    chosen = table.columns if names is None else [table.column(name) for name in names]
    return tuple(tree.Output(tree.Column(ALIAS, c.name, c.kind), c) for c in chosen)


def count() -> tree.Output:
    """Return an output that counts rows, named ``n``."""
    return tree.Output(
        tree.Aggregate("count", None, distinct=False, kind=Kind.LONG),
        schemas.Column(name="n", kind=Kind.LONG, description="Number of rows", ucd="meta.number"),
    )


def all_of(predicates: Iterable[tree.Predicate | None]) -> tree.Predicate | None:
    """Join the predicates that are there with AND."""
    items = tuple(p for p in predicates if p is not None)
    if len(items) < 2:
        return items[0] if items else None
    return tree.And(items)


def position_in(table: schemas.Table, region: Region) -> tree.Predicate:
    """Rows whose position is in a region; ValueError when the table has no position."""
    if table.position is None:
        raise ValueError(f"{table.name} has no position columns")
    ra, dec = (column(table, name) for name in table.position)
    return is_true(tree.Contains(tree.PointOf(ra, dec), tree.RegionLiteral(region)))


def footprint(table: schemas.Table) -> tree.RegionOf:
    """Return the footprint of a row; ValueError when the table has none."""
    if table.region is None:
        raise ValueError(f"{table.name} has no footprint column")
    return tree.RegionOf(column(table, table.region))


def is_true(expression: tree.Contains | tree.Intersects) -> tree.Predicate:
    """Turn a spatial relation into a condition."""
    return tree.Comparison("=", tree.Literal(1, Kind.INT), expression)


def select(
    table: schemas.Table,
    *,
    names: Iterable[str] | None = None,
    where: tree.Predicate | None = None,
    order_by: Iterable[tree.Order] = (),
    top: int | None = None,
) -> tree.Select:
    """Return a query of one table."""
    return tree.Select(
        outputs=outputs(table, names),
        source=tree.TableRef(ALIAS, table),
        where=where,
        order_by=tuple(order_by),
        top=top,
    )
