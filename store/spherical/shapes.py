"""Footprints of many rows as arrays on disk, so that refinement parses no text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sky.footprints import OTHER, Footprints
from sky.text import parse_region, to_stcs
from store.spherical.cover import load_array

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

_ARRAYS = ("kind", "offsets", "ra", "dec", "radius")


@dataclass(frozen=True)
class ShapeStore:
    """The arrays of ``sky.Footprints``, and the texts of the few rows that no array can hold."""

    kind: NDArray[np.uint8]
    offsets: IntArray
    ra: FloatArray
    dec: FloatArray
    radius: FloatArray
    texts: dict[int, str]

    @classmethod
    def of(cls, footprints: Footprints) -> ShapeStore:
        """Take over parsed footprints."""
        f = footprints
        texts = {row: to_stcs(region) for row, region in f.objects.items()}
        return cls(f.kind, f.offsets, f.ra, f.dec, f.radius, texts)

    def __len__(self) -> int:
        return len(self.kind)

    def reordered(self, order: IntArray) -> ShapeStore:
        """Return the same rows in another order."""
        found = self.take(order)
        return ShapeStore(
            found.kind,
            found.offsets,
            found.ra,
            found.dec,
            found.radius,
            {place: self.texts[int(order[place])] for place in found.objects},
        )

    def take(self, rows: IntArray) -> Footprints:
        """Return the footprints of some rows, in the given order."""
        kind, starts = self.kind[rows], self.offsets[rows]
        counts = self.offsets[rows + 1] - starts
        offsets = np.concatenate(([0], np.cumsum(counts)))
        source = np.repeat(starts - offsets[:-1], counts) + np.arange(offsets[-1])
        others = np.flatnonzero(kind == OTHER).tolist()
        objects = {place: _parsed(self.texts[int(rows[place])]) for place in others}
        return Footprints(kind, offsets, self.ra[source], self.dec[source], self.radius[rows], objects)

    def save(self, stem: Path) -> None:
        """Write beside ``stem``, for :meth:`load`."""
        for name in _ARRAYS:
            np.save(f"{stem}.{name}.npy", getattr(self, name))
        Path(f"{stem}.texts.json").write_text(json.dumps(self.texts), encoding="utf-8")

    @classmethod
    def load(cls, stem: Path) -> ShapeStore:
        """Map the arrays that :meth:`save` wrote into memory."""
        texts = json.loads(Path(f"{stem}.texts.json").read_text(encoding="utf-8"))
        kind, offsets, ra, dec, radius = (load_array(f"{stem}.{name}.npy") for name in _ARRAYS)
        return cls(kind, offsets, ra, dec, radius, {int(row): text for row, text in texts.items()})


_parsed = lru_cache(maxsize=4096)(parse_region)


def joined(parts: Sequence[ShapeStore]) -> ShapeStore:
    """Put stores behind each other."""
    if not parts:
        return ShapeStore.of(Footprints.from_regions([]))
    rows = np.concatenate(([0], np.cumsum([len(part) for part in parts])))
    coordinates = np.concatenate(([0], np.cumsum([int(part.offsets[-1]) for part in parts])))
    texts = {
        int(r) + row: text for r, part in zip(rows, parts, strict=False) for row, text in part.texts.items()
    }
    offsets = [part.offsets[:-1] + c for c, part in zip(coordinates, parts, strict=False)]
    kind, ra, dec, radius = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("kind", "ra", "dec", "radius")
    )
    return ShapeStore(kind, np.concatenate([*offsets, coordinates[-1:]]), ra, dec, radius, texts)
