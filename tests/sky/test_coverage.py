"""A cover misses nothing, and what it calls inner is inside: at the poles, across RA 0, tiny and huge."""

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sky.coverage import _Ranges, cover_footprints, cover_moc, inner_ranges, rough_ranges, search_ranges
from sky.footprints import Footprints
from sky.healpix import cells
from sky.regions import (
    ORDER_29_CELLS,
    Circle,
    MocRegion,
    Point,
    Polygon,
    Range,
    Region,
    RegionError,
    Union,
    area,
    bounding_circle,
    normalise,
    normalise_delivered,
    reverse,
)
from sky.relations import contains_points
from sky.vectors import positions, separation, unit, unit_vectors

centres = st.one_of(
    st.tuples(st.floats(0.0, 359.999), st.floats(-90.0, 90.0)),
    st.sampled_from([(0.0, 90.0), (45.0, -90.0), (0.0, 0.0), (359.99999, 41.81), (45.0, 41.810314895778596)]),
)
radii = st.sampled_from([1e-9, 1e-7, 1e-4, 0.01, 0.3, 5.0, 39.0, 60.0, 91.0, 179.0])
circles = st.builds(lambda at, radius: Circle(*at, radius), centres, radii)


def turned(at: tuple[float, float], size: float, spokes: list[float]) -> Polygon:
    centre = unit_vectors(*at)
    east = unit_vectors(at[0] + 90.0, 0.0)
    north = np.cross(centre, east)
    turn = np.arange(len(spokes)) / len(spokes) * 2.0 * np.pi + 0.3
    reach = np.radians(size) * np.array(spokes)
    across = np.cos(turn)[:, None] * east + np.sin(turn)[:, None] * north
    corners = unit(np.cos(reach)[:, None] * centre + np.sin(reach)[:, None] * across)
    return Polygon(tuple(zip(*(axis.tolist() for axis in positions(corners)), strict=True)))


polygons = st.builds(
    turned,
    centres,
    st.sampled_from([1e-8, 1e-4, 0.05, 1.0, 20.0, 50.0]),
    st.lists(st.floats(0.3, 1.0), min_size=4, max_size=7),
)
delivered = polygons.map(lambda polygon: normalise_delivered(polygon)[0])
turned_polygons = st.one_of(delivered, delivered.map(reverse))
ranges = st.builds(
    lambda west, width, dec: Range(west, (west + width) % 360.0, *dec),
    st.floats(0.0, 359.0),
    st.floats(0.01, 350.0),
    st.sampled_from([(-90.0, -80.0), (-10.0, 10.0), (85.0, 90.0), (60.0, 60.5), (-math.inf, math.inf)]),
)
simple = st.one_of(circles, turned_polygons, ranges, centres.map(lambda at: Point(*at)))
unions = st.lists(simple, min_size=2, max_size=3).map(lambda parts: Union(tuple(parts)))
regions = st.one_of(simple, unions)


