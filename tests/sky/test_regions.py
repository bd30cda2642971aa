"""What a region is once it is normalised, and how large."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sky.regions import (
    SQUARE_DEGREES,
    Circle,
    MocRegion,
    Point,
    Polygon,
    Range,
    RegionError,
    Union,
    area,
    beyond_hemisphere,
    bounding_circle,
    box_polygon,
    centroid,
    normalise,
    normalise_delivered,
    normalise_search,
    reverse,
)
from sky.relations import contains_points
from sky.vectors import separation

SKY = 4.0 * math.pi * SQUARE_DEGREES
SQUARE = Polygon(((10.0, 0.0), (10.0, 1.0), (11.0, 1.0), (11.0, 0.0)))


def test_counter_clockwise_is_seen_from_the_centre_with_east_to_the_left() -> None:
    """North, then east, then south: DALI's winding, whose left hand is the inside."""
    north_east_south_west = Polygon(((0.0, 1.0), (1.0, 0.0), (0.0, -1.0), (359.0, 0.0)))
    assert not beyond_hemisphere(north_east_south_west)
    assert contains_points(normalise_search(north_east_south_west), 0.0, 0.0)
    clockwise = normalise_search(reverse(north_east_south_west))
    assert beyond_hemisphere(clockwise)
    assert not contains_points(clockwise, 0.0, 0.0)
    assert contains_points(clockwise, 180.0, 0.0)


def test_delivered_polygons_are_the_smaller_side() -> None:
    assert normalise_delivered(SQUARE) == (SQUARE, False)
    assert normalise_delivered(reverse(SQUARE)) == (SQUARE, True)
    assert area(SQUARE) == pytest.approx(1.0, abs=0.01)
    union, mis_wound = normalise_delivered(Union((reverse(SQUARE), Circle(1.0, 2.0, 3.0))))
    assert mis_wound
    assert union == Union((SQUARE, Circle(1.0, 2.0, 3.0)))


@pytest.mark.parametrize(
    "vertices",
    [
        ((10.0, 0.0), (10.0, 0.0), (10.0, 1.0), (11.0, 1.0), (11.0, 0.0)),
        ((10.0, 0.0), (10.0, 1.0), (11.0, 1.0), (11.0, 0.0), (10.0, 0.0)),
        ((10.0, 0.0), (10.0, 1.0), (11.0, 1.0), (11.0, 0.0), (10.0, 0.0), (10.0, 0.0)),
        ((370.0, 0.0), (-350.0, 1.0), (11.0, 1.0), (11.0, 1.0), (11.0, 0.0), (370.0, 0.0)),
    ],
)
def test_repeated_and_closing_vertices_go(vertices: tuple[tuple[float, float], ...]) -> None:
    assert normalise(Polygon(vertices)) == SQUARE


def test_the_pole_is_one_vertex_whatever_its_right_ascension() -> None:
    polygon = normalise(Polygon(((0.0, 90.0), (77.0, 90.0), (0.0, 80.0), (90.0, 80.0))))
    assert isinstance(polygon, Polygon)
    assert len(polygon.vertices) == 3


@given(st.floats(0.0, 359.0), st.floats(-89.0, 89.0), st.floats(1e-6, 100.0), st.floats(1e-6, 100.0))
def test_a_box_reaches_half_its_sides_from_its_centre(
    ra: float, dec: float, width: float, height: float
) -> None:
    box = box_polygon(ra, dec, width, height)
    assert not normalise_delivered(box)[1]
    if abs(dec) + height / 2.0 < 90.0:
        assert contains_points(box, ra, [dec - height * 0.4999, dec + height * 0.4999]).all()
        assert not contains_points(box, ra, [dec - height * 0.5001, dec + height * 0.5001]).any()
    middle = centroid(box)
    assert separation(middle.ra, middle.dec, ra, dec) < 1e-6 * (max(width, height) + 1.0)


def test_the_equatorial_box_has_its_arms_on_the_axes() -> None:
    box = box_polygon(0.0, 0.0, 60.0, 20.0)
    assert contains_points(box, [29.999, 330.001], 0.0).all()
    assert not contains_points(box, [30.001, 329.999], 0.0).any()


