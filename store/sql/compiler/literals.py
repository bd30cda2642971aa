"""Constants as SQL."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from query import tree
from schemas import Kind
from store.port import QueryRejected, QueryTooLarge
from store.sql.kinds import sql_type

MOST_SQL = 8_000_000
"""Characters of SQL that the values of a query may come to; some forms write what they are made of twice."""


def literal(node: tree.Literal) -> str:
    """Return the SQL of a constant."""
    value, kind = node.value, node.kind
    if value is None:
        return f"CAST(NULL AS {sql_type(kind)})"
    if kind is Kind.TIMESTAMP and isinstance(value, int):
        return f"make_timestamp({_whole(value)}::BIGINT)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return text(value)
    if isinstance(value, float) or kind in (Kind.DOUBLE, Kind.FLOAT):
        number = double(float(value))
        return f"CAST({number} AS FLOAT)" if kind is Kind.FLOAT else number
    return f"{_whole(value)}::{sql_type(kind)}" if kind.is_integer else _whole(value)


def double(value: float) -> str:
    """Return a number as DOUBLE; NULL when it is not finite."""
    if not math.isfinite(value):
        return "CAST(NULL AS DOUBLE)"
    written = repr(value)
    # With an exponent the engine reads it as DOUBLE; a cast costs it as much as the number.
    return f"({written})" if "e" in written else f"({written}e0)"


def text(value: str) -> str:
    """Return a text between quotes; inside them the engine gives a meaning only to the quote."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise QueryRejected("a text holds half of a character") from None
    if "\0" in value:
        return "(" + " || chr(0) || ".join(text(part) for part in value.split("\0")) + ")"
    return "'" + value.replace("'", "''") + "'"


def bounded(sql: str) -> str:
    """Return SQL as it is, unless there is too much of it."""
    if len(sql) > MOST_SQL:
        raise QueryTooLarge("the query is too complex: it nests functions too deeply")
    return sql


def listed(items: Sequence[tree.Expression], value: Callable[[tree.Expression], str]) -> str:
    """Return values in a list, where whole numbers need not be of their kind; ``value`` writes the others."""
    return ", ".join(
        str(item.value)
        if isinstance(item, tree.Literal) and item.kind.is_integer and type(item.value) is int
        else value(item)
        for item in items
    )


def _whole(value: int) -> str:
    if not -(2**63) <= value < 2**63:
        raise QueryRejected(f"the number {value} does not fit into 64 bits")
    return str(value) if value >= 0 else f"({value})"
