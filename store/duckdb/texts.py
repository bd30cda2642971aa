"""Rows by the texts of columns that name them, such as dataset identifiers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.names import KEYS, name_keys
from store.spherical.cover import load_array, spans

IntArray = NDArray[np.int64]
HashArray = NDArray[np.uint64]

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_CHUNK = 65_536
"""Texts hashed at once, which bounds the memory that it takes."""


@dataclass(frozen=True)
class TextIndex:
    """Hashes of a column's texts, sorted, and the rows they belong to; missing texts are not in it."""

    hashes: HashArray
    row: IntArray

    @classmethod
    def build(cls, found: HashArray, first_row: int = 0) -> TextIndex:
        """Sort the hashes of rows that are numbered from ``first_row``."""
        known = np.flatnonzero(found)
        order = known[np.argsort(found[known], kind="stable")]
        return cls(found[order], order.astype(np.int64) + first_row)

    def with_more(self, other: TextIndex) -> TextIndex:
        """Return an index of the rows of both."""
        both = np.concatenate((self.hashes, other.hashes))
        order = np.argsort(both, kind="stable")
        return TextIndex(both[order], np.concatenate((self.row, other.row))[order])

    def rows(self, texts: Sequence[str]) -> IntArray:
        """Find the rows that have one of the texts, and rarely one more; sorted, each once."""
        wanted = np.unique(hashes(pa.array(texts, pa.string())))
        ends = [np.searchsorted(self.hashes, wanted, side) for side in ("left", "right")]
        return np.unique(self.row[spans(np.stack(ends, axis=1))])

    def save(self, stem: Path, column: str) -> None:
        """Write the arrays beside ``stem``, for :meth:`load`."""
        np.save(f"{stem}.text-{column}-hash.npy", self.hashes)
        np.save(f"{stem}.text-{column}-row.npy", self.row)

    @classmethod
    def load(cls, stem: Path, column: str) -> TextIndex:
        """Map the arrays that :meth:`save` wrote into memory."""
        return cls(*(load_array(f"{stem}.text-{column}-{name}.npy") for name in ("hash", "row")))


def index_hashes(name: str, texts: pa.Array | pa.ChunkedArray) -> HashArray:
    """Hash what the index of that name holds of a column: its texts, or the keys of its names."""
    return hashes(name_keys(texts) if name.startswith(KEYS) else texts)


def file_name(name: str, column: str) -> str:
    """Return what the files of an index are called; ``column`` is the engine's name for its column."""
    return f"{column}-key" if name.startswith(KEYS) else column


def hashes(texts: pa.Array | pa.ChunkedArray) -> HashArray:
    """Hash texts, shape (n,); 0 for a missing one and never else.

    Our own function, because what is on disk must outlive the versions of libraries.
    """
    chunks = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
    parts = [
        _hashes(chunk.slice(first, _CHUNK)) for chunk in chunks for first in range(0, len(chunk), _CHUNK)
    ]
    return np.concatenate(parts) if parts else np.empty(0, np.uint64)


def _hashes(texts: pa.Array) -> HashArray:
    """Take the bytes of each text as the digits of a number, modulo 2**64."""
    plain = pc.fill_null(texts.cast(pa.large_string()), "")
    _, at, data = plain.buffers()
    offsets = np.frombuffer(at, np.int64)[plain.offset : plain.offset + len(plain) + 1]
    digits = np.frombuffer(data or b"", np.uint8)[offsets[0] : offsets[-1]].astype(np.uint64) + np.uint64(1)
    offsets = offsets - offsets[0]
    lengths = np.diff(offsets)
    place = np.arange(len(digits)) - np.repeat(offsets[:-1], lengths)
    powers = np.cumprod(np.full(int(lengths.max(initial=0)) + 1, _FACTOR), dtype=np.uint64)
    sums = np.concatenate((np.zeros(1, np.uint64), np.cumsum(digits * powers[place], dtype=np.uint64)))
    found = sums[offsets[1:]] - sums[offsets[:-1]]
    found = (found ^ (found >> np.uint64(32))) * _FACTOR | np.uint64(1)
    return np.where(texts.is_valid().to_numpy(zero_copy_only=False), found, np.uint64(0))
