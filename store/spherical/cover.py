"""Coverage of footprints, ordered so that an overlap is a handful of binary searches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

IntArray = NDArray[np.int64]

_ARRAYS = ("starts", "lo", "hi", "row")

LEVELS = 32
"""Ranges of up to 4**level cells are kept together; 4**30 cells are a quarter of the sky and more."""

_SIZES = np.int64(4) ** np.arange(LEVELS)


@dataclass(frozen=True)
class CoverIndex:
    """Half-open order-29 cell ranges of many rows, sorted by size level and then by ``lo``.

    ``starts`` (LEVELS + 1) bounds each level.
    """

    starts: IntArray
    lo: IntArray
    hi: IntArray
    row: IntArray

    @classmethod
    def build(cls, lo: IntArray, hi: IntArray, row: IntArray) -> CoverIndex:
        """Sort ranges into an index."""
        level = _levels(hi - lo)
        counts = np.bincount(level, minlength=LEVELS)
        starts = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
        order = np.empty(len(lo), np.int64)
        for number in np.flatnonzero(counts).tolist():
            own = np.flatnonzero(level == number)
            order[starts[number] : starts[number + 1]] = own[np.argsort(lo[own], kind="stable")]
        return cls(starts, lo[order], hi[order], row[order])

    @classmethod
    def from_lists(cls, *columns: pa.ChunkedArray, first_row: int = 0) -> CoverIndex:
        """Build from the lake's ``_inner`` and ``_border`` columns; rows count from ``first_row``."""
        lo, hi, row = (np.concatenate(parts) for parts in zip(*map(_flatten, columns), strict=True))
        return cls.build(lo, hi, row + first_row)

    def __len__(self) -> int:
        return len(self.lo)

    def renumbered(self, rows: IntArray) -> CoverIndex:
        """Return the same entries with row ``i`` called ``rows[i]``."""
        return CoverIndex(self.starts, self.lo, self.hi, rows[self.row])

    def with_more(self, other: CoverIndex) -> CoverIndex:
        """Return an index of the entries of both."""
        return CoverIndex.build(
            np.concatenate((self.lo, other.lo)),
            np.concatenate((self.hi, other.hi)),
            np.concatenate((self.row, other.row)),
        )

    def hits(self, ranges: IntArray) -> IntArray:
        """Find the rows, some repeatedly, of entries that overlap any of the ``ranges``.

        Those are half-open, sorted and disjoint, shape (n, 2).
        """
        if not len(ranges) or not len(self.lo):
            return np.empty(0, np.int64)
        found = [self._level_hits(level, ranges) for level in np.flatnonzero(np.diff(self.starts)).tolist()]
        return np.asarray(self.row[np.concatenate(found)])

    def _level_hits(self, level: int, ranges: IntArray) -> IntArray:
        start, end = int(self.starts[level]), int(self.starts[level + 1])
        lo = self.lo[start:end]
        first = np.searchsorted(lo, ranges[:, 0] - _SIZES[level], side="right")
        last = np.searchsorted(lo, ranges[:, 1], side="left")
        # Slices of neighbouring ranges may overlap; each entry is looked at once.
        first = np.maximum(first, np.concatenate(([0], np.maximum.accumulate(last)[:-1])))
        places = _spans(first, last) + start
        near = np.minimum(np.searchsorted(ranges[:, 1], self.lo[places], side="right"), len(ranges) - 1)
        overlaps = (self.hi[places] > ranges[near, 0]) & (self.lo[places] < ranges[near, 1])
        return np.asarray(places[overlaps])

    def save(self, stem: Path) -> None:
        """Write the arrays beside ``stem``, for :meth:`load`."""
        for name in _ARRAYS:
            np.save(f"{stem}.{name}.npy", getattr(self, name))

    @classmethod
    def load(cls, stem: Path) -> CoverIndex:
        """Map the arrays that :meth:`save` wrote into memory."""
        return cls(*(load_array(f"{stem}.{name}.npy") for name in _ARRAYS))


def load_array(path: str) -> NDArray[Any]:
    """Map a saved array into memory, read-only."""
    # A plain array over the mapping: np.memmap objects cost microseconds on every slice.
    return np.asarray(np.load(path, mmap_mode="r"))


def _levels(sizes: IntArray) -> NDArray[np.uint8]:
    """Return the least level with ``size <= 4**level``."""
    return np.searchsorted(_SIZES, sizes).astype(np.uint8)


def _flatten(lists: pa.ChunkedArray) -> tuple[IntArray, IntArray, IntArray]:
    column = lists.combine_chunks()
    values = column.flatten().to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
    counts = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False) // 2
    rows = np.repeat(np.arange(len(column), dtype=np.int64), counts)
    return values[0::2], values[1::2], rows


def _spans(first: IntArray, last: IntArray) -> IntArray:
    """Concatenate the integers of half-open spans; empty and reversed ones give nothing."""
    counts = np.maximum(last - first, 0)
    total = int(counts.sum())
    offsets = np.repeat(first - np.concatenate(([0], np.cumsum(counts)[:-1])), counts)
    return np.asarray(offsets + np.arange(total), dtype=np.int64)


def spans(ranges: IntArray) -> IntArray:
    """Concatenate the integers of half-open ranges, shape (n, 2)."""
    return _spans(ranges[:, 0], ranges[:, 1])


def as_spans(rows: IntArray) -> IntArray:
    """Join sorted row numbers into spans."""
    if not len(rows):
        return np.empty((0, 2), np.int64)
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    first = rows[np.concatenate(([0], breaks))]
    last = rows[np.concatenate((breaks - 1, [len(rows) - 1]))] + 1
    return np.stack((first, last), axis=1)
