"""Texts that say times or regions, as such."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from schemas import Column, Kind
from schemas.arrow import arrow_type
from sky.text import parse_region
from vo.cells.text import plain_texts

_TIMES = frozenset({"timestamp", "adql:TIMESTAMP"})
_REGIONS = frozenset({"adql:REGION"})
_MOST_REGIONS = 100_000


def settled(column: Column, array: pa.Array | pa.ChunkedArray) -> tuple[Column, pa.Array | pa.ChunkedArray]:
    """Return a column of texts as one of times or regions, if its ``xtype`` and all its values say so."""
    if column.kind is not Kind.TEXT:
        return column, array
    if column.xtype in _TIMES or (column.votable is not None and column.votable.xtype in _TIMES):
        return _as_times(column, array)
    if column.votable is not None and column.votable.xtype in _REGIONS and _are_regions(array):
        return column.model_copy(update={"kind": Kind.REGION}), array
    return column, array


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
