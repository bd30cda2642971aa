"""What the spherical index can narrow in a query.

A condition narrows a table where every row that fails it can be left out: it is one of the conditions that
WHERE or an inner join's ON puts together with AND, it compares the table's own position or footprint with
a constant region, and no outer join can bring the row back as NULLs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import schemas
from query import tree
from sky.alike import NEIGHBOURHOOD
from sky.healpix import STORED_ORDER
from sky.regions import Circle, Point, Region
from sky.vectors import TOLERANCE


class Relation(StrEnum):
    """How a row's position or footprint relates to the constant region."""

    POSITION = "position"
    INTERSECTS = "intersects"
    WITHIN = "within"
    CONTAINS = "contains"


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Rows of ``alias`` that can matter stand in this relation to ``region``."""

    alias: str
    table: schemas.Table
    relation: Relation
    region: Region
    condition: tree.Predicate


def narrowings(nodes: Iterable[Any]) -> tuple[Narrowing, ...]:
    """Find every narrowing among all nodes of a query (``tree.walk``), sub-queries included."""
    found = (_narrowing(each, tables) for tables, conditions in conditions_of(nodes) for each in conditions)
    return tuple(narrowing for narrowing in found if narrowing is not None)


def conjuncts(predicate: tree.Predicate | None) -> Iterator[tree.Predicate]:
    """Take conditions joined with AND apart."""
    if isinstance(predicate, tree.And):
        for item in predicate.items:
            yield from conjuncts(item)
    elif predicate is not None:
        yield predicate


def conditions_of(
    nodes: Iterable[Any],
) -> Iterator[tuple[dict[str, schemas.Table], tuple[tree.Predicate, ...]]]:
    """Yield, for each SELECT, its tables by alias and the conditions that all of its rows fulfil."""
    for node in nodes:
        if isinstance(node, tree.Select) and node.source is not None:
            refs, conditions = _certain(node.source)
            yield {ref.alias: ref.table for ref in refs}, (*conjuncts(node.where), *conditions)


def _certain(relation: tree.Relation) -> tuple[list[tree.TableRef], list[tree.Predicate]]:
    """Return the tables whose rows no outer join makes NULL, and the conditions that filter the whole."""
    match relation:
        case tree.TableRef():
            return [relation], []
        case tree.Join(how="inner" | "cross"):
            left, right = _certain(relation.left), _certain(relation.right)
            return left[0] + right[0], [*conjuncts(relation.condition), *left[1], *right[1]]
        case tree.Join(how="left"):
            return _certain(relation.left)
        case tree.Join(how="right"):
            return _certain(relation.right)
        case _:
            return [], []


def _narrowing(condition: tree.Predicate, tables: dict[str, schemas.Table]) -> Narrowing | None:
    if not isinstance(condition, tree.Comparison):
        return None
    spatial = spatial_condition(condition)
    if isinstance(spatial, tree.Contains):
        found = _position(spatial, tables) or _footprint_contains(spatial, tables)
    elif isinstance(spatial, tree.Intersects):
        found = _footprint_intersects(spatial, tables)
    else:
        found = _near(condition, tables)
    if found is None:
        return None
    alias, relation, region = found
    return Narrowing(alias, tables[alias], relation, region, condition)


_Found = tuple[str, Relation, Region]


def spatial_condition(condition: tree.Comparison) -> tree.Contains | tree.Intersects | None:
    """Return the relation that a comparison asks to hold (``1 = CONTAINS(...)`` and its equals)."""
    for relation, other in ((condition.left, condition.right), (condition.right, condition.left)):
        if isinstance(relation, tree.Contains | tree.Intersects) and isinstance(other, tree.Literal):
            holds = {"=": other.value == 1, "<>": other.value == 0}.get(condition.operator, False)
            return relation if holds else None
    return None


def told_by_region(narrowing: Narrowing) -> bool:
    """Whether rows that stand in the relation fulfil the condition; a distance may leave the rim out."""
    condition = narrowing.condition
    return isinstance(condition, tree.Comparison) and spatial_condition(condition) is not None


def _position(node: tree.Contains, tables: dict[str, schemas.Table]) -> _Found | None:
    if isinstance(node.outer, tree.RegionLiteral):
        alias = position_of(node.inner, tables)
        return (alias, Relation.POSITION, node.outer.region) if alias else None
    # A constant point in a circle around the row's position is a cone the other way round.
    if not isinstance(node.outer, tree.CircleOf) or not isinstance(node.outer.radius, tree.Literal):
        return None
    alias, centre = position_of(node.outer.centre, tables), constant_point(node.inner)
    if alias is None or centre is None:
        return None
    circle = _circle(centre, node.outer.radius.value)
    return (alias, Relation.POSITION, circle) if circle else None


def _near(condition: tree.Comparison, tables: dict[str, schemas.Table]) -> _Found | None:
    """Recognise a distance to a constant point below a constant; the cone's rim is kept either way."""
    distance, limit = condition.left, condition.right
    if condition.operator in (">", ">="):
        distance, limit = limit, distance
    elif condition.operator not in ("<", "<="):
        return None
    if not isinstance(distance, tree.Distance) or not isinstance(limit, tree.Literal):
        return None
    for one, other in ((distance.left, distance.right), (distance.right, distance.left)):
        alias, centre = position_of(one, tables), constant_point(other)
        circle = _circle(centre, limit.value) if centre else None
        if alias and circle:
            return alias, Relation.POSITION, circle
    return None


