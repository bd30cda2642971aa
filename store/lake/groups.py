"""Row groups of Parquet files, and what of the sky their rows touch, so that readers can pass them over.

Positions are found by the least and greatest cell that Parquet itself notes for each row group; they tell
much where rows are ordered by cell. Of footprints, which are lists of ranges, files that this module writes
note for each group a few ranges that hold them all.

What is left of a table has to be read to be counted: Arrow's own ``count_rows`` counts what was left out too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from numpy.typing import NDArray

from schemas.arrow import BORDER, HEALPIX, INNER

IntArray = NDArray[np.int64]

GROUP_ROWS = 16_384
"""Rows of one group at most, of which the least that is read consists."""

COVERED = b"onedfs.covered"
"""What the ranges of footprints stand under in a file: JSON, for each row group ``[[lo, hi], …]``."""

MOST_COVERED = 64
"""Ranges noted for one row group at most."""

MOST_ASKED = 32
"""Ranges that row groups are compared with at most."""


class GroupWriter:
    """Writes one Parquet file group by group, with what the footprints of each touch."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.rows = 0
        self._covered: list[list[list[int]]] = []
        self._has_footprints = {INNER, BORDER} <= set(schema.names)
        self._writer = pq.ParquetWriter(path, schema.remove_metadata(), compression="zstd")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None and self._has_footprints:
            self._writer.add_key_value_metadata({COVERED: json.dumps(self._covered, separators=(",", ":"))})
        self._writer.close()

    def write(self, rows: pa.Table) -> None:
        """Append rows, as groups of their own."""
        for first in range(0, rows.num_rows, GROUP_ROWS):
            group = rows.slice(first, GROUP_ROWS)
            self._writer.write_table(group, row_group_size=GROUP_ROWS)
            self.rows += group.num_rows
            if self._has_footprints:
                self._covered.append(few_ranges(_touched(group), MOST_COVERED).tolist())


def by_cell(rows: pa.Table) -> pa.Table:
    """Put rows with positions in the order of their cells, where they make more than one group."""
    if HEALPIX not in rows.column_names or rows.num_rows <= GROUP_ROWS:
        return rows
    return rows.combine_chunks().take(cell_order(rows))


def cell_order(rows: pa.Table) -> pa.Array:
    """Return the places of rows in the order of their cells; those without any come last."""
    return pc.sort_indices(rows, sort_keys=[(HEALPIX, "ascending")])


def few_ranges(ranges: IntArray, most: int) -> IntArray:
    """Join half-open ranges, shape (n, 2) and in any order, to at most so many; the least gaps go first."""
    if not len(ranges):
        return ranges
    ordered = ranges[np.argsort(ranges[:, 0], kind="stable")]
    reach = np.maximum.accumulate(ordered[:, 1])
    gaps = ordered[1:, 0] - reach[:-1]
    widest = np.argsort(-gaps, kind="stable")[: most - 1]
    breaks = np.sort(widest[gaps[widest] > 0])
    starts, ends = np.concatenate(([0], breaks + 1)), np.concatenate((breaks, [len(ordered) - 1]))
    return np.stack((ordered[starts, 0], reach[ends]), axis=1)


def _touched(rows: pa.Table) -> IntArray:
    """Return all ranges of cells that footprints touch."""
    flat = [rows[name].combine_chunks().flatten().to_numpy(zero_copy_only=False) for name in (INNER, BORDER)]
    return np.concatenate(flat).astype(np.int64, copy=False).reshape(-1, 2)


def at_positions(data: ds.Dataset, ranges: IntArray) -> ds.Dataset:
    """Leave out groups of a table in files none of whose positions is in half-open ranges of cells.

    Nothing is left out of what is not in files, or has no cells.
    """
    if not isinstance(data, ds.FileSystemDataset) or HEALPIX not in data.schema.names:
        return data
    cell = ds.field(HEALPIX)
    # Rows that came before the column did may be anywhere.
    wanted = cell.is_null()
    for low, high in few_ranges(ranges, MOST_ASKED).tolist():
        wanted = wanted | ((cell >= low) & (cell < high))
    parts = [part.subset(filter=wanted, schema=data.schema) for part in data.get_fragments()]
    return _of(data, parts)


def at_footprints(data: ds.Dataset, ranges: IntArray) -> ds.Dataset:
    """Leave out groups of a table in files none of whose footprints touches half-open ranges of cells.

    Of files that do not note that, nothing is left out.
    """
    if not isinstance(data, ds.FileSystemDataset):
        return data
    parts = []
    for part in data.get_fragments():
        covered = covered_of(part.metadata)
        if covered is not None:
            left = {group.id for group in part.row_groups}
            part = part.subset(row_group_ids=[n for n in sorted(left) if _meet(covered[n], ranges)])  # noqa: PLW2901
        parts.append(part)
    return _of(data, parts)


def covered_of(metadata: pq.FileMetaData) -> tuple[IntArray, ...] | None:
    """Return, for each row group of a file, ranges that its footprints are in; None where that is unknown."""
    text = (metadata.metadata or {}).get(COVERED)
    noted = None if text is None else _noted(text)
    return noted if noted is not None and len(noted) == metadata.num_row_groups else None


@lru_cache(maxsize=4096)
def _noted(text: bytes) -> tuple[IntArray, ...]:
    return tuple(np.asarray(ranges, dtype=np.int64).reshape(-1, 2) for ranges in json.loads(text))


def _meet(covered: IntArray, ranges: IntArray) -> bool:
    low, high = ranges[:, 0], ranges[:, 1]
    return bool(((covered[:, :1] < high) & (covered[:, 1:] > low)).any())


def _of(data: ds.FileSystemDataset, parts: Sequence[Any]) -> ds.Dataset:
    kept = [part for part in parts if part.row_groups]
    return ds.FileSystemDataset(kept, data.schema, data.format, data.filesystem)


def groups_of(data: ds.Dataset) -> int:
    """Return how many row groups are read of a table in files."""
    return sum(len(part.row_groups) for part in data.get_fragments())


def is_ordered(metadata: pq.FileMetaData, schema: pa.Schema) -> bool:
    """Whether a file's groups are small, follow each other by cell, and tell what their footprints touch."""
    if {INNER, BORDER} <= set(schema.names) and covered_of(metadata) is None:
        return False
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    cells = [_cells(group) for group in groups]
    if any(group.num_rows > GROUP_ROWS for group in groups) or None in cells:
        return False
    known = [pair for pair in cells if pair is not None]
    return all(first[1] <= second[0] for first, second in pairwise(known))


def _cells(group: pq.RowGroupMetaData) -> tuple[int, int] | None:
    """Return the least and greatest cell of a group's positions."""
    for number in range(group.num_columns):
        column = group.column(number)
        if column.path_in_schema == HEALPIX:
            stats = column.statistics
            return (stats.min, stats.max) if stats is not None and stats.has_min_max else None
    return None
