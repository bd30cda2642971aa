"""Columns in the words of VOTable 1.4; TAP_SCHEMA (TAP 1.1, section 4.3) uses the same words."""

from __future__ import annotations

from schemas.datatype import Datatype
from schemas.model import Column, Kind

_DATATYPES: dict[Kind, Datatype] = {
    Kind.BOOLEAN: Datatype("boolean"),
    Kind.SHORT: Datatype("short"),
    Kind.INT: Datatype("int"),
    Kind.LONG: Datatype("long"),
    Kind.FLOAT: Datatype("float"),
    Kind.DOUBLE: Datatype("double"),
    # ``char`` holds ASCII only up to VOTable 1.4, and a stream cannot know what its later rows hold.
    Kind.TEXT: Datatype("unicodeChar", "*"),
    Kind.TIMESTAMP: Datatype("char", "*", "timestamp"),
    Kind.POINT: Datatype("double", "2", "point"),
    Kind.CIRCLE: Datatype("double", "3", "circle"),
    Kind.POLYGON: Datatype("double", "*", "polygon"),
    Kind.REGION: Datatype("char", "*", "adql:REGION"),
}

_ASCII_TEXT = Datatype("char", "*")


def votable_type(column: Column) -> Datatype:
    """Return how a column is declared in VOTable.

    What a column says of itself is preferred to what its kind is declared as.
    """
    if column.votable is not None:
        return column.votable.with_xtype(column.xtype)
    base = _ASCII_TEXT if column.kind is Kind.TEXT and column.ascii else _DATATYPES[column.kind]
    return Datatype(base.datatype, column.array or base.arraysize, column.xtype or base.xtype)
