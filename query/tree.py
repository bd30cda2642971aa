"""The query tree.

It is resolved and typed: names are those of the declarations, aliases are unique in the whole query, every
expression knows its ``kind``. There is no text and no engine in it. ADQL resolves into it; SCS, SIA and the
JSON API build it directly (``query.build`` helps); ``store`` compiles it.

Expression
├── Column, Literal, Parameter-free values
├── Arithmetic, Negate, Concat, Call, Cast, Aggregate, ScalarQuery
├── geometry: PointOf, CircleOf, PolygonOf, RegionOf, RegionLiteral, Centroid
└── of geometry: Contains, Intersects (INT 1 or 0), Distance, Area, Coordinate
Predicate
├── And, Or, Not
└── Comparison, Between, InList, InQuery, Exists, Like, IsNull
Relation
└── TableRef, Derived, CteRef, Join
Query
└── Select, SetOperation, With
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Any, TypeAlias
from typing import Literal as OneOf

import schemas
from schemas import Kind
from sky.regions import Circle, Point, Polygon, Region

Value: TypeAlias = bool | int | float | str | None
"""A constant: timestamps are int microseconds since 1970-01-01 (UTC) with kind TIMESTAMP."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a relation in scope."""

    alias: str
    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant; NULL has value None."""

    value: Value
    kind: Kind


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Two numbers combined; division by zero is NULL, integers divide to integers."""

    operator: OneOf["+", "-", "*", "/"]
    left: Expression
    right: Expression
    kind: Kind


@dataclass(frozen=True, slots=True)
class Negate:
    """The negative of a number; LONG for whole ones, as the least of a narrow kind has no negative in it."""

    operand: Expression

    @property
    def kind(self) -> Kind:
        """The operand's kind, or LONG."""
        return Kind.LONG if self.operand.kind.is_integer else self.operand.kind


@dataclass(frozen=True, slots=True)
class Concat:
    """Two texts joined; NULL when either is."""

    left: Expression
    right: Expression
    kind: Kind = Kind.TEXT


@dataclass(frozen=True, slots=True)
class Call:
    """A scalar function by its lower-case ADQL or IVOA name, from ``query.functions``."""

    name: str
    arguments: tuple[Expression, ...]
    kind: Kind


@dataclass(frozen=True, slots=True)
class Cast:
    """A value as another kind; ``length`` cuts text."""

    operand: Expression
    kind: Kind
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A function of a group's rows; ``count`` without operand counts rows."""

    name: OneOf["count", "sum", "avg", "min", "max"]
    operand: Expression | None
    distinct: bool
    kind: Kind


@dataclass(frozen=True, slots=True)
class ScalarQuery:
    """A sub-query used as a value."""

    query: Query
    kind: Kind


@dataclass(frozen=True, slots=True)
class PointOf:
    """A position from two numbers, ICRS degrees."""

    ra: Expression
    dec: Expression
    kind: Kind = Kind.POINT


@dataclass(frozen=True, slots=True)
class CircleOf:
    """A circle from a centre and a radius in degrees."""

    centre: Expression
    radius: Expression
    kind: Kind = Kind.CIRCLE


@dataclass(frozen=True, slots=True)
class PolygonOf:
    """A polygon from its vertices."""

    vertices: tuple[Expression, ...]
    kind: Kind = Kind.POLYGON


@dataclass(frozen=True, slots=True)
class RegionOf:
    """The region that a text (an ``s_region``) describes."""

    text: Expression
    kind: Kind = Kind.REGION


@dataclass(frozen=True, slots=True)
class RegionLiteral:
    """A constant region, already ICRS; every constant geometry is folded into one."""

    region: Region

    @property
    def kind(self) -> Kind:
        """The most special kind that the region is of."""
        return _REGION_KINDS.get(type(self.region), Kind.REGION)


_REGION_KINDS: dict[type, Kind] = {Point: Kind.POINT, Circle: Kind.CIRCLE, Polygon: Kind.POLYGON}


@dataclass(frozen=True, slots=True)
class Centroid:
    """The centre of a geometry."""

    operand: Expression
    kind: Kind = Kind.POINT


@dataclass(frozen=True, slots=True)
class Contains:
    """1 when ``outer`` contains ``inner`` entirely, else 0; NULL when either is."""

    inner: Expression
    outer: Expression
    kind: Kind = Kind.INT


@dataclass(frozen=True, slots=True)
class Intersects:
    """1 when the two share a point, else 0; NULL when either is."""

    left: Expression
    right: Expression
    kind: Kind = Kind.INT


@dataclass(frozen=True, slots=True)
class Distance:
    """Great-circle distance of two points, degrees."""

    left: Expression
    right: Expression
    kind: Kind = Kind.DOUBLE


@dataclass(frozen=True, slots=True)
class Area:
    """Area of a geometry, square degrees."""

    operand: Expression
    kind: Kind = Kind.DOUBLE


@dataclass(frozen=True, slots=True)
class Coordinate:
    """First (right ascension) or second (declination) coordinate of a point, degrees."""

    operand: Expression
    axis: OneOf[1, 2]
    kind: Kind = Kind.DOUBLE


