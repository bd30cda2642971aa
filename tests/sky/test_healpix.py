"""Cells against an independent HEALPix, and the bounds that coverage rests on."""

import cdshealpix
import healpy
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sky.healpix import cell_centres, cell_radii, cells, chord2, neighbourhoods, separation, unit_vectors
from sky.vectors import angles, crosses, perpendicular, positions

ras, decs = st.floats(0.0, 360.0, exclude_max=True), st.floats(-90.0, 90.0)


@given(ras, decs, st.integers(0, 29))
def test_cells_are_those_of_healpy(ra: float, dec: float, order: int) -> None:
    ours = int(cells(ra, dec, order))
    theirs = int(healpy.ang2pix(1 << order, ra, dec, nest=True, lonlat=True))
    # On a border rounding decides; then the cells touch.
    assert ours == theirs or theirs in neighbourhoods(np.array([ours]), order)
    if ours != theirs:
        lon, lat = healpy.pix2ang(1 << order, [ours, theirs], nest=True, lonlat=True)
        gap = separation(ra, dec, lon, lat)
        assert gap[0] == pytest.approx(gap[1], rel=0.5)


def test_positions_that_are_none_get_minus_one() -> None:
    found = cells([0.0, np.nan, 10.0, np.inf, 10.0], [0.0, 0.0, np.nan, 0.0, 91.0])
    assert found[0] >= 0
    assert found[1:].tolist() == [-1, -1, -1, -1]


@given(ras, decs)
def test_right_ascension_wraps(ra: float, dec: float) -> None:
    assert abs(int(cells(ra, dec, 12)) - int(cells(ra - 360.0, dec, 12))) >= 0
    assert int(cells(ra - 360.0, dec, 3)) in neighbourhoods(np.array([int(cells(ra, dec, 3))]), 3)


@pytest.mark.parametrize("order", [0, 1, 2, 3, 4, 5, 6, 7])
def test_no_cell_reaches_beyond_its_bound(order: int) -> None:
    numbers = np.arange(12 << (2 * order))
    ra, dec = cell_centres(numbers, order)
    lon, lat = cdshealpix.vertices(numbers, order, step=3)
    reach = angles(unit_vectors(lon.deg, lat.deg), unit_vectors(ra, dec)[:, None]).max(axis=1)
    bound = cell_radii(order, ra, dec)
    assert (reach < bound).all()
    assert (bound < 2.0 * reach).all()


@given(ras, decs, st.integers(8, 29))
def test_a_position_is_within_its_cells_bound(ra: float, dec: float, order: int) -> None:
    number = cells(ra, dec, order)
    centre_ra, centre_dec = cell_centres(number, order)
    reach = angles(unit_vectors(ra, dec), unit_vectors(centre_ra, centre_dec))
    assert reach <= cell_radii(order, centre_ra, centre_dec)


@given(ras, decs, st.integers(0, 27), st.floats(0.0, 2.0 * np.pi))
def test_a_small_cap_stays_in_the_neighbourhood(ra: float, dec: float, order: int, turn: float) -> None:
    centre = unit_vectors([ra], [dec])
    across = perpendicular(centre)
    radius = 0.70 / (1 << order)
    rim = np.cos(radius) * centre + np.sin(radius) * (
        np.cos(turn) * across + np.sin(turn) * crosses(centre, across)
    )
    home = neighbourhoods(cells([ra], [dec], order), order)[0]
    assert int(cells(*positions(rim), order)[0]) in home


@given(ras, decs, st.floats(1e-9, 179.0), st.floats(0.0, 2.0 * np.pi))
def test_chords_and_separations_measure_the_same_cone(
    ra: float, dec: float, radius: float, turn: float
) -> None:
    centre = unit_vectors(ra, dec)
    across = perpendicular(centre[None])[0]
    rim = np.cos(np.radians(radius)) * centre + np.sin(np.radians(radius)) * (
        np.cos(turn) * across + np.sin(turn) * np.cross(centre, across)
    )
    squared = ((centre - rim) ** 2).sum()
    assert squared == pytest.approx(chord2(radius), rel=1e-9, abs=1e-22)
    rim_ra, rim_dec = positions(rim)
    assert separation(ra, dec, rim_ra, rim_dec) == pytest.approx(radius, rel=1e-9, abs=2e-13)


def test_chords_are_clipped_to_the_sphere() -> None:
    assert chord2(0.0) == 0.0
    assert chord2(-1.0) == 0.0
    assert chord2(180.0) == pytest.approx(4.0)
    assert chord2(500.0) == pytest.approx(4.0)
