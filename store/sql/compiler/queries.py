"""Whole queries as SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Protocol

import schemas
from query import tree
from store.sql.compiler.expressions import Expressions
from store.sql.compiler.predicates import Predicates
from store.sql.compiler.scope import Scope, outputs
from store.sql.kinds import sql_type


class Direct(Protocol):
    """A stored table that a query reads without a sub-query."""

    @property
    def source(self) -> str:
        """Its SQL name."""
        ...

    @property
    def values(self) -> Mapping[str, str]:
        """The SQL of its columns by their SQL name."""
        ...

    @property
    def conditions(self) -> Sequence[str]:
        """What its rows must fulfil."""
        ...


class Tables(Protocol):
    """Where the rows of declared tables come from."""

    def columns(self, table: schemas.Table) -> Mapping[str, str]:
        """Return the SQL name of each column by its lower-case name."""
        ...

    def rows(self, alias: str, table: schemas.Table, used: AbstractSet[str]) -> str:
        """Return the SQL of a relation with the used columns, unit vectors too where positions are used."""
        ...

    def direct(self, alias: str, table: schemas.Table, used: AbstractSet[str], sql: str) -> Direct | None:
        """Return the one stored table that holds the rows, called ``sql``; None when there is no such."""
        ...

    def joined(self, node: tree.Predicate, sql: str, aliases: Mapping[str, str]) -> str:
        """Return the SQL of a condition, with what it implies for how ``rows`` wrote a relation."""
        ...

    def count(self, table: schemas.Table) -> int | None:
        """Return how many rows a table has; None when that is not known without counting."""
        ...


@dataclass(frozen=True)
class Compiled:
    """A query's SQL, whose columns are named o0, o1 and so on."""

    sql: str
    columns: tuple[schemas.Column, ...]


def compile_query(
    query: tree.Query,
    tables: Tables,
    *,
    nodes: Sequence[Any] = (),
    known: AbstractSet[int] = frozenset(),
    limit: int | None = None,
) -> Compiled:
    """Write a query as SQL.

    ``nodes`` are all nodes of the query, when the caller has listed them already. ``known`` holds the
    identities of conditions that every row which ``tables`` delivers fulfils; ``limit`` cuts the answer.

    Raises
    ------
    QueryRejected
        When a part of it has no form in the engine; the message says what.
    """
    return Compiled(
        _Writer(nodes or tuple(tree.walk(query)), tables, known).query(query, limit), query.columns
    )