@pytest.mark.parametrize("side", [0.0, -1.0, 180.0, math.nan, math.inf])
def test_a_box_without_size_is_refused(side: float) -> None:
    with pytest.raises(RegionError):
        box_polygon(0.0, 0.0, side, 1.0)


@pytest.mark.parametrize(
    ("region", "square_degrees"),
    [
        (Point(1.0, 2.0), 0.0),
        (Circle(0.0, 0.0, 180.0), SKY),
        (Circle(0.0, 0.0, 90.0), SKY / 2.0),
        (Circle(0.0, 0.0, 1e-6), math.pi * 1e-12),
        (Polygon(((0.0, 0.0), (0.0, 90.0), (90.0, 0.0))), SKY / 8.0),
        (Polygon(((0.0, 0.0), (90.0, 0.0), (0.0, 90.0))), SKY * 7.0 / 8.0),
        (Range(350.0, 10.0, -90.0, 90.0), SKY / 18.0),
        (Range(-math.inf, math.inf, 0.0, math.inf), SKY / 2.0),
        (Range(0.0, 360.0, 0.0, 90.0), SKY / 2.0),
        (Union((Circle(0.0, 0.0, 1.0), Circle(9.0, 0.0, 1.0))), 2.0 * area(Circle(0.0, 0.0, 1.0))),
        (MocRegion(((0, 1 << 58),)), SKY / 12.0),
    ],
)
def test_areas(region: Point | Circle | Polygon | Range | Union | MocRegion, square_degrees: float) -> None:
    assert area(region) == pytest.approx(square_degrees, rel=1e-9, abs=0.0)
    assert beyond_hemisphere(region) == (square_degrees > SKY / 2.0 * (1.0 + 1e-9))


@pytest.mark.parametrize(
    ("region", "ra", "dec"),
    [
        (Circle(10.0, 20.0, 5.0), 10.0, 20.0),
        (Range(350.0, 10.0, -5.0, 5.0), 0.0, 0.0),
        (Range(0.0, 360.0, 80.0, 90.0), None, 90.0),
        (
            Polygon(((0.0, 0.0), (0.0, 90.0), (90.0, 0.0))),
            45.0,
            math.degrees(math.asin(1.0 / math.sqrt(3.0))),
        ),
        (Union((Circle(0.0, 0.0, 1.0), Circle(10.0, 0.0, 1.0))), 5.0, 0.0),
    ],
)
def test_centroids(region: Circle | Range | Polygon | Union, ra: float | None, dec: float) -> None:
    centre = centroid(region)
    assert centre.dec == pytest.approx(dec, abs=1e-9)
    if ra is not None:
        assert (centre.ra - ra + 180.0) % 360.0 - 180.0 == pytest.approx(0.0, abs=1e-9)


@given(
    st.floats(0.0, 359.0),
    st.floats(-89.0, 80.0),
    st.floats(1e-7, 9.0),
    st.sampled_from([Polygon, Range, Union]),
)
def test_bounding_circles_hold_the_corners(ra: float, dec: float, size: float, kind: type) -> None:
    corners = ((ra, dec), (ra, dec + size), ((ra + size) % 360.0, dec + size), ((ra + size) % 360.0, dec))
    region = {
        Polygon: normalise_delivered(Polygon(corners))[0],
        Range: Range(ra, (ra + size) % 360.0, dec, dec + size),
        Union: Union(tuple(Circle(*corner, size / 9.0) for corner in corners)),
    }[kind]
    circle = bounding_circle(region)
    gaps = separation(circle.ra, circle.dec, *zip(*corners, strict=True))
    assert (gaps <= circle.radius * (1.0 + 1e-12) + 1e-12).all()
    assert circle.radius < 1.5 * size


def test_a_moc_is_sorted_and_joined() -> None:
    assert normalise(MocRegion(((9, 12), (1, 3), (3, 5), (10, 11)))) == MocRegion(((1, 5), (9, 12)))
    with pytest.raises(RegionError):
        normalise(MocRegion(((3, 3),)))


def test_minus_zero_and_full_turns_become_zero() -> None:
    assert repr(normalise(Point(360.0, -0.0))) == "Point(ra=0.0, dec=0.0)"
