"""Tables as Elasticsearch mappings: the fields of a document that stands for one version of a row.

A document has a field per column, one for the keys of a column's names (``schemas.names``) and, beside these,
the fields named here. All but the first begin with ``@``.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from schemas.arrow import HEALPIX
from schemas.model import REGULAR_IDENTIFIER, Column, Kind, Table
from schemas.names import holds_names, key_column

KEY = "@key"
"""The key of the row, as text."""

SINCE = "@since"
"""The version of the lake that brought this version of the row."""

UNTIL = "@until"
"""The version of the lake that replaced or withdrew it; absent while it lives."""

CELL = "@cell"
"""Nested cell of the row's position at order 29; absent without a position."""

TILE = "@tile"
"""The same cell at order ``TILE_ORDER``, small enough for histograms, which compute in doubles."""

TILE_ORDER = 11
"""Order of the finest cells that rows are counted by."""

PLACE = "@place"
"""The row's position as longitude and latitude, kept to 0.3 mas; there when the cell is."""

INNER_CELLS = "@inner"
"""Cells fully inside the row's footprint, as half-open ranges at order 29."""

COVER_CELLS = "@cover"
"""All cells that the footprint may touch, in the same form."""

ROW = "@row"
"""The row itself, packed (``packed_columns``): what is read when many rows are."""

CORNER = "@corner"
"""A point of the footprint, as longitude and latitude: its first corner, or its centre."""

OWN_FIELDS = frozenset({KEY, SINCE, UNTIL, CELL, TILE, PLACE, INNER_CELLS, COVER_CELLS, CORNER, ROW})
"""All of these."""

MOST_TEXT = 8191
"""Characters of the longest text that is indexed: Lucene takes 32,766 bytes, a character up to four of them.

A document with a longer one names the field in ``_ignored``.
"""

PackedColumn: TypeAlias = tuple[str, Kind, bool]
"""A column of a packed row: name, kind, whether it is an array."""

_LONG: dict[str, Any] = {"type": "long"}
_DOUBLE: dict[str, Any] = {"type": "double"}
_KEYWORD: dict[str, Any] = {"type": "keyword", "ignore_above": MOST_TEXT}
_RANGES: dict[str, Any] = {"type": "long_range"}
_POINT: dict[str, Any] = {"type": "geo_point"}
_UNSOUGHT: dict[str, Any] = {"type": "integer", "index": False}
_KEPT: dict[str, Any] = {"type": "object", "enabled": False}
_PACKED: dict[str, Any] = {"type": "binary", "doc_values": True}

_FIELDS: dict[Kind, dict[str, Any]] = {
    Kind.BOOLEAN: {"type": "boolean"},
    Kind.SHORT: _LONG,
    Kind.INT: _LONG,
    Kind.LONG: _LONG,
    # A float is kept as the double of the same value: Elasticsearch would round what it is compared with.
    Kind.FLOAT: _DOUBLE,
    Kind.DOUBLE: _DOUBLE,
    Kind.TEXT: _KEYWORD,
    # Microseconds since 1970: its dates are of milliseconds, and those of nanoseconds begin in 1970.
    Kind.TIMESTAMP: _LONG,
}


def field_name(column: str) -> str:
    """Return the field of a column, given by name in any case.

    A name that is no regular identifier is spelled in hexadecimal digits: dots and underscores mean
    something to Elasticsearch.
    """
    name = column.lower()
    return name if REGULAR_IDENTIFIER.match(name) else f"@={name.encode().hex()}"


def key_field(column: str) -> str:
    """Return the field of the keys of the names in a column, given by name in any case."""
    return key_column(field_name(column))


def is_indexed(column: Column) -> bool:
    """Whether documents can be found and sorted by a column; the others are only kept."""
    return not column.array and column.kind in _FIELDS


def field_mapping(column: Column) -> dict[str, Any]:
    """Return how the field of a column is stored."""
    return dict(_FIELDS[column.kind] if is_indexed(column) else _KEPT)


def packed_columns(table: Table) -> tuple[PackedColumn, ...]:
    """Return name, kind, and whether it is an array, of each column of a packed row in their order there.

    The cell of the position is the last.
    """
    columns = [
        (column.name, column.kind, column.array is not None) for _, column in sorted(table.by_name.items())
    ]
    return (*columns, (HEALPIX, Kind.LONG, False)) if table.position else tuple(columns)


def mapping(table: Table) -> dict[str, Any]:
    """Return the mapping of a table's documents."""
    own: dict[str, Any] = {KEY: {"type": "keyword"}, SINCE: _LONG, UNTIL: _LONG, ROW: _PACKED}
    if table.position:
        own |= {CELL: _LONG, TILE: _UNSOUGHT, PLACE: _POINT}
    if table.region:
        own |= {INNER_CELLS: _RANGES, COVER_CELLS: _RANGES, CORNER: _POINT}
    columns = {field_name(column.name): field_mapping(column) for column in table.columns}
    columns |= {key_field(column.name): _KEYWORD for column in table.columns if holds_names(column)}
    fields = {name: dict(field) for name, field in (own | columns).items()}
    # The packed row is in the source too: one that is not as it was sent, Elasticsearch keeps twice for long.
    return {"dynamic": "strict", "properties": fields}
