"""Exact relations, against spherely, against dense samples, and at their edges."""

import math

import numpy as np
import pytest
import spherely
from hypothesis import given, settings
from hypothesis import strategies as st

from sky.coverage import cover_moc
from sky.footprints import Footprints
from sky.regions import (
    Circle,
    MocRegion,
    Point,
    Polygon,
    Range,
    Region,
    Union,
    bounding_circle,
    normalise,
    normalise_delivered,
    reverse,
)
from sky.relations import (
    contains,
    contains_pairs,
    contains_points,
    cover,
    intersects,
    intersects_pairs,
    meet,
    points_in_footprints,
    within,
)
from sky.vectors import perpendicular, positions, separation, unit, unit_vectors

BAND = 1e-10
centres = st.one_of(
    st.tuples(st.floats(0.0, 359.999), st.floats(-90.0, 90.0)),
    st.sampled_from([(0.0, 90.0), (45.0, -90.0), (0.0, 0.0), (359.99999, 41.81)]),
)
sizes = st.sampled_from([1e-6, 0.01, 1.0, 30.0])
stars = st.lists(st.floats(0.2, 1.0), min_size=3, max_size=8)


def moved(at: tuple[float, float], distance: float, turn: float) -> tuple[float, float]:
    centre = unit_vectors(*at)
    across = perpendicular(centre)
    reach = math.radians(distance)
    there = math.cos(reach) * centre + math.sin(reach) * (
        math.cos(turn) * across + math.sin(turn) * np.cross(centre, across)
    )
    ra, dec = positions(there)
    return float(ra), float(dec)


def star(at: tuple[float, float], size: float, spokes: list[float]) -> Polygon:
    turns = np.arange(len(spokes)) / len(spokes) * 2.0 * np.pi
    corners = [moved(at, size * spoke, turn) for spoke, turn in zip(spokes, turns, strict=True)]
    polygon, _ = normalise_delivered(Polygon(tuple(corners)))
    assert isinstance(polygon, Polygon)
    return polygon


@st.composite
def star_pairs(draw: st.DrawFn) -> tuple[Polygon, Polygon]:
    """Two stars of like or unlike sizes, from almost concentric to just apart, not touching."""
    at, size = draw(centres), draw(sizes)
    other = size * draw(st.sampled_from([0.2137, 0.7137, 1.0137, 1.5137]))
    there = moved(at, (size + other) * draw(st.floats(0.0137, 0.8)), draw(st.floats(0.0137, 6.0)))
    return star(at, size, draw(stars)), star(there, other, draw(stars))


def in_spherely(polygon: Polygon) -> object:
    return spherely.create_polygon([(ra, dec) for ra, dec in polygon.vertices])


@settings(max_examples=300)
@given(star_pairs())
def test_polygons_relate_as_in_spherely(pair: tuple[Polygon, Polygon]) -> None:
    one, two = pair
    assert meet(one, two) == bool(spherely.intersects(in_spherely(one), in_spherely(two)))
    assert cover(one, two) == bool(spherely.contains(in_spherely(one), in_spherely(two)))


@settings(max_examples=200)
@given(star_pairs())
def test_relations_obey_complements(pair: tuple[Polygon, Polygon]) -> None:
    """One holds the other exactly if the rest of the sky does not meet its inside."""
    one, two = pair
    assert meet(one, two) == meet(two, one)
    assert cover(reverse(one), two) == (not meet(one, two))
    assert cover(reverse(one), reverse(two)) == cover(two, one)
    assert meet(one, reverse(two)) == (not cover(two, one))


@given(centres, sizes, stars)
def test_a_polygon_meets_and_holds_itself(at: tuple[float, float], size: float, spokes: list[float]) -> None:
    polygon = star(at, size, spokes)
    assert meet(polygon, polygon)
    assert cover(polygon, polygon)
    rolled = Polygon((*polygon.vertices[1:], polygon.vertices[0]))
    assert cover(polygon, rolled)
    assert cover(Union((polygon, Point(*at))), polygon)
    assert meet(polygon, reverse(polygon))
    assert not cover(polygon, reverse(polygon))


