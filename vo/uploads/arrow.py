"""Columns of Arrow tables as those of a table that users bring."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from schemas import Column, Kind
from schemas.arrow import arrow_type
from schemas.datatype import Datatype
from vo.uploads.fields import check_names
from vo.uploads.found import Found
from vo.uploads.limits import Unreadable, UploadLimits

_KINDS: Mapping[pa.DataType, tuple[Kind, str]] = {
    pa.bool_(): (Kind.BOOLEAN, "boolean"),
    pa.int8(): (Kind.SHORT, "short"),
    pa.uint8(): (Kind.SHORT, "unsignedByte"),
    pa.int16(): (Kind.SHORT, "short"),
    pa.uint16(): (Kind.INT, "int"),
    pa.int32(): (Kind.INT, "int"),
    pa.uint32(): (Kind.LONG, "long"),
    pa.int64(): (Kind.LONG, "long"),
    pa.uint64(): (Kind.LONG, "long"),
    pa.float16(): (Kind.FLOAT, "float"),
    pa.float32(): (Kind.FLOAT, "float"),
    pa.float64(): (Kind.DOUBLE, "double"),
    pa.null(): (Kind.TEXT, "unicodeChar"),
}


def found_in(table: pa.Table, limits: UploadLimits, described: Mapping[str, Column] | None = None) -> Found:
    """Return an Arrow table's columns; ``described`` has what is known of columns by their name.

    Raises
    ------
    Unreadable
        When it has columns of other types than tables of TAP have, or breaks a limit.
    """
    limits.check_columns(table.num_columns)
    limits.check_rows(table.num_rows)
    columns: list[Column] = []
    arrays = []
    for name, array in zip(table.column_names, table.columns, strict=True):
        plain = _plain(array)
        column = _column(name or f"col{len(columns) + 1}", plain.type)
        known = (described or {}).get(column.name)
        if known is not None and arrow_type(known) == plain.type:
            column = known
        try:
            arrays.append(plain.cast(arrow_type(column)))
        except pa.ArrowInvalid:
            raise Unreadable(f"column {name!r} has values that are too large") from None
        columns.append(column)
    check_names(tuple(columns))
    return tuple(columns), arrays


def _plain(array: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return values without a dictionary, in a type that is ours or close to one."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        array = array.cast(kind.value_type)
        kind = array.type
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return array.cast(pa.string())
    if pa.types.is_decimal(kind):
        return array.cast(pa.float64())
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        if pa.types.is_timestamp(kind) and kind.tz is not None:
            array = array.cast(pa.timestamp(kind.unit, "UTC")).cast(pa.timestamp(kind.unit))
        # What is finer than a microsecond is cut.
        return pc.cast(array, pa.timestamp("us"), safe=False)
    if pa.types.is_large_list(kind):
        return array.cast(pa.list_(kind.value_type))
    return array


def _column(name: str, kind: pa.DataType) -> Column:
    if pa.types.is_timestamp(kind):
        return Column(name=name, kind=Kind.TIMESTAMP)
    if pa.types.is_string(kind):
        return Column(name=name, kind=Kind.TEXT)
    size: str | None = None
    element = kind
    if pa.types.is_fixed_size_list(kind):
        element, size = kind.value_type, str(kind.list_size)
    elif pa.types.is_list(kind):
        element, size = kind.value_type, "*"
    found = _KINDS.get(element)
    if found is None or (size is not None and found[0] is Kind.TEXT):
        raise Unreadable(f"column {name!r} is of the type {kind}, which tables of TAP do not have")
    if found[0] is Kind.TEXT:
        return Column(name=name, kind=Kind.TEXT)
    return Column(name=name, kind=found[0], array=size, votable=Datatype(found[1], size))