def places(region: Region, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Directions in and around a region, on its boundary too where that is known."""
    rng = np.random.default_rng(seed)
    parts = region.parts if isinstance(region, Union) else (region,)
    found = [unit(rng.normal(size=(50, 3)))]
    for part in parts:
        circle = bounding_circle(part)
        centre = unit_vectors(circle.ra, circle.dec)
        spread = math.radians(min(max(circle.radius, 1e-9), 90.0))
        found.append(unit(centre + spread * rng.uniform(-1, 1, (100, 3))))
        if isinstance(part, Polygon):
            corners = unit_vectors(*np.array(part.vertices).T)
            share = rng.uniform(0.0, 1.0, (len(corners), 8, 1))
            edge = corners[:, None] * share + np.roll(corners, -1, axis=0)[:, None] * (1.0 - share)
            found.extend((corners, unit(edge.reshape(-1, 3))))
        if isinstance(part, Circle):
            turn = rng.uniform(0.0, 2.0 * np.pi, (40, 1))
            east = unit_vectors(part.ra + 90.0, 0.0)
            around = np.cos(turn) * east + np.sin(turn) * np.cross(centre, east)
            reach = math.radians(part.radius)
            found.append(unit(math.cos(reach) * centre + math.sin(reach) * around))
    return positions(np.concatenate(found))


def held(numbers: NDArray[np.int64], covered: NDArray[np.int64]) -> NDArray[np.bool_]:
    place = np.searchsorted(covered[:, 0], numbers, side="right") - 1
    result: NDArray[np.bool_] = (place >= 0) & (numbers < covered[np.maximum(place, 0), 1])
    return result


@settings(max_examples=200)
@given(regions, st.integers(1, 32), st.integers(0, 2**32 - 1))
def test_a_search_cover_misses_nothing(region: Region, most: int, seed: int) -> None:
    covered = search_ranges(region, most)
    assert 0 < len(covered) <= most
    assert (covered[:, 0] < covered[:, 1]).all()
    assert (covered[1:, 0] > covered[:-1, 1]).all()
    assert covered.min() >= 0
    assert covered.max() <= ORDER_29_CELLS
    ra, dec = places(region, seed)
    inside = contains_points(region, ra, dec)
    assert held(cells(ra, dec), covered)[inside].all()


@settings(max_examples=200)
@given(regions, st.integers(0, 2**32 - 1))
def test_a_rough_cover_misses_nothing(region: Region, seed: int) -> None:
    covered = rough_ranges(region)
    assert 0 < len(covered) <= 12
    assert (covered[:, 0] < covered[:, 1]).all()
    assert (covered[1:, 0] > covered[:-1, 1]).all()
    ra, dec = places(region, seed)
    assert held(cells(ra, dec), covered)[contains_points(region, ra, dec)].all()


@given(circles.filter(lambda circle: 1e-3 < circle.radius < 30.0))
def test_a_rough_cover_of_a_circle_is_some_ten_times_as_large(circle: Circle) -> None:
    covered = rough_ranges(circle)
    assert (covered[:, 1] - covered[:, 0]).sum() / ORDER_29_CELLS * 41252.96 <= 50.0 * area(circle)


@settings(max_examples=200)
@given(regions, st.integers(0, 2**32 - 1))
def test_inner_cells_are_inside(region: Region, seed: int) -> None:
    inner = inner_ranges(region)
    ra, dec = places(region, seed)
    if len(inner):
        assert contains_points(region, ra, dec)[held(cells(ra, dec), inner)].all()


@given(circles.filter(lambda circle: 1e-3 < circle.radius < 90.0))
def test_a_cover_is_not_much_larger_than_the_region(circle: Circle) -> None:
    covered = search_ranges(circle, 32)
    sky = (covered[:, 1] - covered[:, 0]).sum() / ORDER_29_CELLS
    share = area(circle) / 41252.96
    assert share <= sky <= 2.0 * share
    inner = inner_ranges(circle, 200)
    assert 0.5 * share < (inner[:, 1] - inner[:, 0]).sum() / ORDER_29_CELLS <= share


@settings(max_examples=60)
@given(
    st.lists(st.one_of(circles, delivered, ranges, unions, centres.map(lambda at: Point(*at))), max_size=5),
    st.sampled_from([3, 8, 16, 24]),
    st.integers(0, 2**32 - 1),
)
def test_footprints_are_covered_and_inner_is_inside(found: list[Region], most: int, seed: int) -> None:
    footprints = Footprints.from_regions([None, *found])
    coverage = cover_footprints(footprints, most)
    assert np.isnan(coverage.radius[0])
    assert (np.diff(coverage.rows) >= 0).all()
    for row in range(1, len(footprints)):
        region = footprints.region(row)
        assert region is not None
        own = coverage.rows == row
        covered = np.stack((coverage.lo[own], coverage.hi[own]), axis=1)
        assert 0 < len(covered) <= most
        assert (covered[1:, 0] >= covered[:-1, 1]).all()
        ra, dec = places(region, seed)
        inside = contains_points(region, ra, dec)
        numbers = cells(ra, dec)
        if isinstance(region, Point):
            # Its own cell is enough, for searches are padded.
            home = int(cells(region.ra, region.dec))
            assert covered.tolist() == [[home, home + 1]]
            continue
        assert held(numbers, covered)[inside].all()
        complete = covered[coverage.inner[own]]
        if len(complete):
            assert inside[held(numbers, complete)].all()
        gap = separation(coverage.ra[row], coverage.dec[row], ra[inside], dec[inside])
        assert (gap <= coverage.radius[row] + 1e-9).all()


@given(st.lists(delivered, min_size=2, max_size=6))
def test_bulk_covers_each_row_as_alone(found: list[Polygon]) -> None:
    together = cover_footprints(Footprints.from_regions(found), 16)
    for row, region in enumerate(found):
        alone = cover_footprints(Footprints.from_regions([region]), 16)
        own = together.rows == row
        assert together.lo[own].tolist() == alone.lo.tolist()
        assert together.hi[own].tolist() == alone.hi.tolist()
        assert together.inner[own].tolist() == alone.inner.tolist()


def test_most_footprints_have_inner_cells() -> None:
    squares = [f"POLYGON {x} 5 {x} {6 + x / 99} {x + 1} {6 + x / 99} {x + 1} 5" for x in range(50)]
    coverage = cover_footprints(Footprints.from_text(["CIRCLE 10 20 1", *squares]), 24)
    rows = set(coverage.rows[coverage.inner].tolist())
    assert 0 in rows
    assert len(rows) > 25


@pytest.mark.parametrize("size", [1e-6, 0.01, 1.0, 20.0])
def test_footprints_that_are_not_convex_are_covered_to_their_tips(size: float) -> None:
    """One of their vertices turns the other way; the edges beside it, drawn on, cut the rest in pieces."""
    spokes = [1.0, 1.0, 0.1, 1.0, 1.0, 1.0]
    regions = [normalise_delivered(turned((ra, 40.0), size, spokes))[0] for ra in (10.0, 359.99, 200.0)]
    coverage = cover_footprints(Footprints.from_regions(regions), 24)
    for row, region in enumerate(regions):
        own = coverage.rows == row
        covered = np.stack((coverage.lo[own], coverage.hi[own]), axis=1)
        ra, dec = places(region, row)
        inside = contains_points(region, ra, dec)
        assert held(cells(ra, dec), covered)[inside].all()


def test_a_footprint_that_is_a_moc_has_no_border() -> None:
    moc = MocRegion(((5, 8), (9, 10), (400, 1000)))
    coverage = cover_footprints(Footprints.from_regions([Circle(1.0, 2.0, 3.0), moc]), 24)
    own = coverage.rows == 1
    assert list(zip(coverage.lo[own].tolist(), coverage.hi[own].tolist(), strict=True)) == list(moc.ranges)
    assert coverage.inner[own].all()


def test_a_moc_is_its_own_cover() -> None:
    moc = MocRegion(((5, 8), (9, 10)))
    assert search_ranges(moc).tolist() == [[5, 8], [9, 10]]
    assert inner_ranges(moc).tolist() == [[5, 8], [9, 10]]
    assert search_ranges(moc, 1).tolist() == [[5, 10]]


def test_a_moc_of_a_region_has_whole_cells() -> None:
    moc = cover_moc(Circle(10.0, 20.0, 1.0), 8)
    size = 1 << (2 * (29 - 8))
    assert all(low % size == 0 and high % size == 0 for low, high in moc.ranges)
    assert contains_points(moc, *places(Circle(10.0, 20.0, 1.0), 1))[
        contains_points(Circle(10.0, 20.0, 1.0), *places(Circle(10.0, 20.0, 1.0), 1))
    ].all()


def test_the_whole_sky_is_one_range() -> None:
    assert search_ranges(Circle(0.0, 0.0, 180.0)).tolist() == [[0, ORDER_29_CELLS]]
    assert inner_ranges(Circle(0.0, 0.0, 180.0)).tolist() == [[0, ORDER_29_CELLS]]


@pytest.mark.slow
def test_small_polygons_are_covered_fast() -> None:
    """15,000 a second is the promise; a busy machine gets a third of it."""
    rng = np.random.default_rng(5)
    ra, dec, size = rng.uniform(0, 350, 20_000), rng.uniform(-80, 80, 20_000), rng.uniform(0.01, 0.5, 20_000)
    found = [
        f"POLYGON {x} {y} {x} {y + s} {x + s} {y + s} {x + s} {y}"
        for x, y, s in zip(ra, dec, size, strict=True)
    ]
    footprints = Footprints.from_text(found)
    start = time.process_time()
    cover_footprints(footprints)
    assert 20_000 / (time.process_time() - start) > 5_000


def test_what_cannot_be_normalised_has_no_cover() -> None:
    with pytest.raises(RegionError):
        normalise(Polygon(((0.0, 0.0), (1.0, 1.0))))


def test_a_closed_gap_is_never_inner() -> None:
    """Two inner ranges with sky between them that is not covered at all become one of the border."""
    rows, inner = np.zeros(3, np.int64), np.array([True, True, True])
    found = _Ranges(rows, np.array([0, 8, 100]), np.array([4, 12, 104]), inner).limited(2)
    assert found.lo.tolist() == [0, 100]
    assert found.hi.tolist() == [12, 104]
    assert found.inner.tolist() == [False, True]


def test_inner_joined_with_border_is_border() -> None:
    inner = np.array([True, False, True])
    found = _Ranges(np.zeros(3, np.int64), np.array([0, 4, 100]), np.array([4, 8, 104]), inner).limited(2)
    assert found.lo.tolist() == [0, 100]
    assert found.inner.tolist() == [False, True]