@given(centres, sizes, stars, st.floats(0.0, 1.0))
def test_boundary_points_belong(
    at: tuple[float, float], size: float, spokes: list[float], share: float
) -> None:
    polygon = star(at, size, spokes)
    corners = unit_vectors(*np.array(polygon.vertices).T)
    on_edge = unit(share * corners + (1.0 - share) * np.roll(corners, -1, axis=0))
    for points in (corners, on_edge):
        ra, dec = positions(points)
        assert contains_points(polygon, ra, dec).all()
        assert contains_points(reverse(polygon), ra, dec).all()


@given(
    centres,
    st.sampled_from([1e-7, 0.01, 1.0, 45.0, 100.0, 170.0]),
    st.sampled_from([0.0, 1e-7, 0.01, 1.0, 60.0]),
    st.floats(0.0, 6.28),
    st.sampled_from([-1.0, 1.0]),
)
def test_circles_relate_by_distance(
    at: tuple[float, float], radius: float, other: float, turn: float, sign: float
) -> None:
    """Just beyond and just short of touching, from outside and from inside."""
    slack = sign * max(3e-10, 1e-9 * radius)
    big = Circle(*at, radius)
    outside = radius + other + slack
    if outside < 180.0:
        assert meet(big, Circle(*moved(at, outside, turn), other)) == (sign < 0.0)
    if other < radius and radius - other + slack > 0.0:
        assert cover(big, Circle(*moved(at, radius - other + slack, turn), other)) == (sign < 0.0)
        assert contains_points(big, *moved(at, radius + slack, turn)) == (sign < 0.0)


@given(centres, sizes, stars, st.floats(0.0, 1.0), st.floats(0.0, 6.28))
def test_circles_and_polygons_relate_by_the_polygons_points(
    at: tuple[float, float], size: float, spokes: list[float], off: float, turn: float
) -> None:
    polygon = star(at, size, spokes)
    spot = moved(at, 2.0 * size * off, turn)
    corners = unit_vectors(*np.array(polygon.vertices).T)
    share = np.linspace(0.0, 1.0, 400)[:, None, None]
    border = unit(share * corners + (1.0 - share) * np.roll(corners, -1, axis=0)).reshape(-1, 3)
    distance = separation(*spot, *positions(border))
    inside = bool(contains_points(polygon, *spot))
    nearest, farthest = float(distance.min()), float(distance.max())
    spacing = 2.0 * size / 399.0
    for radius in (nearest * 0.98, nearest * 1.02, farthest * 0.98, farthest * 1.02):
        # Samples on an edge are this far apart, so the true distance may be a little smaller.
        if abs(radius - nearest) <= 2.0 * BAND + spacing**2 / max(nearest, spacing):
            continue
        if abs(radius - farthest) <= 2.0 * BAND:
            continue
        circle = Circle(*spot, radius)
        assert meet(circle, polygon) == meet(polygon, circle) == (inside or radius > nearest)
        assert cover(polygon, circle) == (inside and radius < nearest)
        if abs(radius - farthest) > 0.01 * farthest:
            assert cover(circle, polygon) == (radius > farthest)
        rest = Circle((spot[0] + 180.0) % 360.0, -spot[1], 180.0 - radius)
        assert cover(rest, polygon) == (not meet(circle, polygon))
        assert not cover(circle, reverse(polygon))
        if abs(radius - farthest) > 0.01 * farthest:
            assert meet(rest, polygon) == (radius < farthest)


boxes = st.builds(
    lambda west, width, dec: Range(west, (west + width) % 360.0, *dec),
    st.sampled_from([0.0, 10.0, 200.0, 350.0]),
    st.sampled_from([1.0, 30.0, 200.0]),
    st.sampled_from([(-90.0, -60.0), (-10.0, 10.0), (70.0, 90.0), (60.0, 62.0), (-math.inf, 10.0)]),
)


