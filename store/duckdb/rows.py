"""Rows of the lake as the engine stores them: generated names, unit vectors, no HEALPix lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import schemas
from schemas.arrow import HEALPIX, arrow_type
from sky.healpix import unit_vectors
from store.duckdb.layout import StoredTable
from store.sql.kinds import X, Y, Z


def stored_schema(stored: StoredTable, extra: tuple[str, ...] = ()) -> pa.Schema:
    """Return the Arrow schema of stored rows; ``extra`` are whole-number columns that come last."""
    fields = [
        pa.field(column.stored_as, _arrow_type(column.kind, array=column.array)) for column in stored.columns
    ]
    if stored.position:
        fields += [pa.field(name, pa.float64()) for name in (X, Y, Z)]
        fields.append(pa.field(HEALPIX, pa.int64()))
    return pa.schema([*fields, *(pa.field(name, pa.int64()) for name in extra)])


def stored_rows(
    stored: StoredTable, batches: Iterable[pa.RecordBatch], extra: tuple[str, ...] = ()
) -> pa.RecordBatchReader:
    """Turn the lake's rows into stored ones, batch by batch; columns that a row lacks are NULL."""
    schema = stored_schema(stored, extra)
    return pa.RecordBatchReader.from_batches(schema, _converted(stored, schema, batches, extra))


def _converted(
    stored: StoredTable, schema: pa.Schema, batches: Iterable[pa.RecordBatch], extra: tuple[str, ...]
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        present = {name.lower(): place for place, name in enumerate(batch.schema.names)}

        def column(
            name: str, batch: pa.RecordBatch = batch, present: dict[str, int] = present
        ) -> pa.Array | None:
            place = present.get(name.lower())
            return None if place is None else batch.column(place)

        arrays = [column(c.name) for c in stored.columns]
        if stored.position:
            arrays += _vectors(*(column(name) for name in stored.position), length=batch.num_rows)
            arrays.append(_cells(column(HEALPIX), batch.num_rows))
        arrays += [column(name) for name in extra]
        yield pa.RecordBatch.from_arrays(
            [
                pa.nulls(batch.num_rows, f.type) if array is None else array.cast(f.type)
                for array, f in zip(arrays, schema, strict=True)
            ],
            schema=schema,
        )


def _cells(cells: pa.Array | None, length: int) -> pa.Array:
    return pa.repeat(pa.scalar(-1, pa.int64()), length) if cells is None else pc.fill_null(cells, -1)


def _vectors(ra: pa.Array | None, dec: pa.Array | None, *, length: int) -> list[pa.Array]:
    if ra is None or dec is None:
        return [pa.nulls(length, pa.float64())] * 3
    degrees = [pc.cast(values, pa.float64()).to_numpy(zero_copy_only=False) for values in (ra, dec)]
    vectors = unit_vectors(*degrees)
    missing = ~np.isfinite(vectors[:, 0])
    return [pa.array(np.ascontiguousarray(vectors[:, axis]), mask=missing) for axis in range(3)]


def _arrow_type(kind: str, *, array: bool) -> pa.DataType:
    return arrow_type(schemas.Column(name="x", kind=schemas.Kind(kind), array="*" if array else None))
