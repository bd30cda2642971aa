"""Rows of the lake as documents, and what is done with them, as lines of a bulk request."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

import schemas
from schemas import Kind
from schemas.arrow import BORDER, HEALPIX, INNER
from schemas.elastic import (
    CELL,
    CORNER,
    COVER_CELLS,
    INNER_CELLS,
    KEY,
    PLACE,
    ROW,
    SINCE,
    TILE,
    TILE_ORDER,
    UNTIL,
    field_name,
    key_field,
)
from schemas.names import holds_names, name_keys
from sky.footprints import CIRCLE, POINT, POLYGON, Footprints
from sky.healpix import STORED_ORDER
from store.elastic.packed import pack
from store.lake.rows import keys_of

Operation: TypeAlias = tuple[str, bytes]
"""The id of a document, and the lines that say what to do with it."""

MOST_KEY = 480
"""Bytes of the longest key that is kept as it is; an id has 512 at most, and the version is part of it."""

ROWS = 4096
"""Rows whose values are Python's own at a time."""

Values: TypeAlias = list[Any]


def live_at(version: int, filters: Iterable[dict[str, Any]] = ()) -> dict[str, Any]:
    """Return the query that finds the documents of one version of the lake, whatever is written meanwhile.

    ``filters`` are what they have to fulfil besides.
    """
    return {
        "bool": {
            "filter": [{"range": {SINCE: {"lte": version}}}, *filters],
            "must_not": [{"range": {UNTIL: {"lte": version}}}],
        }
    }


def document_keys(rows: pa.RecordBatch | pa.Table, key: Sequence[str]) -> list[str]:
    """Return the key of each row as its documents hold it."""
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_batches([rows])
    texts = keys_of(table, key).cast(pa.string())
    return [_bounded(text) for text in texts.to_numpy().tolist()]


def _bounded(key: str) -> str:
    data = key.encode()
    return key if len(data) <= MOST_KEY else f"#{hashlib.sha256(data).hexdigest()}"


def creations(table: schemas.Table, rows: Iterable[pa.RecordBatch], version: int) -> Iterator[Operation]:
    """Write the documents of rows that a version brought; one that is there already stays as it is."""
    for batch in _slices(rows):
        names, columns = _columns(table, batch)
        names.append(ROW)
        columns.append(pack(table, batch))
        for key, *values in zip(document_keys(batch, table.key), *columns, strict=True):
            found = {name: value for name, value in zip(names, values, strict=True) if value is not None}
            name = f"{key}@{version}"
            found[KEY], found[SINCE] = key, version
            yield name, b"%b\n%b\n" % (orjson.dumps({"create": {"_id": name}}), orjson.dumps(found))