Expression: TypeAlias = (
    Column
    | Literal
    | Arithmetic
    | Negate
    | Concat
    | Call
    | Cast
    | Aggregate
    | ScalarQuery
    | PointOf
    | CircleOf
    | PolygonOf
    | RegionOf
    | RegionLiteral
    | Centroid
    | Contains
    | Intersects
    | Distance
    | Area
    | Coordinate
)

Operator: TypeAlias = OneOf["=", "<>", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class And:
    """All of them hold."""

    items: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One of them holds."""

    items: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """It does not hold (unknown stays unknown)."""

    item: Predicate


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two values compared; both sides have one common kind."""

    operator: Operator
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Between:
    """A value within closed bounds."""

    operand: Expression
    low: Expression
    high: Expression
    negated: bool = False


@dataclass(frozen=True, slots=True)
class InList:
    """A value equal to one of a list."""

    operand: Expression
    items: tuple[Expression, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class InQuery:
    """A value among a sub-query's."""

    operand: Expression
    query: Query
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Exists:
    """A sub-query has a row."""

    query: Query


@dataclass(frozen=True, slots=True)
class Like:
    """A text that matches a pattern of ``%`` and ``_``."""

    operand: Expression
    pattern: Expression
    ignore_case: bool = False
    negated: bool = False


@dataclass(frozen=True, slots=True)
class IsNull:
    """A value is missing."""

    operand: Expression
    negated: bool = False


Predicate: TypeAlias = And | Or | Not | Comparison | Between | InList | InQuery | Exists | Like | IsNull


@dataclass(frozen=True, slots=True)
class TableRef:
    """A declared table under an alias that is unique in the whole query."""

    alias: str
    table: schemas.Table


@dataclass(frozen=True, slots=True)
class Derived:
    """A sub-query in FROM."""

    alias: str
    query: Query


@dataclass(frozen=True, slots=True)
class CteRef:
    """A query named in WITH."""

    alias: str
    name: str


@dataclass(frozen=True, slots=True)
class Join:
    """Two relations joined; NATURAL and USING are resolved into the condition and the select list."""

    left: Relation
    right: Relation
    how: OneOf["inner", "left", "right", "full", "cross"]
    condition: Predicate | None = None


Relation: TypeAlias = TableRef | Derived | CteRef | Join


@dataclass(frozen=True, slots=True)
class Output:
    """One column of an answer: its expression, and how it is described (its name, unit, UCD, …)."""

    expression: Expression
    field: schemas.Column

    @property
    def name(self) -> str:
        """The name of the output column; unique in its select list."""
        return self.field.name


@dataclass(frozen=True, slots=True)
class Order:
    """A sort key; NULLs come last both ways."""

    expression: Expression
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Select:
    """Rows of a relation, filtered, grouped, ordered and cut."""

    outputs: tuple[Output, ...]
    source: Relation | None = None
    where: Predicate | None = None
    distinct: bool = False
    group_by: tuple[Expression, ...] = ()
    having: Predicate | None = None
    order_by: tuple[Order, ...] = ()
    top: int | None = None
    offset: int | None = None

    @property
    def columns(self) -> tuple[schemas.Column, ...]:
        """The description of the answer's columns."""
        return tuple(output.field for output in self.outputs)


@dataclass(frozen=True, slots=True)
class SetOperation:
    """Two answers combined; ``order_by`` columns name outputs of the left side under alias ''."""

    operator: OneOf["union", "except", "intersect"]
    all: bool
    left: Query
    right: Query
    order_by: tuple[Order, ...] = ()
    top: int | None = None
    offset: int | None = None

    @property
    def columns(self) -> tuple[schemas.Column, ...]:
        """The description of the answer's columns."""
        return self.left.columns


@dataclass(frozen=True, slots=True)
class With:
    """A query that uses named queries."""

    named: tuple[tuple[str, Query], ...]
    body: Query

    @property
    def columns(self) -> tuple[schemas.Column, ...]:
        """The description of the answer's columns."""
        return self.body.columns


Query: TypeAlias = Select | SetOperation | With


def walk(node: Any) -> Iterator[Any]:
    """Yield a node and all nodes below it, sub-queries included; declarations are not entered."""
    waiting = [node]
    while waiting:
        current = waiting.pop()
        if isinstance(current, tuple):
            waiting.extend(reversed(current))
            continue
        kind: type = type(current)
        parts = _parts(kind)
        if parts is not None:
            yield current
            waiting.extend(getattr(current, part) for part in parts)


@cache
def _parts(kind: type) -> tuple[str, ...] | None:
    """Name the parts of a kind of node, last first; None for what is no node."""
    if kind is RegionLiteral:
        return ()
    return tuple(part.name for part in reversed(fields(kind))) if is_dataclass(kind) else None


def tables(query: Query) -> tuple[schemas.Table, ...]:
    """Return the declared tables that a query reads, each once."""
    seen = {node.table.name: node.table for node in walk(query) if isinstance(node, TableRef)}
    return tuple(seen.values())
