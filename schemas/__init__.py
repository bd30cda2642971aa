"""Tables and columns, declared once as data; everything else that knows a column derives it from here."""

from schemas.loader import load_schemas, parse_schema
from schemas.model import Column, ForeignKey, Kind, Schema, Schemas, Table, UnknownTableError

__all__ = [
    "Column",
    "ForeignKey",
    "Kind",
    "Schema",
    "Schemas",
    "Table",
    "UnknownTableError",
    "load_schemas",
    "parse_schema",
]
