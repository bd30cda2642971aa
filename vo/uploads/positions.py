"""Which columns of a table that came with a query are its positions: those that it takes for a point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from query import tree
from vo.uploads.request import Upload

_Pair = tuple[str, str]


def placed(uploads: Sequence[Upload], query: tree.Query) -> tuple[Upload, ...]:
    """Declare the position of tables that a query has at one place each, so that they are joined by cells.

    Where a value is no position, as ADQL has it, the table is left as it is.
    """
    nodes = tuple(tree.walk(query))
    tables = {node.alias: node.table.name.lower() for node in nodes if isinstance(node, tree.TableRef)}
    pairs: dict[str, _Pair] = {}
    for node in nodes:
        found = _pair(node, tables)
        if found is not None:
            pairs.setdefault(*found)
    return tuple(_with_position(upload, pairs) for upload in uploads)


def _pair(node: Any, tables: Mapping[str, str]) -> tuple[str, _Pair] | None:
    if not isinstance(node, tree.PointOf):
        return None
    match node.ra, node.dec:
        case tree.Column(alias=one) as ra, tree.Column(alias=other) as dec if one == other and one in tables:
            return tables[one], (ra.name, dec.name)
        case _:
            return None


def _with_position(upload: Upload, pairs: Mapping[str, _Pair]) -> Upload:
    pair = pairs.get(upload.table.name.lower())
    if pair is None:
        return upload
    ra, dec = (upload.table.column(name).name for name in pair)
    if not (_between(upload.rows[ra], 0.0, 360.0) and _between(upload.rows[dec], -90.0, 90.0)):
        return upload
    return replace(upload, table=upload.table.model_copy(update={"position": (ra, dec)}))


def _between(values: pa.ChunkedArray, least: float, greatest: float) -> bool:
    """Whether all numbers are in a range; NaN is not."""
    numbers = values.cast(pa.float64()).drop_null()
    inside = pc.and_(pc.greater_equal(numbers, least), pc.less_equal(numbers, greatest))
    return bool(pc.all(inside, min_count=0).as_py())
