"""Footprints survive being stored, in any order."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sky.footprints import Footprints
from store.spherical import PositionIndex, ShapeStore
from store.spherical.shapes import joined

TEXTS = [
    "POLYGON ICRS 10 10 12 10 12 12 10 12",
    None,
    "CIRCLE ICRS 1 2 3",
    "POSITION ICRS 5 6",
    "UNION ICRS (CIRCLE 1 2 3 CIRCLE 50 2 3)",
    "not a region",
]


def test_footprints_come_back_as_they_were(tmp_path: Path) -> None:
    parsed = Footprints.from_text(TEXTS)
    parts = [ShapeStore.of(Footprints.from_text(TEXTS[:3])), ShapeStore.of(Footprints.from_text(TEXTS[3:]))]
    order = np.array([4, 0, 5, 3, 1, 2])
    joined(parts).reordered(order).save(tmp_path / "t0")
    stored = ShapeStore.load(tmp_path / "t0")
    found = stored.take(np.array([0, 5, 1, 0]))
    assert [found.region(row) for row in range(4)] == [parsed.region(row) for row in (4, 2, 0, 4)]
    assert stored.take(np.arange(6)).to_text() == [parsed.to_text()[row] for row in order]


def test_no_parts_make_an_empty_store(tmp_path: Path) -> None:
    joined([]).save(tmp_path / "t")
    assert len(ShapeStore.load(tmp_path / "t")) == 0


def test_positions_and_footprints_of_one_table_keep_apart(tmp_path: Path) -> None:
    cell, ra, dec = np.array([1, 5]), np.array([0.5, 1.5]), np.array([-1.0, 1.0])
    PositionIndex(cell, ra, dec).save(tmp_path / "t0")
    ShapeStore.of(Footprints.from_text(TEXTS)).save(tmp_path / "t0")
    positions = PositionIndex.load(tmp_path / "t0")
    assert (positions.ra.tolist(), positions.dec.tolist()) == ([0.5, 1.5], [-1.0, 1.0])
    assert ShapeStore.load(tmp_path / "t0").take(np.array([3])).to_text() == ["POSITION ICRS 5.0 6.0"]


def test_positions_in_ranges_of_cells() -> None:
    index = PositionIndex.build(np.array([9, -1, 3, 9]), np.arange(4.0), np.arange(4.0), 10)
    places = index.places(np.array([[0, 4], [9, 10]]))
    assert sorted(index.rows_at(places).tolist()) == [10, 12, 13]
    more = index.with_more(PositionIndex.build(np.array([3]), np.zeros(1), np.zeros(1), 14))
    assert sorted(more.rows_at(more.places(np.array([[3, 4]]))).tolist()) == [12, 14]
