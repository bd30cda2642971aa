"""Polygons of very many vertices: bounded, and judged in bounded memory."""

import tracemalloc

import numpy as np
import pytest

from sky import polygons
from sky.footprints import Footprints
from sky.forms import MOST_VERTICES, Circle, Polygon, RegionError, Union, normalise
from sky.vectors import unit_vectors


def star(count: int, ra: float = 10.0) -> Polygon:
    """Return a simple polygon that is not convex."""
    angle = 2.0 * np.pi * np.arange(count) / count
    radius = 1.0 + 0.2 * (np.arange(count) % 2)
    return Polygon(
        tuple(zip((ra + radius * np.cos(angle)).tolist(), (radius * np.sin(angle)).tolist(), strict=True))
    )


def text(polygon: Polygon) -> str:
    return "POLYGON ICRS " + " ".join(f"{ra!r} {dec!r}" for ra, dec in polygon.vertices)


def test_a_polygon_of_more_vertices_than_allowed_is_refused_by_that_name() -> None:
    with pytest.raises(RegionError, match="5001 vertices are more than the 5000") as refused:
        normalise(star(MOST_VERTICES + 1))
    assert refused.value.code == "too-many-vertices"


def test_so_is_a_union_of_them() -> None:
    half = MOST_VERTICES // 2
    with pytest.raises(RegionError, match="5001 vertices") as refused:
        normalise(Union((Circle(50.0, 0.0, 1.0), star(half), star(half + 1, 100.0))))
    assert refused.value.code == "too-many-vertices"


def test_a_delivered_one_costs_its_row_only() -> None:
    found = Footprints.from_text([text(star(MOST_VERTICES + 2)), "CIRCLE 1 2 3", text(star(10))])
    assert {row: error.code for row, error in found.errors.items()} == {0: "too-many-vertices"}
    assert [found.region(row) is None for row in range(3)] == [True, False, False]


def test_many_polygons_that_need_a_close_look_are_judged_in_little_memory() -> None:
    footprints = [text(star(120))] * 500
    tracemalloc.start()
    found = Footprints.from_text(footprints)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not found.errors
    assert peak < 700_000_000


def test_parts_judged_apart_give_the_verdict_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(5)
    ra, dec = random.uniform(0.0, 3.0, (40, 9)), random.uniform(-1.5, 1.5, (40, 9))
    # Every second one is a star, and simple.
    for row in range(0, 40, 2):
        ra[row], dec[row] = np.array(star(9, 5.0 + row).vertices).T
    vertices = unit_vectors(ra, dec)
    edges = polygons.Edges.of(vertices)
    whole = polygons.verdicts(vertices, edges)
    assert set(whole.tolist()) >= {polygons.SOUND, polygons.CROSSING}
    for pairs in (1, 20, 100):
        monkeypatch.setattr(polygons, "_PAIRS", pairs)
        assert polygons.verdicts(vertices, edges).tolist() == whole.tolist()


@pytest.mark.slow
def test_the_largest_polygon_allowed_is_judged() -> None:
    assert len(normalise(star(MOST_VERTICES)).vertices) == MOST_VERTICES  # type: ignore[union-attr]
