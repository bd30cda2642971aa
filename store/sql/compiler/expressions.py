"""Values as SQL, with the meaning that ``docs/adql-semantics.md`` gives them."""

from __future__ import annotations

from collections.abc import Callable

from query import tree
from schemas import Kind
from store.port import QueryRejected, QueryTooLarge
from store.sql.compiler.functions import FORMS, finite, number_of
from store.sql.compiler.geometry import Geometry
from store.sql.compiler.literals import MOST_SQL, bounded, literal
from store.sql.compiler.scope import Scope
from store.sql.kinds import sql_type

_REAL = (Kind.FLOAT, Kind.DOUBLE)


class Expressions:
    """Writes values; sub-queries are written by ``query``."""

    def __init__(self, scope: Scope, query: Callable[[tree.Query], str]) -> None:
        self.scope = scope
        self.geometry = Geometry(scope, self.value)
        self._query = query
        self._depth = 0
        self._written = 0

    def value(self, node: tree.Expression) -> str:
        """Return the SQL of a value; numbers that are not finite are NULL.

        Raises
        ------
        QueryTooLarge
            When a value, or all of them, come to more than ``MOST_SQL`` characters.
        """
        self._depth += 1
        sql = bounded(self._value(node))
        self._depth -= 1
        if not self._depth:
            self._written += len(sql)
            if self._written > MOST_SQL:
                raise QueryTooLarge("the query is too complex: it computes too many values")
        return sql

    def _value(self, node: tree.Expression) -> str:  # noqa: PLR0911 - one for each class of node
        match node:
            case tree.Column():
                return self.scope.column(node)
            case tree.Literal():
                return literal(node)
            case tree.Arithmetic() | tree.Negate():
                sql = self._raw(node)
                return sql if node.kind.is_integer else finite(sql)
            case tree.Concat():
                return f"({self.value(node.left)} || {self.value(node.right)})"
            case tree.Call():
                return self._call(node)
            case tree.Cast():
                return self._cast(node)
            case tree.Aggregate():
                return self._aggregate(node)
            case tree.ScalarQuery():
                return f"({self._query(node.query)})"
            case tree.Contains() | tree.Intersects():
                return f"CAST({self.geometry.holds(node)} AS INTEGER)"
            case _:
                return self.geometry.value(node)

    def _raw(self, node: tree.Expression) -> str:
        """Return the SQL of arithmetic whose infinities and NaN are still there.

        They survive +, - and *, and above the line of a division: one check at the end finds them all.
        """
        match node:
            case tree.Negate():
                return f"(-CAST({self._raw(node.operand)} AS {sql_type(node.kind)}))"
            case tree.Arithmetic():
                kind = sql_type(node.kind)
                left = f"CAST({self._raw(node.left)} AS {kind})"
                divides = node.operator == "/"
                right = f"CAST({self.value(node.right) if divides else self._raw(node.right)} AS {kind})"
                if not divides:
                    return f"({left} {node.operator} {right})"
                if node.kind.is_integer:
                    return f"({left} // {right})"
                return f"({left} / {right})"
            case _:
                return self.value(node)

    def _call(self, node: tree.Call) -> str:
        form = FORMS.get(node.name)
        if form is None:
            raise QueryRejected(f"the function {node.name} is not available")
        arguments: list[str] = []
        for argument in node.arguments:
            if argument.kind is Kind.POINT:
                arguments += self.geometry.coordinates(argument)
            else:
                arguments.append(self.value(argument))
        return form(tuple(arguments), node.kind)

    def _cast(self, node: tree.Cast) -> str:
        operand, source, target = self.value(node.operand), node.operand.kind, node.kind
        if target.is_geometry and target is not source:
            raise QueryRejected(f"a value cannot be cast to {target.value.upper()}")
        if target.is_numeric:
            return number_of(operand, source, target)
        if source is Kind.TIMESTAMP and target is Kind.TEXT:
            operand = f"strftime({operand}, '%Y-%m-%dT%H:%M:%S.%f')"
        sql = f"TRY_CAST({operand} AS {sql_type(target)})"
        return sql if node.length is None else f"{sql}[:{int(node.length)}]"

    def _aggregate(self, node: tree.Aggregate) -> str:
        if node.operand is None:
            return "count(*)"
        inside = f"{'DISTINCT ' if node.distinct else ''}{self.value(node.operand)}"
        sql = f"{node.name}({inside})"
        if node.name == "count":
            return sql
        if node.name == "sum" and node.kind.is_integer:
            return f"CAST({sql} AS BIGINT)"
        return finite(sql) if node.kind in _REAL and node.name in ("sum", "avg") else sql
