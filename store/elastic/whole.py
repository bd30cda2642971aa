"""Queries that depend only on how often their rows have which values: groups, counts, least and greatest.

Such a query gives the same answer when equal rows are put together beforehand. What Elasticsearch puts
together is read as a table of its own, one row for each group: the columns that the answer depends on, and
measures. ``COUNT(*)`` becomes the sum of the groups' counts, ``MIN(x)`` the least of their least, and so on;
all the rest of the query, HAVING and ORDER BY, expressions of the groups, stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Literal, TypeAlias, TypeVar

import schemas
from query import tree
from schemas import Kind
from schemas.elastic import is_indexed

Name: TypeAlias = Literal["count", "min", "max"]

COUNT = "@count"
"""Column with how many rows a group has."""

CERTAIN = "@certain"
"""Column that is NULL in rows that have still to fulfil the conditions of the query."""

MOST_KEYS = 16
"""Columns that are grouped by at most."""

_BESIDE = (tree.ScalarQuery, tree.InQuery, tree.Exists, tree.Select, tree.SetOperation, tree.With)


@dataclass(frozen=True, slots=True)
class Measure:
    """What is known of a column's values in a group: how many there are, the least, or the greatest."""

    name: Name
    column: schemas.Column

    @property
    def field(self) -> schemas.Column:
        """The column of groups that has it."""
        kind = Kind.LONG if self.name == "count" else self.column.kind
        return schemas.Column(name=f"@{self.name} {self.column.name}", kind=kind)


@dataclass(frozen=True)
class Whole:
    """A SELECT of one table that can be answered from groups of its rows.

    ``keys`` are the columns whose values tell rows of different groups apart.
    """

    select: tree.Select
    source: tree.TableRef
    keys: tuple[schemas.Column, ...]
    measures: tuple[Measure, ...]

    @property
    def tested(self) -> AbstractSet[str]:
        """Lower-case names of the columns that its conditions look at."""
        nodes = tree.walk(self.select.where) if self.select.where is not None else ()
        return {node.name.lower() for node in nodes if isinstance(node, tree.Column)}

    def columns(self, *, tested: bool) -> tuple[schemas.Column, ...]:
        """Return the columns of its groups; ``tested``: with those that single rows are tested by."""
        found = {column.name.lower(): column for column in self.keys}
        if tested:
            declared = self.source.table.by_name
            found |= {name: declared[name] for name in sorted(self.tested) if name not in found}
        return (
            *found.values(),
            *(measure.field for measure in self.measures),
            schemas.Column(name=COUNT, kind=Kind.LONG),
            schemas.Column(name=CERTAIN, kind=Kind.BOOLEAN),
        )

    def over_groups(self, *, tested: bool) -> tree.Select:
        """Return the query of its groups; ``tested``: rows that are not certain have to be tested."""
        alias, table = self.source.alias, self.source.table
        groups = schemas.Table(
            schema_name=table.schema_name,
            local_name=f"{table.local_name} in groups",
            key=(),
            columns=self.columns(tested=tested),
        )
        measured = {measure.field.name for measure in self.measures}
        writer = _Writer(self.source, measured, counted=not self.select.group_by)
        certain = tree.IsNull(tree.Column(alias, CERTAIN, Kind.BOOLEAN), negated=True)
        where = self.select.where
        return replace(
            self.select,
            outputs=writer.written(self.select.outputs),
            source=tree.TableRef(alias, groups),
            where=tree.Or((certain, where)) if tested and where is not None else None,
            group_by=writer.written(self.select.group_by),
            having=writer.written(self.select.having),
            order_by=writer.written(self.select.order_by),
        )

    def over_single_groups(self) -> tree.Select | None:
        """Return the query of its groups with each for a row of the answer; None where some may be one row.

        Nothing has to be put together for it any more.
        """
        names = {item.name.lower() if isinstance(item, tree.Column) else "" for item in self.select.group_by}
        # Elasticsearch tells 0.0 from -0.0.
        real = any(key.kind in (Kind.FLOAT, Kind.DOUBLE) for key in self.keys)
        if self.select.distinct or real or names != {key.name.lower() for key in self.keys}:
            return None
        over = self.over_groups(tested=False)
        found = replace(
            over,
            outputs=changed(over.outputs, _of_one_group),
            where=changed(over.having, _of_one_group),
            group_by=(),
            having=None,
            order_by=changed(over.order_by, _of_one_group),
        )
        left = any(isinstance(node, tree.Aggregate) for node in tree.walk(found))
        return None if left else found


def _of_one_group(node: Any) -> Any:
    """Return what an aggregate of groups is where there is one group: the measure itself."""
    match node:
        case tree.Call(
            name="coalesce", arguments=(tree.Aggregate(name="sum", operand=tree.Column() as total), _)
        ):
            # Only counts are summed up, and there always is one.
            return total
        case tree.Aggregate(name="sum" | "min" | "max", operand=tree.Column() as column, distinct=False):
            return column
        case _:
            return None


def wholes(nodes: Iterable[Any]) -> Iterator[Whole]:
    """Find the queries, among all nodes, that depend on groups of their rows only."""
    for node in nodes:
        if isinstance(node, tree.Select) and isinstance(node.source, tree.TableRef):
            found = _whole(node, node.source)
            if found is not None:
                yield found