def _circle(centre: Point, radius: tree.Value) -> Circle | None:
    if isinstance(radius, int | float) and 0 <= radius <= 180:
        return Circle(centre.ra, centre.dec, float(radius))
    return None


def _footprint_contains(node: tree.Contains, tables: dict[str, schemas.Table]) -> _Found | None:
    if isinstance(node.outer, tree.RegionLiteral):
        alias = footprint_of(node.inner, tables)
        return (alias, Relation.WITHIN, node.outer.region) if alias else None
    if isinstance(node.inner, tree.RegionLiteral):
        alias = footprint_of(node.outer, tables)
        return (alias, Relation.CONTAINS, node.inner.region) if alias else None
    return None


def _footprint_intersects(node: tree.Intersects, tables: dict[str, schemas.Table]) -> _Found | None:
    for one, other in ((node.left, node.right), (node.right, node.left)):
        if isinstance(other, tree.RegionLiteral):
            alias = footprint_of(one, tables)
            return (alias, Relation.INTERSECTS, other.region) if alias else None
    return None


def position_of(node: tree.Expression, tables: dict[str, schemas.Table]) -> str | None:
    """Return the alias of the table whose declared position an expression is."""
    if not isinstance(node, tree.PointOf):
        return None
    ra, dec = node.ra, node.dec
    if not isinstance(ra, tree.Column) or not isinstance(dec, tree.Column) or ra.alias != dec.alias:
        return None
    table = tables.get(ra.alias)
    if table is None or table.position is None:
        return None
    same = (ra.name.lower(), dec.name.lower()) == tuple(name.lower() for name in table.position)
    return ra.alias if same else None


def footprint_of(node: tree.Expression, tables: dict[str, schemas.Table]) -> str | None:
    """Return the alias of the table whose declared footprint an expression is."""
    if not isinstance(node, tree.RegionOf) or not isinstance(node.text, tree.Column):
        return None
    table = tables.get(node.text.alias)
    if table is None or table.region is None or table.region.lower() != node.text.name.lower():
        return None
    return node.text.alias


def constant_point(node: tree.Expression) -> Point | None:
    """Return the point that an expression always is."""
    if isinstance(node, tree.RegionLiteral) and isinstance(node.region, Point):
        return node.region
    if isinstance(node, tree.PointOf):
        ra, dec = (part.value if isinstance(part, tree.Literal) else None for part in (node.ra, node.dec))
        if isinstance(ra, int | float) and isinstance(dec, int | float) and abs(dec) <= 90:
            return Point(float(ra) % 360.0, float(dec))
    return None


ColumnCondition = tuple[str, schemas.Table, str, tuple[str, ...], bool]
"""Alias, table, column, texts, and whether the one text is a pattern of LIKE."""


def column_conditions(nodes: Iterable[Any]) -> tuple[ColumnCondition, ...]:
    """Find the conditions, among all nodes, by which rows must have some texts or match a pattern."""
    found: list[ColumnCondition] = []
    for tables, conditions in conditions_of(nodes):
        for texts in filter(None, map(_texts, conditions)):
            column, values, pattern = texts
            if column.alias in tables:
                found.append((column.alias, tables[column.alias], column.name, values, pattern))
    return tuple(found)


