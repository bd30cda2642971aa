"""Rows as the lake holds them, from dictionaries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

import schemas
from schemas.arrow import lake_schema
from sky.coverage import cover_footprints
from sky.footprints import Footprints
from sky.healpix import cells


def as_lake(table: schemas.Table, rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Rows as the indexer writes them, with cells and coverage, unless they bring a coverage of their own."""
    schema = lake_schema(table)
    columns: dict[str, Any] = {
        column.name: pa.array([row.get(column.name) for row in rows], schema.field(column.name).type)
        for column in table.columns
    }
    if table.position:
        ra, dec = (
            np.array([np.nan if row[name] is None else row[name] for row in rows]) for name in table.position
        )
        columns["_healpix"] = pa.array(cells(ra, dec), pa.int64())
    if table.region:
        cover = cover_footprints(Footprints.from_text([row[table.region] for row in rows]))
        for name, inner in (("_inner", True), ("_border", False)):
            lists: list[list[int]] = [[] for _ in rows]
            chosen = cover.inner == inner
            for row, low, high in zip(cover.rows[chosen], cover.lo[chosen], cover.hi[chosen], strict=True):
                lists[row] += [int(low), int(high)]
            columns[name] = pa.array(
                [row.get(name, own) for row, own in zip(rows, lists, strict=True)], pa.list_(pa.int64())
            )
    return pa.table(columns, schema=pa.schema([schema.field(name) for name in columns]))
