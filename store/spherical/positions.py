"""Positions of rows by cell."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from store.spherical.cover import load_array, spans

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class PositionIndex:
    """Cells (order 29, sorted, -1 first), the rows they belong to, and their positions in degrees.

    ``row`` is None where rows are numbered in the order of their cells, from 0.
    """

    cell: IntArray
    ra: FloatArray
    dec: FloatArray
    row: IntArray | None = None

    @classmethod
    def build(cls, cell: IntArray, ra: FloatArray, dec: FloatArray, first_row: int) -> PositionIndex:
        """Sort the positions of rows that are numbered from ``first_row`` in any order of cells."""
        order = np.argsort(cell, kind="stable")
        return cls(cell[order], ra[order], dec[order], order.astype(np.int64) + first_row)

    def with_more(self, other: PositionIndex) -> PositionIndex:
        """Return an index of the rows of both, which are numbered."""
        if self.row is None or other.row is None:
            raise ValueError("only numbered rows can be put together")
        cell = np.concatenate((self.cell, other.cell))
        order = np.argsort(cell, kind="stable")
        ra, dec = (np.concatenate(pair)[order] for pair in ((self.ra, other.ra), (self.dec, other.dec)))
        row = np.concatenate((self.row, other.row))[order]
        return PositionIndex(cell[order], ra, dec, row)

    def __len__(self) -> int:
        return len(self.cell)

    def places(self, ranges: IntArray) -> IntArray:
        """Find the half-open spans of places whose cells are in the given ranges; both have shape (n, 2)."""
        found = np.searchsorted(self.cell, ranges)
        return np.asarray(found[found[:, 1] > found[:, 0]], dtype=np.int64)

    def rows_at(self, places: IntArray) -> IntArray:
        """Return the row numbers at spans of places."""
        flat = spans(places)
        return flat if self.row is None else self.row[flat]

    def save(self, stem: Path) -> None:
        """Write the arrays beside ``stem``, for :meth:`load`; rows must be numbered by cell."""
        for name in ("cell", "ra", "dec"):
            np.save(f"{stem}.position-{name}.npy", getattr(self, name))

    @classmethod
    def load(cls, stem: Path) -> PositionIndex:
        """Map the arrays that :meth:`save` wrote into memory."""
        return cls(*(load_array(f"{stem}.position-{name}.npy") for name in ("cell", "ra", "dec")))
