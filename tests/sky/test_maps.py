"""Maps of images, asked where they look and what they show."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sky.forms import Circle, RegionError
from sky.maps import sky_map
from sky.regions import SQUARE_DEGREES, area
from sky.relations import contains_points
from sky.vectors import unit_vectors

Plane = NDArray[np.float64]


class Disc:
    """An orthographic view of a hemisphere, ``radius`` pixels around ``middle``; notes where it is asked."""

    def __init__(self, middle: tuple[float, float], radius: float) -> None:
        self.middle, self.radius = middle, radius
        self.x, self.y = np.empty(0), np.empty(0)

    def __call__(self, x: Plane, y: Plane) -> Plane:
        self.x, self.y = np.append(self.x, x), np.append(self.y, y)
        across, up = (x - self.middle[0]) / self.radius, (y - self.middle[1]) / self.radius
        depth = 1.0 - across**2 - up**2
        seen = np.stack((np.sqrt(np.maximum(depth, 0.0)), -across, up), axis=-1)
        return np.where(depth[..., None] < 0.0, np.nan, seen)


sides = st.integers(1, 3000)


@settings(max_examples=8)
@given(sides, sides, st.floats(-0.5, 1.5), st.floats(-0.5, 1.5), st.sampled_from([0.2, 0.7, 3.0]))
def test_an_image_is_looked_at_up_to_its_borders_and_not_beyond(
    width: int, height: int, x: float, y: float, size: float
) -> None:
    view = Disc((width * x, height * y), size * max(width, height) + 1.0)
    try:
        sky_map(view, (width, height))
    except RegionError:
        assert np.hypot(view.x - view.middle[0], view.y - view.middle[1]).min() > view.radius
    for places, length in ((view.x, width), (view.y, height)):
        slack = 1e-9 * length
        assert -0.5 - slack <= places.min() <= -0.5 + slack
        assert length - 0.5 - slack <= places.max() <= length - 0.5 + slack


@pytest.mark.parametrize(
    ("middle", "radius"), [((49.5, 49.5), 36.0), ((42.3, 58.1), 30.7), ((50.0, 45.0), 38.99)]
)
def test_a_disc_is_mapped_up_to_its_limb(middle: tuple[float, float], radius: float) -> None:
    """Places on the very limb are in the map, wherever that cuts a box."""
    region, _ = sky_map(Disc(middle, radius), (100, 100))
    limb = np.linspace(-90.0, 90.0, 2000)
    assert contains_points(region, 90.0, limb).all()
    assert contains_points(region, 270.0, limb).all()
    assert 2.0 * np.pi < area(region) / SQUARE_DEGREES < 2.2 * np.pi


def test_an_image_of_everything_is_all_of_the_sky() -> None:
    def plate(x: Plane, y: Plane) -> Plane:
        return unit_vectors(x, y - 90.0)

    assert sky_map(plate, (361, 181)) == (Circle(0.0, 0.0, 180.0), 6)
