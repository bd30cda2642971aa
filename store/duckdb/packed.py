"""The rows of a stored table by their number: a few of them are read in a moment, whatever the columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas import Kind
from store.duckdb.layout import StoredTable
from store.packed import Layout, Packed
from store.spherical.cover import load_array

IntArray = NDArray[np.int64]
Bytes = NDArray[np.uint8]

PACKED_BYTES = 2**28
"""Bytes of a batch up to which it is packed as a whole."""


@dataclass(frozen=True)
class Run:
    """Packed rows with consecutive numbers from ``first``; ``ends`` tells where in ``data`` each one ends."""

    layout: Layout
    first: int
    ends: IntArray
    data: Bytes

    @classmethod
    def of(cls, stored: StoredTable, batches: Iterable[pa.RecordBatch], first: int) -> Run:
        """Pack rows of the lake that are numbered from ``first``."""
        layout = layout_of(stored)
        packed = [layout.pack(piece) for batch in batches for piece in _pieces(batch)]
        ends = np.cumsum(np.concatenate([np.empty(0, np.int64), *(each.sizes for each in packed)]))
        return cls(layout, first, ends, np.frombuffer(b"".join(each.data for each in packed), np.uint8))

    def __len__(self) -> int:
        return len(self.ends)

    def followed_by(self, other: Run) -> Run:
        """Return both as one."""
        ends = np.concatenate((self.ends, other.ends + len(self.data)))
        return Run(self.layout, self.first, ends, np.concatenate((self.data, other.data)))

    def places(self, rows: IntArray) -> IntArray:
        """Return where those of some rows are that are here; their numbers are sorted."""
        low, high = np.searchsorted(rows, (self.first, self.first + len(self)))
        return np.asarray(rows[low:high] - self.first)

    def starts(self, places: IntArray) -> IntArray:
        """Return where the rows at some places begin."""
        return np.where(places > 0, self.ends[places - 1], 0)

    def size(self, places: IntArray) -> int:
        """Return how many bytes the rows at some places have."""
        return int((self.ends[places] - self.starts(places)).sum())

    def read(self, places: IntArray, wanted: AbstractSet[str]) -> pa.Table:
        """Return columns, by lower-case name, of the rows at one or more sorted places."""
        starts, ends = self.starts(places), self.ends[places]
        # Neighbours are copied together.
        apart = np.flatnonzero(starts[1:] != ends[:-1]) + 1
        pieces = zip(starts[np.append(0, apart)], ends[np.append(apart - 1, -1)], strict=True)
        data = self.data.data
        return self.layout.unpack(Packed(b"".join([data[a:b] for a, b in pieces]), ends - starts), wanted)


@dataclass(frozen=True)
class PackedRows:
    """Runs of packed rows, one after the other by number; columns that are arrays are not in them."""

    runs: tuple[Run, ...] = ()

    def with_more(self, run: Run) -> PackedRows:
        """Return them with a run that goes on; it is put together with those before it that are shorter."""
        runs = list(self.runs)
        while runs and len(runs[-1]) <= len(run) and runs[-1].layout == run.layout:
            run = runs.pop().followed_by(run)
        return PackedRows((*runs, run))

    def size(self, rows: IntArray) -> int:
        """Return how many bytes those of some rows have that are here."""
        return sum(run.size(run.places(rows)) for run in self.runs)

    def tables(self, rows: IntArray, wanted: AbstractSet[str]) -> Iterator[pa.Table]:
        """Yield columns of the rows of each run that has any; what a run lacks is not in its table."""
        for run in self.runs:
            places = run.places(rows)
            if len(places):
                yield run.read(places, wanted)


def layout_of(stored: StoredTable) -> Layout:
    """Return how the rows of a stored table are packed."""
    columns = ((column.name, Kind(column.kind), False) for column in stored.packed)
    return Layout.of(tuple(columns), finite=False)


def save_packed(stem: Path, stored: StoredTable, batches: Iterable[pa.RecordBatch]) -> None:
    """Write rows beside ``stem``, for :func:`load_packed`, as they come in the order of their numbers."""
    layout, sizes = layout_of(stored), [np.empty(0, np.int64)]
    with Path(f"{stem}.packed.bin").open("wb") as file:
        for piece in (piece for batch in batches for piece in _pieces(batch)):
            packed = layout.pack(piece)
            file.write(packed.data)
            sizes.append(packed.sizes)
    np.save(f"{stem}.packed-end.npy", np.cumsum(np.concatenate(sizes)))


def load_packed(stem: Path, stored: StoredTable) -> PackedRows:
    """Map the rows that :func:`save_packed` wrote into memory."""
    path = Path(f"{stem}.packed.bin")
    data = np.memmap(path, np.uint8, "r") if path.stat().st_size else np.empty(0, np.uint8)
    run = Run(layout_of(stored), 0, load_array(f"{stem}.packed-end.npy"), np.asarray(data))
    return PackedRows((run,) if len(run) else ())


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Take a batch of very long texts apart."""
    if batch.nbytes <= PACKED_BYTES or batch.num_rows < 2:
        yield batch
        return
    half = batch.num_rows // 2
    for piece in (batch.slice(0, half), batch.slice(half)):
        yield from _pieces(piece)