def _texts(condition: tree.Predicate) -> tuple[tree.Column, tuple[str, ...], bool] | None:
    match condition:
        case tree.Comparison(
            operator="=", left=tree.Column() as column, right=tree.Literal(value=str() as value)
        ):
            return column, (value,), False
        case tree.Comparison(
            operator="=", left=tree.Literal(value=str() as value), right=tree.Column() as column
        ):
            return column, (value,), False
        case tree.InList(operand=tree.Column() as column, negated=False):
            values = tuple(item.value for item in condition.items if isinstance(item, tree.Literal))
            texts = tuple(value for value in values if isinstance(value, str))
            return (column, texts, False) if texts and len(texts) == len(condition.items) else None
        case tree.Like(operand=tree.Column() as column, ignore_case=False, negated=False):
            pattern = condition.pattern
            if isinstance(pattern, tree.Literal) and isinstance(pattern.value, str):
                return column, (pattern.value,), True
    return None


@dataclass(frozen=True, slots=True)
class ConeJoin:
    """Rows of two tables join only where their positions are at most ``radius`` degrees apart.

    ``near`` and ``far`` are aliases; ``swaps`` tells that they may change places, because neither is the null
    side of an outer join.
    """

    near: str
    far: str
    radius: float
    condition: tree.Predicate
    swaps: bool


def cone_joins(nodes: Sequence[Any]) -> tuple[ConeJoin, ...]:
    """Find the conditions, among all nodes, that keep positions of two tables within a constant radius."""
    found = [
        join
        for tables, conditions in conditions_of(nodes)
        for condition in conditions
        for join in _cone_join(condition, tables, swaps=True)
    ]
    for node in nodes:
        if isinstance(node, tree.Join) and isinstance(node.right, tree.TableRef) and node.how == "left":
            tables = {ref.alias: ref.table for ref in (*_certain(node.left)[0], node.right)}
            for condition in conjuncts(node.condition):
                found.extend(
                    join if join.near == node.right.alias else replace(join, near=join.far, far=join.near)
                    for join in _cone_join(condition, tables, swaps=False)
                    if node.right.alias in (join.near, join.far)
                )
    return tuple(found)


def _cone_join(
    condition: tree.Predicate, tables: dict[str, schemas.Table], *, swaps: bool
) -> Iterator[ConeJoin]:
    if not isinstance(condition, tree.Comparison):
        return
    spatial = spatial_condition(condition)
    ends: tuple[tree.Expression, tree.Expression] | None = None
    radius: tree.Expression | None = None
    if isinstance(spatial, tree.Contains) and isinstance(spatial.outer, tree.CircleOf):
        ends, radius = (spatial.inner, spatial.outer.centre), spatial.outer.radius
    elif isinstance(condition.left, tree.Distance) and condition.operator in ("<", "<="):
        ends, radius = (condition.left.left, condition.left.right), condition.right
    elif isinstance(condition.right, tree.Distance) and condition.operator in (">", ">="):
        ends, radius = (condition.right.left, condition.right.right), condition.left
    if ends is None or not isinstance(radius, tree.Literal) or not isinstance(radius.value, int | float):
        return
    one, other = (position_of(end, tables) for end in ends)
    if one is not None and other is not None and one != other and 0 <= radius.value <= 180:
        yield ConeJoin(one, other, float(radius.value), condition, swaps)


@dataclass(frozen=True, slots=True)
class CellJoin:
    """A join by position that is made one by cell.

    Rows of ``near`` are repeated for their cell of ``order`` and the cells around; those of ``far`` that
    fulfil the condition lie in one of these.
    """

    near: str
    far: str
    order: int
    condition: tree.Predicate


def cell_joins(nodes: Sequence[Any], size: Callable[[tree.TableRef], int | None]) -> tuple[CellJoin, ...]:
    """Choose which tables are repeated: the smaller of two where they may change places, each once.

    ``size`` tells how many rows there are to join, None where the rows have no cells.
    """
    joins = cone_joins(nodes)
    if not joins:
        return ()
    refs = {node.alias: node for node in nodes if isinstance(node, tree.TableRef)}
    sizes = {alias: size(refs[alias]) for join in joins for alias in (join.near, join.far)}
    found: dict[str, CellJoin] = {}
    for join in joins:
        near, far, order = join.near, join.far, _order(join.radius)
        one, other = sizes[near], sizes[far]
        if one is None or other is None or order is None:
            continue
        if join.swaps and other < one:
            near, far = far, near
        if near not in found:
            found[near] = CellJoin(near, far, order, join.condition)
    return tuple(found.values())


def _order(radius: float) -> int | None:
    """Return the finest order whose cells with their neighbours hold every cone of ``radius`` degrees."""
    reach = math.radians(radius) + 2 * TOLERANCE
    if reach > NEIGHBOURHOOD:
        return None
    return min(STORED_ORDER, int(math.log2(NEIGHBOURHOOD / reach)))
