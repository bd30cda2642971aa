"""Rows as a table of the lake wants them, and their keys as one comparable column."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

import schemas
from schemas.arrow import lake_schema
from store.lake.errors import Incompatible

SEPARATOR = "\x1f"
"""Between the parts of a key of several columns; no identifier or path holds it."""


def conform(table: schemas.Table, rows: pa.Table) -> pa.Table:
    """Return rows with the table's columns, in its order and of its types; absent columns are NULL.

    Raises
    ------
    Incompatible
        When rows hold a column that the table does not declare, a value of a wrong type, or no key.
    """
    schema = lake_schema(table)
    unknown = [name for name in rows.column_names if name not in schema.names]
    if unknown:
        raise Incompatible(f"{table.name} declares no column {', '.join(unknown)}")
    columns = [_column(table, rows, wanted) for wanted in schema]
    missing = [name for name in table.key if rows.num_rows and _has_nulls(rows, name)]
    if missing:
        raise Incompatible(f"{table.name}: rows without a value of their key {', '.join(missing)}")
    return pa.Table.from_arrays(columns, schema=schema)


def _has_nulls(rows: pa.Table, name: str) -> bool:
    return name not in rows.column_names or bool(rows[name].null_count)


def _column(table: schemas.Table, rows: pa.Table, wanted: pa.Field) -> pa.ChunkedArray | pa.Array:
    if wanted.name not in rows.column_names:
        return pa.nulls(rows.num_rows, wanted.type)
    try:
        return rows[wanted.name].cast(wanted.type)
    except pa.ArrowException as error:
        raise Incompatible(f"{table.name}.{wanted.name}: {error}") from error


def keys_of(rows: pa.Table, key: Sequence[str]) -> pa.ChunkedArray:
    """Return each row's key as one value; several columns become one text.

    Returns
    -------
    One value per row; the type is the column's own for a key of one column.
    """
    if len(key) == 1:
        return rows[key[0]]
    parts = [rows[name].cast(pa.string()) for name in key]
    return pc.binary_join_element_wise(*parts, SEPARATOR, null_handling="replace", null_replacement="")


def first_of_each(rows: pa.Table, key: Sequence[str]) -> pa.BooleanArray:
    """Mark the first row of every key.

    Returns
    -------
    One boolean per row.
    """
    return _edge_of_each(rows, key, "min")


def last_of_each(rows: pa.Table, key: Sequence[str]) -> pa.BooleanArray:
    """Mark the last row of every key.

    Returns
    -------
    One boolean per row.
    """
    return _edge_of_each(rows, key, "max")


def _edge_of_each(rows: pa.Table, key: Sequence[str], edge: str) -> pa.BooleanArray:
    order = pa.array(range(rows.num_rows), pa.int64())
    numbered = pa.table({"key": keys_of(rows, key), "row": order})
    chosen = numbered.group_by("key").aggregate([("row", edge)])[f"row_{edge}"]
    return pc.is_in(order, value_set=chosen)


def without(rows: pa.Table, key: Sequence[str], held: pa.Table) -> pa.Table:
    """Return the rows whose key is not among the ``held`` ones."""
    if not rows.num_rows or not held.num_rows:
        return rows
    return rows.filter(pc.invert(pc.is_in(keys_of(rows, key), value_set=keys_of(held, key))))