def _slices(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for start in range(0, batch.num_rows, ROWS):
            yield batch.slice(start, ROWS)


def endings(ids: Iterable[str], version: int) -> Iterator[Operation]:
    """Write into documents that a version replaced or withdrew their rows."""
    found = orjson.dumps({"doc": {UNTIL: version}})
    for name in ids:
        yield name, b"%b\n%b\n" % (orjson.dumps({"update": {"_id": name}}), found)


def deletions(ids: Iterable[str]) -> Iterator[Operation]:
    """Delete documents."""
    for name in ids:
        yield name, orjson.dumps({"delete": {"_id": name}}) + b"\n"


def _columns(table: schemas.Table, batch: pa.RecordBatch) -> tuple[list[str], list[Values]]:
    """Return the fields that any row of a batch has, and their values."""
    places = {name.lower(): place for place, name in enumerate(batch.schema.names)}
    names: list[str] = []
    columns: list[Values] = []

    def add(name: str, values: Values) -> None:
        names.append(name)
        columns.append(values)

    for name, column in table.by_name.items():
        place = places.get(name)
        if place is not None and (array := batch.column(place)).null_count < len(array):
            add(field_name(name), _values(column, array))
            if holds_names(column):
                add(key_field(name), _plain(name_keys(array)))
    if table.position and HEALPIX in places:
        cells = batch.column(places[HEALPIX])
        cells = pc.if_else(pc.less(cells, 0), None, cells)
        add(CELL, _plain(cells))
        add(TILE, _plain(pc.shift_right(cells, 2 * (STORED_ORDER - TILE_ORDER))))
        ra, dec = (_floats(batch.column(places[name.lower()])) for name in table.position)
        add(PLACE, _points(ra, dec, cells.is_valid().to_numpy(zero_copy_only=False)))
    if table.region and INNER in places and BORDER in places:
        inner, border = (batch.column(places[source]) for source in (INNER, BORDER))
        add(INNER_CELLS, _ranges(inner))
        add(COVER_CELLS, _ranges(_joined(inner, border)))
        add(CORNER, _corners(batch.column(places[table.region.lower()])))
    return names, columns


def _values(column: schemas.Column, array: pa.Array) -> Values:
    """Return the values of a column as JSON has them; what is no finite number is NULL."""
    if pa.types.is_nested(array.type):
        return list(array.to_pylist())
    if column.kind is Kind.TIMESTAMP:
        return _plain(array.cast(pa.timestamp("us")).cast(pa.int64()))
    if pa.types.is_floating(array.type):
        return _plain(pc.if_else(pc.is_finite(array), array, None))
    return _plain(array)


def _plain(array: pa.Array) -> Values:
    """Return numbers, truth values or texts as Python's own, many times faster than one by one."""
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        return list(array.to_numpy(zero_copy_only=False).tolist())
    if not array.null_count:
        return list(array.to_numpy(zero_copy_only=False).tolist())
    missing = np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False))
    filled = array.fill_null(pa.scalar(value=False) if pa.types.is_boolean(array.type) else 0)
    values = list(filled.to_numpy(zero_copy_only=False).tolist())
    for place in missing.tolist():
        values[place] = None
    return values


def _floats(array: pa.Array) -> NDArray[np.float64]:
    return np.asarray(array.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)


def _points(ra: NDArray[np.float64], dec: NDArray[np.float64], there: NDArray[np.bool_]) -> Values:
    """Return positions [deg] that are there as longitude, from -180 to 180, and latitude."""
    points: Values = np.stack(((ra + 180.0) % 360.0 - 180.0, dec), axis=1).tolist()
    return [point if known else None for point, known in zip(points, there.tolist(), strict=True)]


def _corners(footprints: pa.Array) -> Values:
    """Return the first corner or the centre of each footprint; None where it is made of several parts."""
    shapes = Footprints.from_text(footprints)
    there = np.isin(shapes.kind, (POINT, CIRCLE, POLYGON))
    first = np.where(there, shapes.offsets[:-1], 0)
    if not there.any():
        return [None] * len(there)
    return _points(shapes.ra[first], shapes.dec[first], there)


def _joined(one: pa.Array, other: pa.Array) -> pa.Array:
    """Return the ranges of two columns of lists of bounds, those that touch or overlap as one."""
    parts, rows = [], []
    for array in (one, other):
        parts.append(array.flatten().to_numpy(zero_copy_only=False).reshape(-1, 2))
        lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
        rows.append(np.repeat(np.arange(len(array)), lengths // 2))
    bounds, row = np.concatenate(parts), np.concatenate(rows)
    order = np.lexsort((bounds[:, 0], row))
    (lo, hi), row = bounds[order].T, row[order]
    # Inside and border of one footprint have no cell in common: what follows can at most touch.
    begins = np.flatnonzero(np.append(True, (lo[1:] != hi[:-1]) | (row[1:] != row[:-1]))[: len(row)])
    ends = np.append(begins[1:], len(row))[: len(begins)] - 1
    counts = np.bincount(row[begins], minlength=len(one))
    offsets = np.concatenate(([0], 2 * np.cumsum(counts)))
    joined = np.stack((lo[begins], hi[ends]), axis=1).ravel()
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(joined, pa.int64()))


def _ranges(array: pa.Array) -> Values:
    """Return lists of bounds, lo, hi, lo, hi …, as lists of half-open ranges; NULL where there are none."""
    bounds = array.flatten().to_numpy(zero_copy_only=False).tolist()
    ranges = [{"gte": lo, "lt": hi} for lo, hi in zip(bounds[::2], bounds[1::2], strict=True)]
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
    ends = np.concatenate(([0], np.cumsum(lengths // 2))).tolist()
    return [ranges[lo:hi] or None for lo, hi in pairwise(ends)]