class _Writer:
    def __init__(self, nodes: Sequence[Any], tables: Tables, known: AbstractSet[int]) -> None:
        self._scope = Scope(nodes, tables.columns)
        self._tables = tables
        expressions = Expressions(self._scope, self.query)
        self._value = expressions.value
        self._condition = Predicates(expressions, self.query, known, self._joined).condition

    def _joined(self, node: tree.Predicate, sql: str) -> str:
        return self._tables.joined(node, sql, self._scope.aliases)

    def query(self, query: tree.Query, limit: int | None = None) -> str:
        match query:
            case tree.Select():
                return self._select(query, limit)
            case tree.SetOperation():
                return self._set_operation(query, limit)
            case tree.With():
                named = [self._named(name, part) for name, part in query.named]
                return f"WITH {', '.join(named)} {self.query(query.body, limit)}"

    def _named(self, name: str, query: tree.Query) -> str:
        # Left to itself the engine may put a query in the place of each of its names, which doubles the plan
        # for each query of a chain that names the one before twice.
        how = "MATERIALIZED " if self._scope.references[name] > 1 else ""
        return f"{self._scope.queries[name]} AS {how}({self.query(query)})"

    def _select(self, select: tree.Select, limit: int | None) -> str:
        count = self._count(select)
        source, where = ("", []) if count is not None else self._from(select.source)
        columns = [f"{self._output(output)} AS o{place}" for place, output in enumerate(select.outputs)]
        if count is not None:
            columns = [f"{count}::BIGINT AS o{place}" for place in range(len(columns))]
        parts = [f"SELECT {'DISTINCT ' if select.distinct else ''}{', '.join(columns)}"]
        if source:
            parts.append(f"FROM {source}")
        if select.where is not None:
            where.append(self._condition(select.where))
        if where:
            parts.append(f"WHERE {' AND '.join(where)}")
        if select.group_by:
            parts.append(f"GROUP BY {', '.join(self._value(item) for item in select.group_by)}")
        if select.having is not None:
            parts.append(f"HAVING {self._condition(select.having)}")
        names = {
            output.expression: f"o{place}" for place, output in reversed(list(enumerate(select.outputs)))
        }
        if select.order_by and count is None:
            keys = (names.get(key.expression) or self._value(key.expression) for key in select.order_by)
            parts.append(_order_by(select.order_by, keys))
        return " ".join([*parts, *_cut(select.top, select.offset, limit)])

    def _from(self, source: tree.Relation | None) -> tuple[str, list[str]]:
        """Return what a select reads, and conditions that come with it."""
        if source is None:
            return "", []
        if isinstance(source, tree.TableRef):
            named, used = self._scope.relation(source.alias), self._scope.used.get(source.alias, set())
            direct = self._tables.direct(source.alias, source.table, used, named.sql)
            if direct is not None:
                self._scope.show(source.alias, direct.values)
                return f"{direct.source} AS {named.sql}", list(direct.conditions)
        return self._relation(source), []

    def _count(self, select: tree.Select) -> int | None:
        """Return what a query that only counts a table's rows answers."""
        counts = all(
            isinstance(output.expression, tree.Aggregate) and output.expression.operand is None
            for output in select.outputs
        )
        plain = select.where is None and select.having is None and not select.group_by
        if counts and plain and isinstance(select.source, tree.TableRef):
            return self._tables.count(select.source.table)
        return None

    def _output(self, output: tree.Output) -> str:
        sql, expression, field = self._value(output.expression), output.expression, output.field
        if isinstance(expression, tree.Column) and expression.kind is field.kind:
            return sql
        return f"CAST({sql} AS {sql_type(field.kind, array=field.array is not None)})"

    def _relation(self, relation: tree.Relation) -> str:
        match relation:
            case tree.TableRef():
                used = self._scope.used.get(relation.alias, set())
                rows = self._tables.rows(relation.alias, relation.table, used)
                return f"({rows}) AS {self._scope.relation(relation.alias).sql}"
            case tree.Derived():
                return f"({self.query(relation.query)}) AS {self._scope.relation(relation.alias).sql}"
            case tree.CteRef():
                return f"{self._scope.queries[relation.name]} AS {self._scope.relation(relation.alias).sql}"
            case tree.Join(how="cross"):
                return f"({self._relation(relation.left)} CROSS JOIN {self._relation(relation.right)})"
            case tree.Join():
                condition = "true" if relation.condition is None else self._condition(relation.condition)
                joined = f"{relation.how.upper()} JOIN {self._relation(relation.right)} ON {condition}"
                return f"({self._relation(relation.left)} {joined})"

    def _set_operation(self, operation: tree.SetOperation, limit: int | None) -> str:
        word = f"{operation.operator.upper()}{' ALL' if operation.all else ''}"
        combined = f"({self.query(operation.left)}) {word} ({self.query(operation.right)})"
        columns = [
            f"CAST(s.o{place} AS {sql_type(column.kind, array=column.array is not None)}) AS o{place}"
            for place, column in enumerate(operation.columns)
        ]
        parts = [f"SELECT {', '.join(columns)} FROM ({combined}) AS s"]
        if operation.order_by:
            names = outputs(operation)
            keys = (self._set_key(key.expression, names) for key in operation.order_by)
            parts.append(_order_by(operation.order_by, keys))
        return " ".join([*parts, *_cut(operation.top, operation.offset, limit)])

    def _set_key(self, expression: tree.Expression, names: Mapping[str, str]) -> str:
        if isinstance(expression, tree.Column) and not expression.alias:
            return f"s.{names[expression.name]}"
        return self._value(expression)


def _order_by(order: tuple[tree.Order, ...], keys: Iterable[str]) -> str:
    written = [
        f"{key}{' DESC' if item.descending else ''} NULLS LAST" for item, key in zip(order, keys, strict=True)
    ]
    return f"ORDER BY {', '.join(written)}"


def _cut(top: int | None, offset: int | None, limit: int | None) -> list[str]:
    bounds = [bound for bound in (top, limit) if bound is not None]
    parts = [f"LIMIT {min(bounds)}"] if bounds else []
    return [*parts, f"OFFSET {offset}"] if offset else parts
