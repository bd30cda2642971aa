"""From the parameters of a search to a condition of the query tree."""

from __future__ import annotations

import schemas
from archive.api.params import Condition, Filters, Relation, Scalar
from archive.api.values import ValueMismatch, literal
from archive.api.words import key_of, searched_columns, words_condition
from archive.problems import Detail, similar, wrong
from query import build, tree
from schemas import Kind
from schemas.names import holds_names, name_key
from sky.regions import Region, RegionError
from sky.text import parse_region


def named_columns(table: schemas.Table, names: list[str], parameter: str) -> list[schemas.Column]:
    """Return the columns of these names, in any case.

    Raises
    ------
    Problem
        400 naming every unknown one, with those it resembles.
    """
    unknown = [name for name in names if name.lower() not in table.by_name]
    if unknown:
        raise wrong([_unknown(table, name, parameter) for name in unknown])
    return [table.column(name) for name in names]


def _unknown(table: schemas.Table, name: str, parameter: str) -> Detail:
    near = similar(name, [column.name for column in table.columns])
    return Detail("unknown-column", f"{table.name} has no column {name}", parameter, near)


def condition(table: schemas.Table, filters: Filters) -> tree.Predicate | None:
    """Return the condition that a row has to meet; None when every row does.

    Raises
    ------
    Problem
        400 when a part of it is wrong.
    """
    parts = [_spatial(table, filters.region, filters.relation)]
    parts += [_of_column(table, name, value) for name, value in filters.where.items()]
    if filters.target is not None:
        parts.append(_named(table, filters.target))
    if filters.q:
        parts.append(_free_text(table, filters.q))
    return build.all_of(parts)


def _spatial(table: schemas.Table, text: str | None, relation: Relation | None) -> tree.Predicate | None:
    if text is None:
        if relation is not None:
            raise wrong([Detail("value", "relation says nothing without region", "relation")])
        return None
    try:
        region = parse_region(text)
    except RegionError as error:
        raise wrong([Detail(error.code, f"region: {error}", "region")]) from None
    if relation in (None, "position"):
        if table.position is None:
            raise wrong([Detail("value", f"{table.name} has no positions", "region")])
        return build.position_in(table, region)
    if table.region is None:
        raise wrong([Detail("value", f"{table.name} has no footprints; use relation=position", "relation")])
    return build.is_true(_of_footprint(table, region, relation))


def _of_footprint(
    table: schemas.Table, region: Region, relation: Relation | None
) -> tree.Contains | tree.Intersects:
    footprint, searched = build.footprint(table), tree.RegionLiteral(region)
    if relation == "within":
        return tree.Contains(footprint, searched)
    if relation == "contains":
        return tree.Contains(searched, footprint)
    return tree.Intersects(footprint, searched)


def _named(table: schemas.Table, name: str) -> tree.Predicate:
    """Return the condition that a row's target has a name, however that is written."""
    columns = [column for column in table.columns if holds_names(column)]
    if not columns:
        raise wrong([Detail("value", f"{table.name} has no names of targets", "target")])
    key = tree.Literal(name_key(name), Kind.TEXT)
    if not key.value:
        raise wrong([Detail("value", "target names nothing", "target")])
    return _any_of([tree.Comparison("=", key_of(table, column), key) for column in columns])


def _free_text(table: schemas.Table, q: str) -> tree.Predicate | None:
    if not searched_columns(table):
        raise wrong([Detail("value", f"{table.name} has no text to search", "q")])
    return words_condition(table, q)


def _any_of(items: list[tree.Predicate]) -> tree.Predicate:
    return items[0] if len(items) == 1 else tree.Or(tuple(items))


def _ref(table: schemas.Table, column: schemas.Column) -> tree.Column:
    return build.column(table, column.name)


def _of_column(table: schemas.Table, name: str, value: Condition) -> tree.Predicate | None:
    [column] = named_columns(table, [name], f"where.{name}")
    values = value if isinstance(value, list) else [value]
    if not values:
        raise wrong([Detail("value", f"where.{name} lists no value", f"where.{name}")])
    try:
        terms = [_term(table, column, item) for item in values]
    except ValueMismatch as error:
        raise wrong([Detail("type", str(error), f"where.{name}")]) from None
    wanted = [term for term, negative in terms if not negative]
    refused = [term for term, negative in terms if negative]
    return build.all_of([_any_of(wanted) if wanted else None, *refused])


def _term(table: schemas.Table, column: schemas.Column, value: Scalar) -> tuple[tree.Predicate, bool]:
    """Return one condition, and whether it excludes rather than includes."""
    ref = _ref(table, column)
    if value in (None, "null", "!null"):
        return tree.IsNull(ref, negated=value == "!null"), value == "!null"
    if isinstance(value, str) and value.startswith("!"):
        return tree.Comparison("<>", ref, literal(column, value[1:])), True
    if isinstance(value, str) and ".." in value and not value.startswith("="):
        return _interval(column, ref, value), False
    wanted = value.removeprefix("=") if isinstance(value, str) else value
    return tree.Comparison("=", ref, literal(column, wanted)), False


def _interval(column: schemas.Column, ref: tree.Column, value: str) -> tree.Predicate:
    low, _, high = (part.strip() for part in value.partition(".."))
    if low and high:
        return tree.Between(ref, literal(column, low), literal(column, high))
    if low:
        return tree.Comparison(">=", ref, literal(column, low))
    if high:
        return tree.Comparison("<=", ref, literal(column, high))
    return tree.IsNull(ref, negated=True)
