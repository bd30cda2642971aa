"""Laws of great-circle polygons, against plane geometry in the gnomonic projection."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sky import polygons
from sky.vectors import angles, perpendicular, unit, unit_vectors

Plane = NDArray[np.float64]

centres = st.one_of(
    st.tuples(st.floats(0.0, 360.0), st.floats(-90.0, 90.0)),
    st.sampled_from([(0.0, 90.0), (0.0, -90.0), (0.0, 0.0), (359.9999, 12.0), (180.0, 89.9999)]),
)
sizes = st.sampled_from([1e-7, 1e-4, 0.01, 0.5, 10.0, 60.0])
stars = st.lists(st.floats(0.15, 1.0), min_size=3, max_size=9)


def frame(ra: float, dec: float) -> tuple[Plane, Plane, Plane]:
    """Axes of a tangent plane, seen from inside: right-handed with the view outwards."""
    centre = unit_vectors(ra, dec)
    across = perpendicular(centre)
    return centre, across, np.cross(across, centre)


def star(ra: float, dec: float, size: float, spokes: list[float]) -> tuple[Plane, Plane]:
    """A star-shaped polygon counter-clockwise from inside: plane corners (k, 2) and vertices (1, k, 3)."""
    turn = np.arange(len(spokes)) / len(spokes) * 2.0 * np.pi + 0.3
    reach = np.tan(np.radians(size) * np.array(spokes))
    flat = np.stack((reach * np.cos(turn), reach * np.sin(turn)), axis=1)
    centre, x, y = frame(ra, dec)
    return flat, unit(centre + flat[:, :1] * x + flat[:, 1:] * y)[None]


def inside_plane(flat: Plane, x: Plane, y: Plane) -> NDArray[np.bool_]:
    """Crossing parity, the textbook way."""
    inside = np.zeros(x.shape, bool)
    for (x1, y1), (x2, y2) in zip(flat, np.roll(flat, -1, axis=0), strict=True):
        spans = (y1 > y) != (y2 > y)
        with np.errstate(divide="ignore", invalid="ignore"):
            inside ^= spans & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
    return inside


def clear_of_edges(flat: Plane, x: Plane, y: Plane, scale: float) -> NDArray[np.bool_]:
    clear = np.ones(x.shape, bool)
    for (x1, y1), (x2, y2) in zip(flat, np.roll(flat, -1, axis=0), strict=True):
        length2 = (x2 - x1) ** 2 + (y2 - y1) ** 2
        along = np.clip(((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / length2, 0.0, 1.0)
        gap = np.hypot(x - x1 - along * (x2 - x1), y - y1 - along * (y2 - y1))
        clear &= gap > max(1e-6 * scale, 4e-12)
    return clear


@given(centres, sizes, stars, st.integers(0, 2**32 - 1))
def test_sides_agree_with_plane_geometry(
    at: tuple[float, float], size: float, spokes: list[float], seed: int
) -> None:
    flat, vertices = star(*at, size, spokes)
    edges = polygons.Edges.of(vertices)
    scale = np.tan(np.radians(size))
    x, y = np.random.default_rng(seed).uniform(-1.3 * scale, 1.3 * scale, (2, 300))
    centre, across, up = frame(*at)
    points = unit(centre + x[:, None] * across + y[:, None] * up)
    depth = polygons.signed_distances(edges, points[None])[0]
    clear = clear_of_edges(flat, x, y, scale)
    assert np.array_equal((depth > 0.0)[clear], inside_plane(flat, x, y)[clear])
    assert (polygons.signed_distances(edges, -points[None]) < 0.0).all()


@given(centres, sizes, stars, st.integers(0, 2**32 - 1))
def test_the_reversed_polygon_is_the_complement(
    at: tuple[float, float], size: float, spokes: list[float], seed: int
) -> None:
    _, vertices = star(*at, size, spokes)
    forth, back = polygons.Edges.of(vertices), polygons.Edges.of(vertices[:, ::-1])
    points = unit(np.random.default_rng(seed).normal(size=(1, 100, 3)))
    near = unit(vertices[0, 0] + np.radians(size) * points)
    for probe in (points, near):
        assert np.allclose(
            polygons.signed_distances(forth, probe), -polygons.signed_distances(back, probe), atol=1e-14
        )
    assert not polygons.beyond_hemisphere(forth)[0]
    assert polygons.beyond_hemisphere(back)[0]
    both = polygons.areas(vertices, forth) + polygons.areas(vertices[:, ::-1], back)
    assert both == pytest.approx(4.0 * np.pi, rel=1e-12)


@given(centres, sizes, stars)
def test_area_agrees_with_a_sum_of_right_triangles(
    at: tuple[float, float], size: float, spokes: list[float]
) -> None:
    """Girard, triangle by triangle around the centre, by L'Huilier's formula."""
    _, vertices = star(*at, size, spokes)
    centre = unit_vectors(*at)
    a, b = angles(centre, vertices[0]), angles(centre, np.roll(vertices[0], -1, axis=0))
    c = angles(vertices[0], np.roll(vertices[0], -1, axis=0))
    s = (a + b + c) / 2.0
    product = np.tan(s / 2) * np.tan((s - a) / 2) * np.tan((s - b) / 2) * np.tan((s - c) / 2)
    expected = 4.0 * np.arctan(np.sqrt(np.maximum(product, 0.0))).sum()
    assert polygons.areas(vertices, polygons.Edges.of(vertices))[0] == pytest.approx(
        expected, rel=2e-6, abs=0.0
    )


@given(centres, st.floats(-8.0, -5.0), stars)
def test_tiny_areas_are_true_to_the_last_digits(
    at: tuple[float, float], size: float, spokes: list[float]
) -> None:
    """Against the flat polygon of the same vertices in rational numbers."""
    _, vertices = star(*at, 10.0**size, spokes)
    x, y, z = ([Fraction(value) for value in axis] for axis in vertices[0].T.tolist())
    volume = sum(
        x[0] * (y[i] * z[i + 1] - z[i] * y[i + 1])
        + y[0] * (z[i] * x[i + 1] - x[i] * z[i + 1])
        + z[0] * (x[i] * y[i + 1] - y[i] * x[i + 1])
        for i in range(1, len(x) - 1)
    )
    area = polygons.areas(vertices, polygons.Edges.of(vertices))[0]
    assert area == pytest.approx(abs(float(volume)) / 2.0, rel=1e-12, abs=0.0)


@given(centres, sizes, stars)
def test_the_centroid_is_the_mean_of_the_interior(
    at: tuple[float, float], size: float, spokes: list[float]
) -> None:
    """By quadrature in the tangent plane, where areas shrink with the cube of their distance from the eye."""
    flat, vertices = star(*at, size, spokes)
    roots, weights = np.polynomial.legendre.leggauss(24)
    far, along = np.meshgrid((1.0 + roots) / 2.0, (1.0 + roots) / 2.0)
    near, after = flat[:, None, None], np.roll(flat, -1, axis=0)[:, None, None]
    places = far[..., None] * ((1.0 - along[..., None]) * near + along[..., None] * after)
    spread = near[..., 0] * after[..., 1] - near[..., 1] * after[..., 0]
    share = np.outer(weights, weights) * far * spread / (1.0 + (places**2).sum(axis=-1)) ** 2
    level, mean = share.sum(), (share[..., None] * places).sum(axis=(0, 1, 2))
    centre, across, up = frame(*at)
    expected = unit(level * centre + mean[0] * across + mean[1] * up)
    found = polygons.centroids(vertices, polygons.Edges.of(vertices))[0]
    assert angles(found, expected) < 1e-4 * np.radians(size)
    if size > 0.1:
        back = vertices[:, ::-1]
        assert angles(polygons.centroids(back, polygons.Edges.of(back))[0], -expected) < 1e-9


def test_an_octant_has_an_eighth_of_the_sphere() -> None:
    vertices = unit_vectors([0.0, 0.0, 90.0], [0.0, 90.0, 0.0])[None]
    edges = polygons.Edges.of(vertices)
    area = polygons.areas(vertices, edges)[0]
    assert min(area, 4.0 * np.pi - area) == pytest.approx(np.pi / 2.0, rel=1e-14)
    assert np.allclose(np.abs(polygons.centroids(vertices, edges)), 1.0 / np.sqrt(3.0))


@given(centres, sizes, stars)
def test_caps_hold_the_vertices_and_the_centroid_direction_is_close(
    at: tuple[float, float], size: float, spokes: list[float]
) -> None:
    _, vertices = star(*at, size, spokes)
    centre, radius = polygons.bounding_caps(vertices, polygons.Edges.of(vertices))
    assert (angles(vertices[0], centre) <= radius[0] + 1e-12).all()
    assert radius[0] <= 2.0 * np.radians(size)


@given(centres, st.sampled_from([1e-6, 0.01, 1.0, 40.0]), st.permutations(range(6)))
def test_crossing_polygons_are_told_from_simple_ones(
    at: tuple[float, float], size: float, order: list[int]
) -> None:
    """A convex hexagon visited out of order crosses itself, unless the order is a rotation or its reverse."""
    _, vertices = star(*at, size, [1.0] * 6)
    shuffled = vertices[:, order]
    steps = {(b - a) % 6 for a, b in zip(order, [*order[1:], order[0]], strict=True)}
    simple = steps in ({1}, {5})
    verdict = polygons.verdicts(shuffled, polygons.Edges.of(shuffled))[0]
    assert (verdict == polygons.SOUND) == simple
    if polygons.plainly_convex(shuffled, polygons.Edges.of(shuffled))[0]:
        assert simple


@given(
    centres,
    st.floats(-8.0, -1.0),
    st.lists(st.tuples(st.floats(-9.0, 0.0), st.floats(-1.0, 1.0)), min_size=1, max_size=3),
)
@example((0.0, 0.0), -7.99, [(-4.1, 1.0)])
@example((0.0, 0.0), -7.99, [(-4.1, 0.5)])
def test_needles_are_never_taken_unseen(
    at: tuple[float, float], size: float, bends: list[tuple[float, float]]
) -> None:
    """What is plainly convex is sound, also where corners lie almost, or quite, on the line between two."""
    centre, across, up = frame(*at)
    corners = [
        10.0**size * np.array([share, width * 10.0**flatness])
        for width, (flatness, share) in zip((1.0, 0.9, 0.8), bends, strict=False)
    ]
    flat = np.array([[-1.0, 0.0], [1.0, 0.0]]) * 10.0**size
    flat = np.concatenate((flat, sorted(corners, key=lambda corner: -corner[0])))
    vertices = unit(centre + flat[:, :1] * across + flat[:, 1:] * up)[None]
    edges = polygons.Edges.of(vertices)
    if polygons.plainly_convex(vertices, edges)[0]:
        assert polygons.verdicts(vertices, edges)[0] == polygons.SOUND


def test_a_corner_on_the_line_between_two_others_is_no_needle() -> None:
    vertices = unit_vectors([0.0, 1.0, 2.0, 2.0], [0.0, -1e-5, 0.0, 2.0])[None]
    assert polygons.plainly_convex(vertices, polygons.Edges.of(vertices))[0]


@pytest.mark.parametrize(
    ("corners", "verdict"),
    [
        ([(0, 0), (2, 0), (4, 0)], polygons.DEGENERATE),
        ([(0, 0), (4, 0), (2, 0), (2, 2)], polygons.DEGENERATE),
        ([(0, 0), (4, 0), (4, 4), (2, 0), (0, 4)], polygons.CROSSING),
        ([(0, 0), (0, 2), (2, 0), (2, 2)], polygons.CROSSING),
        ([(0, 0), (180, 0), (90, 60)], polygons.ANTIPODAL),
        ([(0, 0), (2, 0), (2, 2), (0, 2)], polygons.SOUND),
        ([(0, 0), (1, 0), (2, 0), (2, 2)], polygons.SOUND),
    ],
)
def test_verdicts(corners: list[tuple[float, float]], verdict: int) -> None:
    vertices = unit_vectors(*np.array(corners, float).T)[None]
    assert polygons.verdicts(vertices, polygons.Edges.of(vertices))[0] == verdict


@settings(max_examples=30)
@given(stars, stars, st.floats(-1.5, 1.5), st.floats(-1.5, 1.5))
def test_edges_cross_as_segments_of_the_plane_do(
    one: list[float], two: list[float], shift_x: float, shift_y: float
) -> None:
    flat_1, vertices_1 = star(10.0, 20.0, 5.0, one)
    flat_2 = star(10.0, 20.0, 5.0, two)[0] + np.tan(np.radians(5.0)) * np.array([shift_x, shift_y])
    centre, x, y = frame(10.0, 20.0)
    vertices_2 = unit(centre + flat_2[:, :1] * x + flat_2[:, 1:] * y)[None]
    seen = polygons.edges_cross(polygons.Edges.of(vertices_1), polygons.Edges.of(vertices_2))[0]

    def side(p: Plane, q: Plane, r: Plane) -> float:
        return float((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]))

    opposite = polygons.edges_cross(polygons.Edges.of(vertices_1), polygons.Edges.of(-vertices_2))[0]
    for i in range(len(flat_1)):
        for j in range(len(flat_2)):
            a, b, c, d = flat_1[i], flat_1[(i + 1) % len(flat_1)], flat_2[j], flat_2[(j + 1) % len(flat_2)]
            signs = side(a, b, c), side(a, b, d), side(c, d, a), side(c, d, b)
            if min(abs(sign) for sign in signs) > 1e-12:
                assert seen[i, j] == (signs[0] * signs[1] < 0.0 and signs[2] * signs[3] < 0.0)
                assert not opposite[i, j]
