"""Cells by plain arithmetic, against independent ones."""

import cdshealpix
import healpy
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sky.healpix import neighbourhoods, unit_vectors
from sky.nested import around, centres
from sky.vectors import angles

orders = st.integers(0, 29)


@given(st.data(), orders)
def test_centres_are_those_of_the_compiled_library(data: st.DataObject, order: int) -> None:
    number = data.draw(st.integers(0, 12 * 4**order - 1))
    lon, lat = centres(np.array([number]), order)
    theirs = cdshealpix.healpix_to_lonlat(np.array([number]), order)
    ours = unit_vectors(np.degrees(lon), np.degrees(lat))
    assert angles(ours, unit_vectors(*(angle.deg for angle in theirs)))[0] < 2e-15


def test_centres_of_all_cells_are_in_their_cells() -> None:
    for order in range(7):
        numbers = np.arange(12 * 4**order)
        lon, lat = centres(numbers, np.full(len(numbers), order))
        found = healpy.ang2pix(1 << order, np.degrees(lon), np.degrees(lat), nest=True, lonlat=True)
        assert np.array_equal(found, numbers)


@given(st.floats(0.0, 360.0), st.one_of(st.floats(-90.0, 90.0), st.floats(89.99, 90.0), st.just(0.0)), orders)
def test_what_is_around_a_position_is_its_cell_and_the_neighbours_of_that(
    ra: float, dec: float, order: int
) -> None:
    found = around(np.radians(ra), np.radians(dec), order)
    own = int(healpy.ang2pix(1 << order, ra, dec, nest=True, lonlat=True))
    if found is None:
        return
    # On a border rounding decides which of the cells that touch is meant.
    if not np.array_equal(found, neighbourhoods(np.array([own]), order)[0]):
        assert own in found
        lon, lat = healpy.pix2ang(1 << order, [own, *found], nest=True, lonlat=True)
        apart = angles(unit_vectors(ra, dec), unit_vectors(lon, lat))
        assert np.sort(apart[1:])[0] <= apart[0] * (1 + 1e-6) + 1e-15


def test_most_positions_have_all_their_cells_on_one_base_cell() -> None:
    rng = np.random.default_rng(1)
    places = np.radians(np.stack((rng.uniform(0, 360, 500), rng.uniform(-90, 90, 500)), axis=1))
    assert sum(around(lon, lat, 8) is not None for lon, lat in places.tolist()) > 470
