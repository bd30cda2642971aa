"""Whole queries: SELECT, set operations and WITH become the query tree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar, cast

from typing_extensions import override

import schemas
from query import tree
from schemas import Kind
from vo.adql import constants, syntax
from vo.adql.describe import Names, default_name
from vo.adql.errors import AdqlError, Source, similar
from vo.adql.outputs import as_kinds, column_kinds, loose, named_output, renamed
from vo.adql.relations import RelationResolver
from vo.adql.resolution import Ended, Failed, Level
from vo.adql.scope import Field, Scope
from vo.adql.shapes import is_shape, named_kind

MOST_COLUMNS = 5_000
"""Columns that an answer may have."""

MOST_KEYS = 500
"""Values by which an answer may be grouped, or ordered."""

MOST_SELECTS = 250
"""Times that SELECT may stand in a query; the embedded engine nests the plans of those in conditions."""

T = TypeVar("T")
S = TypeVar("S")


class Chosen(NamedTuple):
    """An entry of the select list: its value, the name and unit it was given, and where it stands."""

    expression: tree.Expression
    name: str | None
    unit: str | None
    at: int


def resolve(
    source: Source, node: syntax.QueryNode, declared: schemas.Schemas
) -> tuple[tree.Query | None, list[AdqlError]]:
    """Return the tree of a query, or None and the errors found, in the order of the text.

    Raises
    ------
    QueryTimeout
        When the time is up.
    """
    resolver = _QueryResolver(source, declared)
    try:
        query = resolver.attempt(resolver.whole, node)
    except Ended:
        query = None
    errors = sorted(resolver.errors, key=lambda error: (error.line, error.column))
    return (None if errors else query), errors


class _QueryResolver(RelationResolver):
    _selects = 0

    def whole(self, node: syntax.QueryNode) -> tree.Query:
        if not isinstance(node, syntax.WithNode):
            return self.query(node, None)
        named = tuple(self.each(self._named_query, node.named))
        return tree.With(named, self.query(node.body, None))

    def _named_query(self, node: syntax.NamedQuery) -> tuple[str, tree.Query]:
        name = node.name.text
        if name.lower() in self.common:
            self.fail("syntax", node.name.at, f"{name} is named twice in WITH")
        query = self.query(node.query, None)
        if node.columns:
            if len(node.columns) != len(query.columns):
                message = f"{name} has {len(query.columns)} columns, not {len(node.columns)}"
                self.fail("type", node.columns[0].at, message)
            names = Names()
            query = renamed(query, [names.unique(column.text) for column in node.columns])
        self.common[name.lower()] = (node.name, query)
        return name, query

    @override
    def query(self, node: syntax.QueryNode, parent: Scope | None) -> tree.Query:
        with self.deeper(node.at):
            match node:
                case syntax.SelectNode():
                    self._selects += 1
                    if self._selects > MOST_SELECTS:
                        self.end("unsupported", node.at, f"a query has at most {MOST_SELECTS} times SELECT")
                    outside = self.level
                    self.level = Level(Scope(parent))
                    try:
                        return self._select(node)
                    finally:
                        self.level = outside
                case syntax.SetNode():
                    return self._set_operation(node, parent)
                case syntax.WithNode():
                    return self.query(node.body, parent)

    def _select(self, node: syntax.SelectNode) -> tree.Select:
        failures = self.failures
        self._check_keys(node.group_by)
        self._check_keys(node.order_by)
        relation = self.enter_from(node.source)
        where = self._condition("WHERE", node.where)
        keys = self._listed("GROUP BY", self._group_key, node.group_by)
        items = self._listed("SELECT", self._item, node.items)
        outputs = self._outputs(items)
        having = self._condition("HAVING", node.having)
        complete = len(items) == len(node.items)
        names = tuple(output for output, _ in outputs) if complete else None
        order = self._listed("ORDER BY", lambda key: self._order(key, names), node.order_by)
        if self.failures > failures:
            raise Failed
        select = tree.Select(
            outputs=names or (),
            source=relation,
            where=where,
            distinct=node.distinct,
            group_by=tuple(keys),
            having=having,
            order_by=tuple(key for key in order if not isinstance(key.expression, tree.Literal)),
            top=node.top,
            offset=node.offset,
        )
        if self.level.aggregates or node.group_by or node.having:
            self._check_grouped(node, select, [at for _, at in outputs])
        if node.distinct:
            self._check_distinct(node, select)
        return select

    def _check_keys(self, keys: Sequence[syntax.Value | syntax.SortKey]) -> None:
        if len(keys) > MOST_KEYS:
            message = f"an answer is grouped or ordered by at most {MOST_KEYS} values"
            self.end("unsupported", keys[MOST_KEYS].at, message)

    def _condition(self, clause: str, node: syntax.Condition | None) -> tree.Predicate | None:
        self.level.clause = clause
        if node is None:
            return None
        return self.attempt(self.condition, node)

    def _listed(self, clause: str, act: Callable[[S], T], nodes: Iterable[S]) -> list[T]:
        self.level.clause = clause
        found = (self.attempt(act, node) for node in nodes)
        return [result for result in found if result is not None]

    def _group_key(self, node: syntax.Value) -> tree.Expression:
        key = self.value(node)
        if isinstance(key, tree.Literal):
            self.fail("syntax", node.at, "GROUP BY takes columns and expressions, not positions or constants")
        if is_shape(key):
            self.fail("type", node.at, f"{named_kind(key.kind)} cannot be grouped")
        return key

    def _item(self, node: syntax.Star | syntax.Item) -> list[Chosen]:
        if isinstance(node, syntax.Star):
            return [
                Chosen(found.expression, found.about.name, None, node.at) for found in self._starred(node)
            ]
        expression = self.value(node.value, whole=True)
        unit = None
        if isinstance(node.value, syntax.Call) and node.value.name.upper() == "IN_UNIT":
            target = node.value.arguments[1]
            unit = target.value if isinstance(target, syntax.Text) else None
        return [Chosen(expression, node.alias.text if node.alias else None, unit, node.at)]

    def _starred(self, node: syntax.Star) -> Iterator[Field]:
        scope = self.level.scope
        if scope.broken:
            raise Failed
        sources = scope.visible
        if node.table:
            called = scope.called(node.table)
            if not called:
                name = ".".join(part.text for part in node.table)
                hints = similar(name, [source.shown for source in scope.named])
                self.fail("unknown-table", node.at, f"no table {name} in this query", hints)
            sources = [source.rows for source in called]
        for rows in sources:
            for found in rows.fields():
                if isinstance(found.expression, tree.Column):
                    self.about[found.expression] = found.about
                    self.level.seen.append((found.expression, node.at, self.level.clause))
                yield found

    def _outputs(self, items: list[list[Chosen]]) -> list[tuple[tree.Output, int]]:
        names = Names()
        if (count := sum(map(len, items))) > MOST_COLUMNS:
            at = items[0][0].at
            self.fail("unsupported", at, f"an answer has at most {MOST_COLUMNS} columns, not {count}")
        found: list[tuple[tree.Output, int]] = []
        for chosen in (chosen for item in items for chosen in item):
            wanted = chosen.name or default_name(chosen.expression, len(found) + 1)
            field = self.describe(chosen.expression, names.unique(wanted))
            if chosen.unit:
                field = field.model_copy(update={"unit": chosen.unit})
            found.append((tree.Output(chosen.expression, field), chosen.at))
        return found

    def _order(self, key: syntax.SortKey, outputs: tuple[tree.Output, ...] | None) -> tree.Order:
        found = named_output(key, outputs)
        if found is not None:
            expression = found.expression
        elif key.value is None:
            if outputs is None:
                raise Failed
            message = f"there is no column {key.position}; the query has {len(outputs)}"
            self.fail("unknown-column", key.at, message)
        else:
            expression = self.value(key.value)
        array = isinstance(expression, tree.Column) and self.about[expression].array
        if array or is_shape(expression):
            self.fail("type", key.at, f"{'an array' if array else named_kind(expression.kind)} has no order")
        return tree.Order(expression, key.descending)

    def _check_grouped(self, node: syntax.SelectNode, select: tree.Select, places: list[int]) -> None:
        """Refuse columns that have no one value in a group."""
        own = {source.alias for source in self.level.scope.named}
        parts: list[tuple[Any, str, int]] = [
            *((output.expression, "SELECT", at) for output, at in zip(select.outputs, places, strict=True)),
            (select.having, "HAVING", node.at),
            *((key, "ORDER BY", node.at) for key in select.order_by),
        ]
        for part, clause, start in parts:
            column = loose(part, select.group_by, own)
            if column is None:
                continue
            seen = (place for found, place, where in self.level.seen if (found, where) == (column, clause))
            at = min((place for place in seen if place >= start), default=node.at)
            message = f"{column.name} must be in GROUP BY or inside an aggregate such as MIN"
            self.fail("type", at, message)

    def _check_distinct(self, node: syntax.SelectNode, select: tree.Select) -> None:
        chosen = [output.expression for output in select.outputs]
        for key in select.order_by:
            if key.expression not in chosen:
                message = "with DISTINCT, the answer can be ordered by selected columns only"
                self.fail("type", node.order_by[0].at, message)

    def _set_operation(self, node: syntax.SetNode, parent: Scope | None) -> tree.SetOperation:
        self._check_keys(node.order_by)
        left, right = self.each(lambda side: self.query(side, parent), (node.left, node.right))
        if len(left.columns) != len(right.columns):
            counts = f"{len(left.columns)} and {len(right.columns)}"
            self.fail(
                "type", node.at, f"both sides of {node.operator.upper()} have as many columns, not {counts}"
            )
        kinds = []
        for a, b, name in zip(
            column_kinds(left), column_kinds(right), (c.name for c in left.columns), strict=True
        ):
            kind = constants.common_kind(a, b) if a and b else a or b or Kind.TEXT
            if kind is None:
                message = f"the column {name} is {named_kind(cast('Kind', a))} on one side of "
                message += f"{node.operator.upper()} and {named_kind(cast('Kind', b))} on the other"
                self.fail("type", node.at, message)
            kinds.append(kind)
        left, right = as_kinds(left, kinds, self.describe), as_kinds(right, kinds, self.describe)
        outputs = tuple(tree.Output(tree.Column("", c.name, c.kind), c) for c in left.columns)
        order = self.each(lambda key: self._set_order(key, outputs), node.order_by)
        return tree.SetOperation(
            node.operator, node.all, left, right, order_by=tuple(order), offset=node.offset
        )

    def _set_order(self, key: syntax.SortKey, outputs: tuple[tree.Output, ...]) -> tree.Order:
        found = named_output(key, outputs)
        if found is None:
            names = [output.name for output in outputs]
            message = "the answer of a set operation is ordered by the names or positions of its columns"
            self.fail("unknown-column", key.at, message, names[:3])
        return tree.Order(found.expression, key.descending)