def _whole(select: tree.Select, source: tree.TableRef) -> Whole | None:
    parts = (select.outputs, select.group_by, select.having or (), select.order_by)
    nodes = tuple(tree.walk(parts))
    aggregates = any(isinstance(node, tree.Aggregate) for node in nodes)
    if any(isinstance(node, _BESIDE) for node in nodes):
        return None
    if not aggregates and not select.distinct and not select.group_by:
        return None
    reader = _Reader(source)
    if not all(reader.understands(part) for part in parts) or len(reader.keys) > MOST_KEYS:
        return None
    # Of no rows there is no group, but one row of aggregates.
    if not reader.keys and (select.group_by or not aggregates):
        return None
    return Whole(select, source, tuple(reader.keys.values()), tuple(dict.fromkeys(reader.measures)))


class _Reader:
    """Collects what a query needs to know of its rows."""

    def __init__(self, source: tree.TableRef) -> None:
        self._source = source
        self.keys: dict[str, schemas.Column] = {}
        self.measures: list[Measure] = []

    def understands(self, node: Any) -> bool:
        """Take a part of the query in; False when it needs more than groups."""
        match node:
            case tuple():
                return all(self.understands(item) for item in node)
            case tree.Aggregate():
                return self._aggregate(node)
            case tree.Column():
                return self._key(node)
            case _:
                return all(self.understands(part) for part in _parts(node))

    def _aggregate(self, node: tree.Aggregate) -> bool:
        if node.operand is None:
            return True
        if node.name in ("min", "max") or (node.name == "count" and not node.distinct):
            column = grouped(node.operand, self._source)
            if column is not None and (node.name == "count" or column.kind is not Kind.BOOLEAN):
                self.measures.append(Measure(_NAMES[node.name], column))
                return True
        # Equal values count once, however many rows have them; sums depend on their order.
        once = node.name in ("min", "max") or (node.name == "count" and node.distinct)
        return once and self.understands(node.operand)

    def _key(self, node: tree.Column) -> bool:
        column = grouped(node, self._source)
        if column is not None:
            self.keys[column.name.lower()] = column
        return column is not None


_NAMES: Mapping[str, Name] = {"count": "count", "min": "min", "max": "max"}


def grouped(node: tree.Expression, source: tree.TableRef) -> schemas.Column | None:
    """Return the column of a table that an expression is, if documents can be grouped and sorted by it."""
    if not isinstance(node, tree.Column) or node.alias != source.alias:
        return None
    column = source.table.by_name.get(node.name.lower())
    if column is None or column.served or column.rights_of or not is_indexed(column):
        return None
    return column


Part = TypeVar("Part")


class _Writer:
    """Writes the parts of a query anew, so that they read groups."""

    def __init__(self, source: tree.TableRef, measured: AbstractSet[str], *, counted: bool) -> None:
        self._alias = source.alias
        self._table = source.table
        self._measured = measured
        self._counted = counted

    def written(self, node: Part) -> Part:
        """Return a part with its aggregates over groups."""
        return changed(node, self._aggregate)

    def _aggregate(self, node: Any) -> Any:
        if not isinstance(node, tree.Aggregate):
            return None
        if node.operand is None:
            return self._sum(COUNT, node.kind)
        once = node.distinct and node.name == "count"
        if once or not isinstance(node.operand, tree.Column):
            return node
        column = self._table.column(node.operand.name)
        name = Measure(_NAMES[node.name], column).field.name
        if name not in self._measured:
            return node
        if node.name == "count":
            return self._sum(name, node.kind)
        return replace(node, operand=tree.Column(self._alias, name, node.operand.kind))

    def _sum(self, name: str, kind: Kind) -> tree.Expression:
        column = tree.Column(self._alias, name, Kind.LONG)
        total = tree.Aggregate("sum", column, distinct=False, kind=kind)
        # There may be no group at all.
        return tree.Call("coalesce", (total, tree.Literal(0, kind)), kind) if self._counted else total


def changed(node: Part, change: Any) -> Part:
    """Return a part of a query in which ``change`` (from a node to its successor or None) has been made.

    What does not change stays the same object.
    """
    found: Any = change(node)
    if found is not None:
        return found  # type: ignore[no-any-return]
    if isinstance(node, tuple):
        items = tuple(changed(item, change) for item in node)
        same = all(new is old for new, old in zip(items, node, strict=True))
        return node if same else items  # type: ignore[return-value]
    parts = dict(_named_parts(node))
    new = {name: changed(part, change) for name, part in parts.items()}
    if all(new[name] is parts[name] for name in parts):
        return node
    return replace(node, **{name: part for name, part in new.items() if part is not parts[name]})  # type: ignore[type-var]


def _named_parts(node: Any) -> Iterator[tuple[str, Any]]:
    if is_dataclass(node) and not isinstance(node, type | tree.RegionLiteral | tree.TableRef):
        for part in fields(node):
            value = getattr(node, part.name)
            if isinstance(value, tuple) or is_dataclass(value):
                yield part.name, value


def _parts(node: Any) -> Iterator[Any]:
    return (part for _, part in _named_parts(node))
