"""The query tree as ADQL text: what ``translate`` makes of the text is the tree again."""

from __future__ import annotations

from collections.abc import Iterable

import schemas
from query import tree
from query.functions import FUNCTIONS, Feature
from schemas import Kind
from schemas.model import REGULAR_IDENTIFIER
from sky.regions import Circle, Point, Polygon, Region
from sky.text import to_stcs
from vo.adql.constants import fits
from vo.adql.dates import format_timestamp
from vo.adql.words import RESERVED

_TYPES = {
    Kind.SHORT: "SMALLINT",
    Kind.INT: "INTEGER",
    Kind.LONG: "BIGINT",
    Kind.FLOAT: "REAL",
    Kind.DOUBLE: "DOUBLE PRECISION",
    Kind.TEXT: "VARCHAR",
    Kind.TIMESTAMP: "TIMESTAMP",
}

_CONCAT, _SUM, _PRODUCT, _SIGN, _ATOM = range(1, 6)

_LEVELS = {"+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT}


def to_adql(query: tree.Query) -> str:
    """Return a query as ADQL 2.1 on one line.

    Columns are qualified unless the query reads one table only.

    Raises
    ------
    ValueError
        When the tree holds something that ADQL has no words for.
    """
    return _Printer(qualified=not _is_simple(query)).query(query)


def identifier(name: str) -> str:
    """Return a name as ADQL needs it: in double quotes unless it is a regular identifier."""
    if REGULAR_IDENTIFIER.match(name) and name.upper() not in RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def text_literal(value: str) -> str:
    """Return a text in single quotes."""
    return "'" + value.replace("'", "''") + "'"


def _is_simple(query: tree.Query) -> bool:
    """Whether unqualified names can mean one thing only."""
    if not isinstance(query, tree.Select) or not isinstance(query.source, tree.TableRef):
        return False
    if sum(isinstance(node, tree.Select | tree.SetOperation) for node in tree.walk(query)) > 1:
        return False
    columns = query.source.table.by_name
    return all(
        output.name.lower() not in columns
        or (
            isinstance(output.expression, tree.Column)
            and output.expression.name.lower() == output.name.lower()
        )
        for output in query.outputs
    )


class _Printer:
    def __init__(self, *, qualified: bool) -> None:
        self._qualified = qualified

    def query(self, query: tree.Query) -> str:
        match query:
            case tree.Select():
                return self._select(query)
            case tree.SetOperation():
                return self._set_operation(query)
            case tree.With():
                named = ", ".join(f"{identifier(name)} AS ({self.query(part)})" for name, part in query.named)
                return f"WITH {named} {self.query(query.body)}"

    def _select(self, select: tree.Select) -> str:
        if select.source is None:
            raise ValueError("ADQL has no SELECT without FROM")
        words = ["SELECT"]
        if select.distinct:
            words.append("DISTINCT")
        if select.top is not None:
            words.append(f"TOP {select.top}")
        words += [self._outputs(select), "FROM", self._relation(select.source)]
        if select.where is not None:
            words += ["WHERE", self._predicate(select.where)]
        if select.group_by:
            words += ["GROUP BY", self._list(select.group_by)]
        if select.having is not None:
            words += ["HAVING", self._predicate(select.having)]
        return " ".join([*words, *self._end(select)])

    def _end(self, query: tree.Select | tree.SetOperation) -> list[str]:
        words = []
        if query.order_by:
            words += ["ORDER BY", ", ".join(self._order(key) for key in query.order_by)]
        if query.offset is not None:
            words += ["OFFSET", str(query.offset)]
        return words

    def _order(self, key: tree.Order) -> str:
        return self._value(key.expression) + (" DESC" if key.descending else "")

    def _outputs(self, select: tree.Select) -> str:
        if isinstance(select.source, tree.TableRef):
            alias, table = select.source.alias, select.source.table
            everything = tuple(
                tree.Output(tree.Column(alias, column.name, column.kind), column) for column in table.columns
            )
            if select.outputs == everything:
                return "*"
        return ", ".join(self._output(output) for output in select.outputs)

    def _output(self, output: tree.Output) -> str:
        value = self._value(output.expression)
        if isinstance(output.expression, tree.Column) and output.expression.name == output.name:
            return value
        return f"{value} AS {identifier(output.name)}"

    def _set_operation(self, query: tree.SetOperation) -> str:
        words = [self._operand(query.left), query.operator.upper()]
        if query.all:
            words.append("ALL")
        words += [self._operand(query.right), *self._end(query)]
        text = " ".join(words)
        if query.top is None:
            return text
        return " ".join(["SELECT TOP", str(query.top), "* FROM (", text, ") AS everything"])

    def _operand(self, query: tree.Query) -> str:
        plain = isinstance(query, tree.Select) and not query.order_by and query.offset is None
        return self.query(query) if plain else f"({self.query(query)})"

    def _relation(self, relation: tree.Relation) -> str:
        match relation:
            case tree.TableRef(alias, table):
                return _table(table) + ("" if alias == table.local_name else f" AS {identifier(alias)}")
            case tree.Derived(alias, query):
                return f"({self.query(query)}) AS {identifier(alias)}"
            case tree.CteRef(alias, name):
                return identifier(name) + ("" if alias == name else f" AS {identifier(alias)}")
            case tree.Join():
                return self._join(relation)

    def _join(self, join: tree.Join) -> str:
        right = self._relation(join.right)
        if isinstance(join.right, tree.Join):
            right = f"({right})"
        text = f"{self._relation(join.left)} {join.how.upper()} JOIN {right}"
        return text if join.condition is None else f"{text} ON {self._predicate(join.condition)}"

    def _predicate(self, predicate: tree.Predicate) -> str:
        match predicate:
            case tree.And(items):
                return " AND ".join(self._part(item) for item in items)
            case tree.Or(items):
                return " OR ".join(self._part(item) for item in items)
            case tree.Not(item):
                return f"NOT ({self._predicate(item)})"
            case tree.Comparison(operator, left, right):
                return f"{self._side(left, right)} {operator} {self._side(right, left)}"
        return self._test(predicate)

    def _test(self, predicate: tree.Predicate) -> str:  # noqa: PLR0911 - one for each class of node
        match predicate:
            case tree.Between(operand, low, high, negated):
                bounds = f"{self._side(low, operand)} AND {self._side(high, operand)}"
                return f"{self._value(operand)} {_not(negated)}BETWEEN {bounds}"
            case tree.InList(operand, items, negated):
                listed = ", ".join(self._side(item, operand) for item in items)
                return f"{self._value(operand)} {_not(negated)}IN ({listed})"
            case tree.InQuery(operand, query, negated):
                return f"{self._value(operand)} {_not(negated)}IN ({self.query(query)})"
            case tree.Exists(query):
                return f"EXISTS ({self.query(query)})"
            case tree.Like(operand, pattern, ignore_case, negated):
                word = "ILIKE" if ignore_case else "LIKE"
                return f"{self._value(operand)} {_not(negated)}{word} {self._value(pattern)}"
            case tree.IsNull(operand, negated):
                return f"{self._value(operand)} IS {_not(negated)}NULL"
        return self._predicate(predicate)

    def _part(self, item: tree.Predicate) -> str:
        text = self._predicate(item)
        return f"({text})" if isinstance(item, tree.And | tree.Or) else text

    def _side(self, expression: tree.Expression, other: tree.Expression) -> str:
        """Return a side of a comparison; a constant needs no type of its own beside what is none."""
        if isinstance(expression, tree.Literal) and not isinstance(other, tree.Literal):
            return _literal(expression, other.kind)
        return self._value(expression)

    def _list(self, expressions: Iterable[tree.Expression]) -> str:
        return ", ".join(self._value(expression) for expression in expressions)

    def _value(self, expression: tree.Expression, least: int = 0) -> str:
        text, level = self._leveled(expression)
        return text if level >= least else f"({text})"

    def _leveled(self, expression: tree.Expression) -> tuple[str, int]:
        match expression:
            case tree.Arithmetic(operator, left, right):
                level = _LEVELS[operator]
                return f"{self._value(left, level)} {operator} {self._value(right, level + 1)}", level
            case tree.Concat(left, right):
                return f"{self._value(left, _CONCAT)} || {self._value(right, _SUM)}", _CONCAT
            case tree.Negate(operand):
                return f"-{self._value(operand, _ATOM)}", _SIGN
            case tree.Literal():
                text = _literal(expression, None)
                return text, _SIGN if text.startswith("-") else _ATOM
        return self._atom(expression), _ATOM

    def _atom(self, expression: tree.Expression) -> str:
        match expression:
            case tree.Column(alias, name):
                plain = identifier(name)
                return f"{identifier(alias)}.{plain}" if alias and self._qualified else plain
            case tree.Call(name, arguments):
                shown = name if FUNCTIONS[name].feature is Feature.UDF else name.upper()
                return f"{shown}({self._list(arguments)})"
            case tree.Cast(operand, kind, length):
                size = "" if length is None else f"({length})"
                return f"CAST({self._value(operand)} AS {_type(kind)}{size})"
            case tree.Aggregate(name, operand, distinct):
                inner = "*" if operand is None else self._value(operand)
                return f"{name.upper()}({'DISTINCT ' if distinct else ''}{inner})"
            case tree.ScalarQuery(query):
                return f"({self.query(query)})"
        return self._geometry(expression)

    def _geometry(self, expression: tree.Expression) -> str:
        match expression:
            case tree.RegionLiteral(region):
                return _region(region)
            case tree.RegionOf(text):
                return self._value(text)
            case tree.PolygonOf(vertices):
                return f"POLYGON({self._list(vertices)})"
            case tree.Coordinate(operand, axis):
                return f"COORD{axis}({self._value(operand)})"
        form = _FORMS.get(type(expression))
        if form is None:
            raise ValueError(f"ADQL has no words for {type(expression).__name__}")
        word, *parts = form
        return f"{word}({self._list(getattr(expression, part) for part in parts)})"


_FORMS: dict[type, tuple[str, ...]] = {
    tree.PointOf: ("POINT", "ra", "dec"),
    tree.CircleOf: ("CIRCLE", "centre", "radius"),
    tree.Contains: ("CONTAINS", "inner", "outer"),
    tree.Intersects: ("INTERSECTS", "left", "right"),
    tree.Distance: ("DISTANCE", "left", "right"),
    tree.Area: ("AREA", "operand"),
    tree.Centroid: ("CENTROID", "operand"),
}
"""Nodes of geometry that are written as a function of their parts."""


def _table(table: schemas.Table) -> str:
    return f"{identifier(table.schema_name)}.{identifier(table.local_name)}"


def _not(negated: bool) -> str:  # noqa: FBT001 - the flag of the nodes
    return "NOT " if negated else ""


def _region(region: Region) -> str:
    match region:
        case Point(ra, dec):
            return f"POINT({ra!r}, {dec!r})"
        case Circle(ra, dec, radius):
            return f"CIRCLE({ra!r}, {dec!r}, {radius!r})"
        case Polygon(vertices):
            return f"POLYGON({', '.join(repr(number) for vertex in vertices for number in vertex)})"
    return f"REGION({text_literal(to_stcs(region))})"


def _type(kind: Kind) -> str:
    if kind not in _TYPES:
        raise ValueError(f"ADQL has no type {kind.value}")
    return _TYPES[kind]


def _literal(literal: tree.Literal, context: Kind | None) -> str:
    """Return a constant; it says its type unless it has the type that the resolver gives it in its place."""
    value, kind = literal.value, literal.kind
    if value is None:
        # Among other values a plain NULL is of their type; ADQL names no type of a geometry or truth value.
        plain = kind not in _TYPES or (kind is Kind.TEXT and context is None)
        return "NULL" if plain else f"CAST(NULL AS {_type(kind)})"
    if isinstance(value, str):
        return text_literal(value)
    if kind is Kind.BOOLEAN and context is Kind.BOOLEAN:
        return "1" if value else "0"
    if kind is Kind.TIMESTAMP:
        moment = text_literal(format_timestamp(int(value)))
        return moment if context is kind else f"CAST({moment} AS TIMESTAMP)"
    text = repr(float(value)) if kind in (Kind.FLOAT, Kind.DOUBLE) else str(int(value))
    natural = kind is Kind.DOUBLE or (kind.is_integer and kind is _natural(int(value)))
    return text if natural or context is kind else f"CAST({text} AS {_type(kind)})"


def _natural(value: int) -> Kind:
    return Kind.INT if fits(value, Kind.INT) else Kind.LONG
