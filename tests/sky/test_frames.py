"""Frames against astropy, names as STC-S and ADQL use them."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given
from hypothesis import strategies as st

from sky.frames import from_icrs, to_icrs
from sky.regions import RegionError
from sky.vectors import separation

lons, lats = st.floats(0.0, 360.0), st.floats(-90.0, 90.0)


@pytest.mark.parametrize("name", ["", None, "''", "ICRS", "icrs", "J2000", "FK5", " fk5 ", "UNKNOWNFRAME"])
def test_names_that_mean_icrs(name: str | None) -> None:
    ra, dec = to_icrs([10.0, 370.0], [20.0, -20.0], name)
    assert ra.tolist() == [10.0, 10.0]
    assert dec.tolist() == [20.0, -20.0]


@pytest.mark.parametrize(
    ("name", "frame"),
    [
        ("GALACTIC", "galactic"),
        ("galactic_ii", "galactic"),
        ("ECLIPTIC", "barycentricmeanecliptic"),
        ("B1950", "fk4"),
    ],
)
@given(lon=lons, lat=lats)
def test_positions_agree_with_astropy(name: str, frame: str, lon: float, lat: float) -> None:
    expected = SkyCoord(lon * u.deg, lat * u.deg, frame=frame).icrs
    ra, dec = to_icrs(lon, lat, name)
    assert separation(ra, dec, expected.ra.deg, expected.dec.deg) < 1e-9
    back = from_icrs(ra, dec, name)
    assert separation(*back, lon, lat) < 2e-6


@given(lon=lons, lat=lats, year=st.floats(1850.0, 2100.0))
def test_equinoxes_count(lon: float, lat: float, year: float) -> None:
    expected = SkyCoord(lon * u.deg, lat * u.deg, frame="fk5", equinox=f"J{year}").icrs
    assert separation(*to_icrs(lon, lat, "FK5", equinox=year), expected.ra.deg, expected.dec.deg) < 1e-4 / 3.6


def test_what_is_no_position_stays_none() -> None:
    ra, dec = to_icrs([np.nan, 1.0, 2.0], [0.0, np.inf, 95.0], "GALACTIC")
    assert np.isnan(ra).all()
    assert np.isnan(dec).all()


def test_unknown_frames_are_refused_by_name() -> None:
    with pytest.raises(RegionError, match="AZ_EL"):
        to_icrs(1.0, 2.0, "AZ_EL")
    with pytest.raises(RegionError, match="AZ_EL"):
        from_icrs(1.0, 2.0, "AZ_EL")
