"""Whole queries as SQL."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Protocol

import schemas
from query import tree
from store.sql.compiler.expressions import Expressions
from store.sql.compiler.predicates import Predicates
from store.sql.compiler.scope import Scope, outputs
from store.sql.instance import LATE_ROWS
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

    def direct(self, alias: str, table: schemas.Table, used: AbstractSet[str], sql: str) -> Sequence[Direct]:
        """Return the stored tables that hold the rows between them, each called ``sql``; none if unknown."""
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


def compile_numbers(
    select: tree.Select,
    tables: Tables,
    column: str,
    *,
    nodes: Sequence[Any],
    known: AbstractSet[int],
    limit: int | None,
) -> Compiled:
    """Write a query for which rows of one stored table a select shows, by the ``column`` that numbers them.

    The select must neither group rows nor tell equal ones apart. Where it is cut, the first rows of each
    part of the table are told, in no order.
    """
    sql = _Writer(nodes, tables, known).numbers(select, column, limit)
    return Compiled(sql, (schemas.Column(name="number", kind=schemas.Kind.LONG),))


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

    def numbers(self, select: tree.Select, column: str, limit: int | None) -> str:
        needed = rows_needed(select, limit)
        cut = [f"LIMIT {needed}"] if needed is not None else []
        written = []
        for part in self._direct(select.source):
            source, where = self._from(select.source, [part])
            if select.where is not None:
                where.append(self._condition(select.where))
            keys = [self._value(key.expression) for key in select.order_by] if cut else []
            order = [_order_by(select.order_by, keys)] if keys else []
            condition = [f"WHERE {' AND '.join(where)}"] if where else []
            written.append(
                " ".join([f"(SELECT {column} AS o0 FROM {source}", *condition, *order, *cut]) + ")"
            )
        return " UNION ALL ".join(written) or "SELECT 0::BIGINT AS o0 WHERE false"

    def _named(self, name: str, query: tree.Query) -> str:
        # Left to itself the engine may put a query in the place of each of its names, which doubles the plan
        # for each query of a chain that names the one before twice.
        how = "MATERIALIZED " if self._scope.references[name] > 1 else ""
        return f"{self._scope.queries[name]} AS {how}({self.query(query)})"

    def _select(self, select: tree.Select, limit: int | None) -> str:
        count = self._count(select)
        cut = _cut(select.top, select.offset, limit)
        if count is not None:
            counted = (f"{count}::BIGINT AS o{place}" for place in range(len(select.outputs)))
            return " ".join([f"SELECT {', '.join(counted)}", *cut])
        direct = self._direct(select.source)
        if len(direct) > 1 and _first_rows(select, limit):
            return self._first_of(select, direct, limit)
        source, where = self._from(select.source, direct)
        order = [_order_by(select.order_by, self._keys(select))] if select.order_by else []
        return " ".join([self._rows(select, source, where, ()), *order, *cut])

    def _rows(self, select: tree.Select, source: str, where: Sequence[str], further: Sequence[str]) -> str:
        """Return the SQL of a select's rows in no order; ``further`` are columns beside its own."""
        columns = [f"{self._output(output)} AS o{place}" for place, output in enumerate(select.outputs)]
        parts = [f"SELECT {'DISTINCT ' if select.distinct else ''}{', '.join([*columns, *further])}"]
        if source:
            parts.append(f"FROM {source}")
        conditions = [*where, *([] if select.where is None else [self._condition(select.where)])]
        if conditions:
            parts.append(f"WHERE {' AND '.join(conditions)}")
        if select.group_by:
            parts.append(f"GROUP BY {', '.join(self._value(item) for item in select.group_by)}")
        if select.having is not None:
            parts.append(f"HAVING {self._condition(select.having)}")
        return " ".join(parts)

    def _keys(self, select: tree.Select) -> list[str]:
        """Return the SQL of what a select is ordered by, outputs by their names."""
        names = {
            output.expression: f"o{place}" for place, output in reversed(list(enumerate(select.outputs)))
        }
        return [names.get(key.expression) or self._value(key.expression) for key in select.order_by]

    def _first_of(self, select: tree.Select, direct: Sequence[Direct], limit: int | None) -> str:
        """Return the SQL of the first rows in an order: those of the first rows of each stored table.

        The engine reads all columns of few rows only where one table is ordered by itself.
        """
        needed = rows_needed(select, limit)
        firsts = []
        for part in direct:
            source, where = self._from(select.source, [part])
            keys = self._keys(select)
            further = [f"{key} AS k{place}" for place, key in enumerate(keys) if not _is_output(key)]
            rows = self._rows(select, source, where, further)
            firsts.append(f"({rows} {_order_by(select.order_by, keys)} LIMIT {needed})")
        names = ", ".join(f"f.o{place} AS o{place}" for place in range(len(select.outputs)))
        order = [f"f.{key}" if _is_output(key) else f"f.k{place}" for place, key in enumerate(keys)]
        cut = _cut(select.top, select.offset, limit)
        found = f"SELECT {names} FROM ({' UNION ALL '.join(firsts)}) AS f"
        return " ".join([found, _order_by(select.order_by, order), *cut])

    def _direct(self, source: tree.Relation | None) -> Sequence[Direct]:
        if not isinstance(source, tree.TableRef):
            return ()
        named, used = self._scope.relation(source.alias), self._scope.used.get(source.alias, set())
        return self._tables.direct(source.alias, source.table, used, named.sql)

    def _from(self, source: tree.Relation | None, direct: Sequence[Direct]) -> tuple[str, list[str]]:
        """Return what a select reads, and conditions that come with it."""
        if source is None:
            return "", []
        if isinstance(source, tree.TableRef) and len(direct) == 1:
            self._scope.show(source.alias, direct[0].values)
            named = self._scope.relation(source.alias)
            return f"{direct[0].source} AS {named.sql}", list(direct[0].conditions)
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


_OUTPUT = re.compile(r"o\d+\Z")


def _is_output(key: str) -> bool:
    """Whether a column of an order is an output's name."""
    return _OUTPUT.match(key) is not None


def _first_rows(select: tree.Select, limit: int | None) -> bool:
    """Whether a query is for a few first rows of an order that rows have one by one."""
    needed = rows_needed(select, limit)
    if not select.order_by or needed is None or needed > LATE_ROWS:
        return False
    if select.distinct or select.group_by or select.having is not None:
        return False
    computed = (*(output.expression for output in select.outputs), *select.order_by)
    return not any(isinstance(node, tree.Aggregate) for node in tree.walk(computed))


def rows_needed(select: tree.Select, limit: int | None) -> int | None:
    """Return how many first rows there have to be; None for all."""
    bounds = [bound for bound in (select.top, limit) if bound is not None]
    return min(bounds) + (select.offset or 0) if bounds else None


def _order_by(order: tuple[tree.Order, ...], keys: Iterable[str]) -> str:
    written = [
        f"{key}{' DESC' if item.descending else ''} NULLS LAST" for item, key in zip(order, keys, strict=True)
    ]
    return f"ORDER BY {', '.join(written)}"


def _cut(top: int | None, offset: int | None, limit: int | None) -> list[str]:
    bounds = [bound for bound in (top, limit) if bound is not None]
    parts = [f"LIMIT {min(bounds)}"] if bounds else []
    return [*parts, f"OFFSET {offset}"] if offset else parts
