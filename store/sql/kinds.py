"""How declared kinds are typed in SQL, and the names of columns that stand beside the declared ones."""

from __future__ import annotations

from collections.abc import Mapping

from schemas import Kind

X, Y, Z = "_x", "_y", "_z"
"""Columns of the unit vector of a row's position."""

_SQL_TYPES: Mapping[Kind, str] = {
    Kind.BOOLEAN: "BOOLEAN",
    Kind.SHORT: "SMALLINT",
    Kind.INT: "INTEGER",
    Kind.LONG: "BIGINT",
    Kind.FLOAT: "FLOAT",
    Kind.DOUBLE: "DOUBLE",
    Kind.TEXT: "VARCHAR",
    Kind.TIMESTAMP: "TIMESTAMP",
    Kind.POINT: "DOUBLE[2]",
    Kind.CIRCLE: "DOUBLE[3]",
    Kind.POLYGON: "DOUBLE[]",
    Kind.REGION: "VARCHAR",
}


def sql_type(kind: Kind, *, array: bool = False) -> str:
    """Return the SQL type for a kind."""
    return f"{_SQL_TYPES[kind]}[]" if array else _SQL_TYPES[kind]
