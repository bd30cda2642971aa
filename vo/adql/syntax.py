"""A query as it was written: the syntax tree. Every node knows its offset ``at`` in the text.

Value
├── Name, Number, Text, Null
├── Signed, Binary, Call, CastCall
└── SubQuery
Condition
├── Logical, Negation
└── Compare, Range, Membership, Pattern, NullTest, Existence
Source of rows
└── TableName, DerivedTable, JoinedTable
QueryNode
└── SelectNode, SetNode, WithNode
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias


@dataclass(slots=True)
class Identifier:
    """A name; ``quoted`` ones are case-sensitive."""

    at: int
    text: str
    quoted: bool


@dataclass(slots=True)
class Name:
    """A column, perhaps with its table before it."""

    at: int
    parts: tuple[Identifier, ...]


@dataclass(slots=True)
class Number:
    """A number; its sign, if any, is part of it."""

    at: int
    value: int | float


@dataclass(slots=True)
class Text:
    """A text in single quotes."""

    at: int
    value: str


@dataclass(slots=True)
class Null:
    """The word NULL."""

    at: int


@dataclass(slots=True)
class Signed:
    """A value with a minus before it."""

    at: int
    operand: Value


@dataclass(slots=True)
class Binary:
    """Two values combined by ``+ - * /`` or ``||``."""

    at: int
    operator: str
    left: Value
    right: Value


@dataclass(slots=True)
class Call:
    """A function by its name as written; ``star`` for ``COUNT(*)``."""

    at: int
    name: str
    arguments: tuple[Value, ...]
    distinct: bool = False
    star: bool = False


@dataclass(slots=True)
class CastCall:
    """``CAST(operand AS target(length))``; ``target`` is upper case."""

    at: int
    operand: Value
    target: str
    length: int | None


@dataclass(slots=True)
class SubQuery:
    """A query as a value."""

    at: int
    query: QueryNode


Value: TypeAlias = Name | Number | Text | Null | Signed | Binary | Call | CastCall | SubQuery


@dataclass(slots=True)
class Logical:
    """Conditions joined by AND or OR."""

    at: int
    operator: Literal["AND", "OR"]
    items: list[Condition]


@dataclass(slots=True)
class Negation:
    """NOT."""

    at: int
    item: Condition


@dataclass(slots=True)
class Compare:
    """Two values compared; ``!=`` is ``<>`` here."""

    at: int
    operator: Literal["=", "<>", "<", "<=", ">", ">="]
    left: Value
    right: Value


@dataclass(slots=True)
class Range:
    """BETWEEN."""

    at: int
    operand: Value
    low: Value
    high: Value
    negated: bool


@dataclass(slots=True)
class Membership:
    """IN, of a list or of a query."""

    at: int
    operand: Value
    items: tuple[Value, ...] | QueryNode
    negated: bool


@dataclass(slots=True)
class Pattern:
    """LIKE and ILIKE."""

    at: int
    operand: Value
    pattern: Value
    ignore_case: bool
    negated: bool


@dataclass(slots=True)
class NullTest:
    """IS NULL."""

    at: int
    operand: Value
    negated: bool


@dataclass(slots=True)
class Existence:
    """EXISTS."""

    at: int
    query: QueryNode


Condition: TypeAlias = Logical | Negation | Compare | Range | Membership | Pattern | NullTest | Existence

CONDITIONS = (Logical, Negation, Compare, Range, Membership, Pattern, NullTest, Existence)
"""The classes of conditions."""


@dataclass(slots=True)
class TableName:
    """A table by its name, perhaps under another."""

    at: int
    parts: tuple[Identifier, ...]
    alias: Identifier | None


@dataclass(slots=True)
class DerivedTable:
    """A query in FROM."""

    at: int
    query: QueryNode
    alias: Identifier


@dataclass(slots=True)
class JoinedTable:
    """Two sources joined; a comma is a cross join."""

    at: int
    how: Literal["inner", "left", "right", "full", "cross"]
    left: RowSource
    right: RowSource
    natural: bool = False
    on: Condition | None = None
    using: tuple[Identifier, ...] = ()


RowSource: TypeAlias = TableName | DerivedTable | JoinedTable


@dataclass(slots=True)
class Star:
    """``*``, or ``table.*``."""

    at: int
    table: tuple[Identifier, ...] = ()


@dataclass(slots=True)
class Item:
    """An entry of the select list."""

    at: int
    value: Value
    alias: Identifier | None


@dataclass(slots=True)
class SortKey:
    """An entry of ORDER BY; ``position`` counts outputs from 1."""

    at: int
    value: Value | None
    position: int | None
    descending: bool


@dataclass(slots=True)
class SelectNode:
    """One SELECT."""

    at: int
    distinct: bool
    top: int | None
    items: tuple[Star | Item, ...]
    source: RowSource
    where: Condition | None = None
    group_by: tuple[Value, ...] = ()
    having: Condition | None = None
    order_by: tuple[SortKey, ...] = ()
    offset: int | None = None


@dataclass(slots=True)
class SetNode:
    """Two queries combined."""

    at: int
    operator: Literal["union", "except", "intersect"]
    all: bool
    left: QueryNode
    right: QueryNode
    order_by: tuple[SortKey, ...] = ()
    offset: int | None = None


@dataclass(slots=True)
class NamedQuery:
    """A query of WITH; ``columns`` rename its outputs when there are any."""

    name: Identifier
    columns: tuple[Identifier, ...]
    query: QueryNode


@dataclass(slots=True)
class WithNode:
    """A query and the queries that it names first."""

    at: int
    named: tuple[NamedQuery, ...]
    body: QueryNode


QueryNode: TypeAlias = SelectNode | SetNode | WithNode
