"""The drawing of the sky."""

from __future__ import annotations

import itertools
import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from archive.landing.skymap import HEIGHT, WIDTH, draw, mollweide

RA = st.floats(0, 360)
DEC = st.floats(-90, 90)


@given(RA, DEC)
def test_every_direction_is_on_the_map(ra: float, dec: float) -> None:
    x, y = mollweide(np.array([ra]), np.array([dec]))
    assert (2 * x[0] / WIDTH) ** 2 + (2 * y[0] / HEIGHT) ** 2 <= 1 + 1e-6


def test_known_places() -> None:
    x, y = mollweide(np.array([0.0, 90.0, 270.0, 0.0, 0.0]), np.array([0.0, 0.0, 0.0, 90.0, -90.0]))
    np.testing.assert_allclose(x, [0, -WIDTH / 4, WIDTH / 4, 0, 0], atol=1e-3)
    np.testing.assert_allclose(y, [0, 0, 0, -HEIGHT / 2, HEIGHT / 2], atol=1e-3)


def test_areas_are_equal() -> None:
    dec = np.degrees(np.arcsin(np.linspace(-0.999, 0.999, 40)))
    x, y = mollweide(np.full_like(dec, 180.0), dec)
    # Zones of equal area on the sky have equal areas on the map: width times height of thin zones.
    areas = np.abs(x[:-1] + x[1:]) * np.diff(-y)
    np.testing.assert_allclose(areas[5:-5] / areas[5:-5].mean(), 1, atol=0.01)


@given(st.dictionaries(st.integers(0, 12 * 4**5 - 1), st.integers(1, 10**6), max_size=40))
def test_every_cell_is_drawn_once_in_the_class_of_its_count(cells: dict[int, int]) -> None:
    drawn = draw(cells.items(), 5)
    assert sum(layer.path.count("M") for layer in drawn.layers) == len(cells)
    bounds = [(layer.low, layer.high) for layer in drawn.layers]
    assert bounds == sorted(bounds)
    assert [number for pair in bounds for number in pair] == sorted(
        number for pair in bounds for number in pair
    )
    if cells:
        assert (bounds[0][0], bounds[-1][1]) == (min(cells.values()), max(cells.values()))


def test_a_full_sky_is_drawn_coarser() -> None:
    drawn = draw(((cell, 1) for cell in range(12 * 4**5)), 5)
    assert sum(layer.path.count("M") for layer in drawn.layers) == 12 * 4**3
    assert drawn.layers[0].low == drawn.layers[0].high == 16


def test_lines_do_not_cross_the_map() -> None:
    drawn = draw([], 5)
    for segment in re.findall(r"L(\S+) \S+?(?=[ML]|$)", drawn.galactic):
        assert abs(float(segment)) <= WIDTH / 2
    points = [(kind, float(x)) for kind, x in re.findall(r"([ML])(\S+) ", drawn.galactic)]
    jumps = [abs(b[1] - a[1]) for a, b in itertools.pairwise(points) if b[0] == "L"]
    assert max(jumps) < WIDTH / 8
