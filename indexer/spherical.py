"""The columns that the spherical index reads, computed for many rows at once."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from indexer.checks import Problems
from schemas import Table
from schemas.arrow import BORDER, HEALPIX, INNER
from sky.coverage import Coverage, cover_footprints
from sky.footprints import ABSENT, Footprints
from sky.healpix import cells


def with_spherical_columns(table: Table, rows: pa.Table, problems: Problems) -> pa.Table:
    """Return rows with their cells; a footprint that is none refuses its row.

    A polygon larger than a hemisphere is taken as wound the wrong way: its text is kept, its smaller side
    is indexed, and ``problems`` counts it.
    """
    if table.position is not None:
        rows = rows.append_column(HEALPIX, pa.array(_cells(rows, *table.position)))
    if table.region is not None:
        inner, border = _coverage(rows, table.region, problems)
        rows = rows.append_column(INNER, inner).append_column(BORDER, border)
    return rows


def _cells(rows: pa.Table, lon: str, lat: str) -> NDArray[np.int64]:
    if lon not in rows.column_names or lat not in rows.column_names:
        return np.full(rows.num_rows, -1, np.int64)
    return cells(*(rows[name].cast(pa.float64()).to_numpy() for name in (lon, lat)))


def _coverage(rows: pa.Table, name: str, problems: Problems) -> tuple[pa.Array, pa.Array]:
    empty = pa.list_(pa.int64())
    if name not in rows.column_names:
        return pa.nulls(rows.num_rows, empty), pa.nulls(rows.num_rows, empty)
    footprints = Footprints.from_text(rows[name])
    for row, error in footprints.errors.items():
        problems.refuse([row], "bad-region", f"{name}: {error}.")
    problems.mis_wound += len(footprints.mis_wound)
    coverage = cover_footprints(footprints)
    absent = footprints.kind == ABSENT
    return (
        _lists(coverage, coverage.inner, absent),
        _lists(coverage, ~coverage.inner, absent),
    )


def _lists(coverage: Coverage, chosen: NDArray[np.bool_], absent: NDArray[np.bool_]) -> pa.ListArray:
    """Return each row's chosen ranges as a list lo, hi, lo, hi …; NULL for rows without a region."""
    counts = np.bincount(coverage.rows[chosen], minlength=len(absent))
    offsets = np.concatenate(([0], np.cumsum(2 * counts))).astype(np.int32)
    flat = np.column_stack((coverage.lo[chosen], coverage.hi[chosen])).ravel()
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat), mask=pa.array(absent))
