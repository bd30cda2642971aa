"""What the brute force finds, against geometry worked out in other words."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from bench import rows
from bench.expected import BruteForce, Nearest, Search, digests
from sky.footprints import Footprints
from sky.regions import Circle
from sky.relations import intersects


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return pa.concat_tables(rows.chunks(20_000))


def separations(table: pa.Table, ra: float, dec: float) -> np.ndarray:
    """Angles to all rows by the haversine formula, degrees."""
    a, d = np.radians(table["s_ra"].to_numpy()), np.radians(table["s_dec"].to_numpy())
    half = np.sin((d - np.radians(dec)) / 2) ** 2
    half += np.cos(d) * np.cos(np.radians(dec)) * np.sin((a - np.radians(ra)) / 2) ** 2
    return np.degrees(2 * np.arcsin(np.sqrt(half)))


PLACES = [(0.1, -20.0), (180.0, 0.0), (275.0, -65.0), (359.9, 20.0), (40.0, -89.0)]


def test_a_cone_holds_the_rows_nearer_than_its_radius(table: pa.Table) -> None:
    searches = [Search("cone", "cone", place, 5.0) for place in PLACES]
    truth = BruteForce(searches)
    for start in range(0, table.num_rows, 7000):
        truth.add(table.slice(start, 7000))
    ids = np.array(table["obs_publisher_did"].to_pylist())
    expected = [ids[separations(table, *place) <= 5.0].tolist() for place in PLACES]
    assert sum(map(len, expected)) > 100
    assert truth.digests() == digests(searches, expected)


def test_footprints_touch_a_circle_as_the_exact_test_says(table: pa.Table) -> None:
    searches = [Search("intersects", "intersects", place, 2.0) for place in PLACES]
    truth = BruteForce(searches)
    truth.add(table)
    shapes = Footprints.from_text(table["s_region"].to_pylist())
    ids = np.array(table["obs_publisher_did"].to_pylist())
    expected = [ids[intersects(Circle(*place, 2.0), shapes)].tolist() for place in PLACES]
    assert sum(map(len, expected)) > 20
    assert truth.digests() == digests(searches, expected)


def test_the_circle_for_a_number_of_rows_holds_so_many(table: pa.Table) -> None:
    nearest = Nearest(PLACES, 50)
    for start in range(0, table.num_rows, 3000):
        nearest.add(table.slice(start, 3000))
    held = [
        int((separations(table, *place) <= radius).sum())
        for place, radius in zip(PLACES, nearest.radii(), strict=True)
    ]
    assert held == [50] * len(PLACES)


def test_a_digest_knows_the_kind_and_not_the_order() -> None:
    searches = [Search(kind, "cone", (0.0, 0.0), 1.0) for kind in "ab"]
    assert digests(searches, [["x", "y"], ["z"]]) == digests(searches, [["y", "x"], ["z"]])
    assert digests(searches, [["x"], ["y"]]) != digests(searches, [["y"], ["x"]])
