"""Columns as Arrow types, and the columns that the lake keeps beside the declared ones."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from schemas.model import Column, Kind, Table

_ARROW: dict[Kind, pa.DataType] = {
    Kind.BOOLEAN: pa.bool_(),
    Kind.SHORT: pa.int16(),
    Kind.INT: pa.int32(),
    Kind.LONG: pa.int64(),
    Kind.FLOAT: pa.float32(),
    Kind.DOUBLE: pa.float64(),
    Kind.TEXT: pa.string(),
    Kind.TIMESTAMP: pa.timestamp("us"),
    Kind.POINT: pa.list_(pa.float64(), 2),
    Kind.CIRCLE: pa.list_(pa.float64(), 3),
    Kind.POLYGON: pa.list_(pa.float64()),
    Kind.REGION: pa.string(),
}

BATCH = "_batch"
"""Id of the batch that wrote a row."""

MADE_BY = "_made_by"
"""Versions of package, schema and sky algorithms that made a row, as ``name=version`` separated by spaces."""

HEALPIX = "_healpix"
"""Nested cell of a row's position at order 29; -1 without a position."""

INNER = "_inner"
"""Cells fully inside a row's footprint: order-29 half-open ranges, flattened as lo, hi, lo, hi …"""

BORDER = "_border"
"""Cells that a footprint's border may cross, in the same form."""


def arrow_type(column: Column) -> pa.DataType:
    """Return the Arrow type of a column's values."""
    base = _ARROW[column.kind]
    return pa.list_(base) if column.array else base


def arrow_field(column: Column) -> pa.Field:
    """Return a column as an Arrow field."""
    return pa.field(column.name, arrow_type(column))


def arrow_schema(columns: Iterable[Column]) -> pa.Schema:
    """Return columns as an Arrow schema."""
    return pa.schema([arrow_field(column) for column in columns])


def system_fields(table: Table) -> list[pa.Field]:
    """Return the fields that the lake keeps for a table beside the declared columns."""
    found = [pa.field(BATCH, pa.string()), pa.field(MADE_BY, pa.string())]
    if table.position:
        found.append(pa.field(HEALPIX, pa.int64()))
    if table.region:
        found += [pa.field(INNER, pa.list_(pa.int64())), pa.field(BORDER, pa.list_(pa.int64()))]
    return found


def lake_schema(table: Table) -> pa.Schema:
    """Return the schema of a table's rows in the lake."""
    return pa.schema([*(arrow_field(column) for column in table.columns), *system_fields(table)])