@given(boxes, st.integers(0, 2**32 - 1))
def test_ranges_hold_what_lies_between_their_limits(box: Range, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ra, dec = rng.uniform(0.0, 360.0, 500), rng.uniform(-90.0, 90.0, 500)
    in_ra = (ra >= box.ra_min) & (ra <= box.ra_max)
    if box.ra_min > box.ra_max:
        in_ra = (ra >= box.ra_min) | (ra <= box.ra_max)
    assert np.array_equal(contains_points(box, ra, dec), in_ra & (dec >= box.dec_min) & (dec <= box.dec_max))


@pytest.mark.parametrize(
    ("west", "east", "held"),
    [
        (-math.inf, 10.0, [True, True, True, False, False, False]),
        (200.0, math.inf, [True, False, False, False, True, True]),
        (-math.inf, math.inf, [True] * 6),
        (0.0, 360.0, [True] * 6),
        (350.0, 10.0, [True, True, True, False, False, True]),
    ],
)
def test_a_range_is_open_on_either_side(west: float, east: float, held: list[bool]) -> None:
    box = Range(west, east, -10.0, 10.0)
    assert contains_points(box, [0.0, 0.1, 9.9, 100.0, 200.1, 359.9], 0.0).tolist() == held
    assert not contains_points(box, [0.0, 0.1, 9.9, 100.0, 200.1, 359.9], 11.0).any()


@settings(max_examples=60)
@given(boxes, centres, st.sampled_from([0.5, 5.0, 40.0]), stars)
def test_ranges_relate_as_samples_of_them_do(
    box: Range, at: tuple[float, float], size: float, spokes: list[float]
) -> None:
    for other in (star(at, size, spokes), Circle(*at, size)):
        ra, dec = np.meshgrid(
            box.west + np.linspace(0.0, box.width, 120), np.linspace(box.south, box.north, 120)
        )
        grid = contains_points(other, ra.ravel(), dec.ravel())
        circle = bounding_circle(other)
        rng = np.random.default_rng(7)
        spread = rng.normal(size=(4000, 3)) * math.radians(circle.radius)
        own_ra, own_dec = positions(unit(unit_vectors(circle.ra, circle.dec) + spread))
        own = contains_points(other, own_ra, own_dec)
        in_box = contains_points(box, own_ra[own], own_dec[own])
        if grid.any() or in_box.any():
            assert meet(box, other)
        if not grid.all():
            assert not cover(other, box)
        if not in_box.all():
            assert not cover(box, other)
        if cover(box, other) or cover(other, box):
            assert meet(box, other)


@given(
    st.sampled_from([(0.0, -90.0, 90.0), (350.0, -10.0, 10.0), (77.0, 60.0, 90.0), (10.0, 5.0, 5.0)]),
    st.sampled_from([0.3, 5.0, 100.0]),
    st.floats(0.0, 360.0),
    st.sampled_from([0.99, 1.01, 2.5]),
)
def test_a_range_without_width_is_a_piece_of_a_meridian(
    piece: tuple[float, float, float], radius: float, ra: float, reach: float
) -> None:
    """Circles around a spot beside it meet its nearest place and hold its farthest, by their radius."""
    west, south, north = piece
    line = Range(west, west, south, north)
    spot = moved((west, (south + north) / 2.0), min(radius * reach, 179.0), math.radians(ra))
    gaps = separation(*spot, west, np.linspace(south, north, 4001))
    circle = Circle(*spot, radius)
    if abs(gaps.min() - radius) > 1e-4 * radius:
        assert meet(line, circle) == meet(circle, line) == (gaps.min() < radius)
    if abs(gaps.max() - radius) > 1e-4 * radius:
        assert cover(circle, line) == (gaps.max() < radius)
    assert not cover(line, circle)
    assert cover(line, line)
    assert meet(line, line)


@pytest.mark.parametrize("west", [0.0, 90.0, 200.0])
def test_a_range_without_height_is_a_piece_of_a_parallel(west: float) -> None:
    line = Range(west, west + 60.0, 50.0, 50.0)
    assert cover(line, line)
    assert cover(Range(west, west + 60.0, 40.0, 50.0), line)
    assert not cover(line, Range(west, west + 60.0, 40.0, 50.0))
    assert meet(line, Circle(west + 30.0, 51.0, 1.001))
    assert not meet(line, Circle(west + 30.0, 51.0, 0.999))
    assert not meet(line, Circle(west + 61.0, 50.0, 0.6))
    assert meet(line, Circle(west + 61.0, 50.0, 0.7))


@pytest.mark.parametrize(
    ("circle", "meets"),
    [
        (Circle(5.0, 61.0, 0.4), True),
        (Circle(5.0, 63.0, 0.999), False),
        (Circle(5.0, 63.0, 1.001), True),
        (Circle(5.0, 59.0, 0.999), False),
        (Circle(5.0, 59.0, 1.001), True),
        # A great-circle edge between the corners would reach 0.22 deg farther north here.
        (Circle(15.0, 63.0, 0.95), False),
    ],
)
def test_parallels_are_not_great_circles(circle: Circle, *, meets: bool) -> None:
    assert meet(Range(0.0, 30.0, 60.0, 62.0), circle) == meets


def test_a_union_holds_what_needs_several_parts() -> None:
    left = Polygon(((0.0, 0.0), (0.0, 10.0), (10.0, 10.0), (10.0, 0.0)))
    right = Polygon(((8.0, 0.0), (8.0, 10.0), (20.0, 10.0), (20.0, 0.0)))
    across = Polygon(((5.0, 4.0), (5.0, 6.0), (15.0, 6.0), (15.0, 4.0)))
    both = Union((left, right))
    assert cover(both, across)
    assert not cover(left, across)
    assert not cover(Union((left, Polygon(((11.0, 0.0), (11.0, 10.0), (20.0, 10.0), (20.0, 0.0))))), across)


@pytest.mark.parametrize("size", [1e-8, 1e-5, 1.0])
def test_a_ring_holds_what_is_over_its_hole_when_that_is_filled(size: float) -> None:
    ring = [
        Circle(10.0 + 5.0 * size * math.cos(turn), 5.0 * size * math.sin(turn), 3.0 * size)
        for turn in np.linspace(0.0, 6.0, 12)
    ]
    half = 3.5 * size
    disc = Circle(10.0, 0.0, 5.0 * size)
    square = Polygon(tuple((10.0 + x * half, y * half) for x, y in ((-1, -1), (-1, 1), (1, 1), (1, -1))))
    for inner in (disc, square):
        assert not cover(Union(tuple(ring)), inner)
        assert cover(Union((*ring, Circle(10.0, 0.0, 3.0 * size))), inner)


def test_a_reflex_corner_cuts_what_its_vertices_do_not_show() -> None:
    """The bar's ends lie in the two arms of a V, its middle does not."""
    vee = normalise_delivered(
        Polygon(((0.0, 10.0), (5.0, 0.0), (10.0, 10.0), (8.0, 10.0), (5.0, 4.0), (2.0, 10.0)))
    )[0]
    bar = normalise_delivered(Polygon(((1.5, 8.5), (8.5, 8.5), (8.5, 8.6), (1.5, 8.6))))[0]
    assert contains_points(vee, [1.5, 8.5], [8.5, 8.5]).all()
    assert meet(vee, bar)
    assert not cover(vee, bar)


@given(centres, st.sampled_from([0.3, 3.0, 30.0]), st.floats(0.0, 4.0), st.floats(0.0, 6.28))
def test_mocs_relate_as_what_they_cover(
    at: tuple[float, float], size: float, off: float, turn: float
) -> None:
    circle = Circle(*at, size)
    moc = cover_moc(circle, 6)
    probe = Circle(*moved(at, min(off * size, 179.0), turn), size / 4.0)
    if meet(circle, probe):
        assert meet(moc, probe)
        assert meet(probe, moc)
    assert cover(moc, circle)
    if cover(circle, probe):
        assert cover(moc, probe)
    assert not meet(moc, Circle((at[0] + 180.0) % 360.0, -at[1], size))
    assert meet(moc, moc)
    assert cover(moc, moc)
    assert not cover(circle, moc)
    assert cover(Circle(*at, min(size + 4.0, 180.0)), moc)


anything = st.one_of(
    st.none(),
    centres.map(lambda at: Point(*at)),
    st.builds(lambda at, radius: Circle(*at, radius), centres, st.sampled_from([0.1, 20.0, 100.0])),
    st.builds(star, centres, st.sampled_from([0.1, 30.0]), stars),
    boxes,
    st.builds(
        lambda at, size, spokes: Union((star(at, size, spokes), Circle(*at, size / 2.0))),
        centres,
        st.sampled_from([0.1, 30.0]),
        stars,
    ),
    centres.map(lambda at: cover_moc(Circle(*at, 10.0), 3)),
)


@settings(max_examples=60)
@given(st.lists(anything, min_size=1, max_size=5), anything.filter(lambda region: region is not None))
def test_columns_relate_as_their_rows_do(column: list[Region | None], region: Region) -> None:
    footprints = Footprints.from_regions(column)
    expected = [row is not None and meet(region, row) for row in column]
    assert intersects(region, footprints).tolist() == expected
    assert within(footprints, region).tolist() == [row is not None and cover(region, row) for row in column]
    assert contains(footprints, region).tolist() == [row is not None and cover(row, region) for row in column]
    shifted = footprints.take([*range(1, len(column)), 0])
    other = [*column[1:], column[0]]
    pairs = list(zip(column, other, strict=True))
    assert intersects_pairs(footprints, shifted).tolist() == [
        a is not None and b is not None and meet(a, b) for a, b in pairs
    ]
    assert contains_pairs(footprints, shifted).tolist() == [
        a is not None and b is not None and cover(a, b) for a, b in pairs
    ]
    ra, dec = np.linspace(0.0, 300.0, len(column)), np.linspace(-80.0, 89.0, len(column))
    assert points_in_footprints(footprints, ra, dec).tolist() == [
        row is not None and bool(contains_points(row, x, y))
        for row, x, y in zip(column, ra, dec, strict=True)
    ]


def test_points_that_are_none_are_nowhere() -> None:
    everything = Circle(0.0, 0.0, 180.0)
    assert contains_points(everything, [np.nan, 0.0, 1.0, 1.0], [0.0, np.nan, np.inf, 90.0]).tolist() == [
        False,
        False,
        False,
        True,
    ]
    footprints = Footprints.from_regions([everything, everything, None])
    assert points_in_footprints(footprints, [np.nan, 0.0, 0.0], [0.0, 0.0, 0.0]).tolist() == [
        False,
        True,
        False,
    ]


def test_bad_rows_are_false_and_harm_nobody() -> None:
    footprints = Footprints.from_text(["POLYGON 0 0 2 2 2 0 0 2", "CIRCLE 1 1 1", None, "nonsense"])
    assert intersects(Circle(1.0, 1.0, 0.5), footprints).tolist() == [False, True, False, False]
    assert sorted(footprints.errors) == [0, 3]
    assert footprints.errors[0].code == "self-crossing"


def test_an_empty_moc_meets_nothing() -> None:
    empty = normalise(MocRegion(()))
    assert not meet(empty, Circle(0.0, 0.0, 180.0))
    assert not contains_points(empty, [0.0], [0.0]).any()
