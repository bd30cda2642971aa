"""Texts that say times or regions, as such."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from schemas import Column, Kind
from schemas.arrow import arrow_type
from schemas.votable import votable_type
from sky.text import parse_region
from vo.cells.text import plain_texts
from vo.uploads.fields import INTEGERS

_TIMES = frozenset({"timestamp", "adql:TIMESTAMP"})
_REGIONS = frozenset({"adql:REGION"})
_MOST_REGIONS = 100_000


def settled(column: Column, array: pa.Array | pa.ChunkedArray) -> tuple[Column, pa.Array | pa.ChunkedArray]:
    """Return a column of texts as one of times or regions, if its ``xtype`` and all its values say so."""
    if column.kind is not Kind.TEXT:
        return column, array
    column = _with_alphabet(column, array)
    if column.xtype in _TIMES or (column.votable is not None and column.votable.xtype in _TIMES):
        return _as_times(column, array)
    if column.votable is not None and column.votable.xtype in _REGIONS and _are_regions(array):
        return column.model_copy(update={"kind": Kind.REGION}), array
    return column, array


def _with_alphabet(column: Column, array: pa.Array | pa.ChunkedArray) -> Column:
    """Return a column of texts that are not ASCII as one that VOTable lets have them."""
    declared = votable_type(column)
    ascii_only = pc.all(pc.string_is_ascii(array), min_count=0).as_py()
    if declared.datatype != "char" or ascii_only is not False:
        return column
    return column.model_copy(update={"votable": replace(declared, datatype="unicodeChar")})


def with_null(column: Column, array: pa.Array | pa.ChunkedArray) -> Column:
    """Return a column of integers with a number for missing ones that is none of its values.

    Where the usual one will do, nothing is said; bytes need one only where some are missing.
    """
    declared = votable_type(column)
    if column.null is not None or declared.datatype not in INTEGERS:
        return column
    flat = pc.list_flatten(array) if declared.is_list else array
    least, greatest = INTEGERS[declared.datatype]
    values = set(pc.unique(flat).to_pylist()) if declared.datatype != "long" or _has(flat, least) else set()
    missing = bool(array.null_count or flat.null_count)
    if not missing if declared.datatype == "unsignedByte" else least not in values:
        return column
    free = next((number for number in (greatest, *range(least, least + 1_000)) if number not in values), None)
    return column.model_copy(update={"null": None if free is None or free > greatest else free})


def _has(values: pa.Array | pa.ChunkedArray, number: int) -> bool:
    return bool(pc.any(pc.equal(values, number)).as_py())


def _as_times(column: Column, array: pa.Array | pa.ChunkedArray) -> tuple[Column, pa.Array | pa.ChunkedArray]:
    timed = column.model_copy(update={"kind": Kind.TIMESTAMP})
    try:
        found = pc.utf8_rtrim(array, "Z").cast(arrow_type(timed))
    except pa.ArrowInvalid:
        return column, array
    size = None if column.votable is None else column.votable.size
    whole = found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
    longest = pc.max(pc.utf8_length(plain_texts(timed, whole))).as_py()
    if size is not None and (longest or 0) > size:
        return column, array
    return timed, found


def _are_regions(array: pa.Array | pa.ChunkedArray) -> bool:
    texts = pc.unique(array).drop_null()
    if len(texts) > _MOST_REGIONS:
        return False
    try:
        for text in texts.to_pylist():
            parse_region(text)
    except ValueError:
        return False
    return True
