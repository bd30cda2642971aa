from collections.abc import Callable

import pytest
from astropy import units as u
from astropy.coordinates import FK4, FK5, SkyCoord
from hypothesis import given
from hypothesis import strategies as st

from instruments import FileHeaders
from instruments.position import Position, footprint, pointing, position_columns, turned
from sky.regions import Polygon
from sky.text import parse_region

Make = Callable[..., FileHeaders]
TAN = {
    "CTYPE1": "RA---TAN",
    "CTYPE2": "DEC--TAN",
    "CRVAL1": 63.355,
    "CRVAL2": 10.466,
    "CRPIX1": 50.5,
    "CRPIX2": 25.5,
    "CD1_1": -1e-3,
    "CD1_2": 0.0,
    "CD2_1": 0.0,
    "CD2_2": 1e-3,
}


def columns(headers: FileHeaders) -> dict[str, object]:
    return dict(position_columns(headers, footprint(headers)))


def test_a_celestial_wcs_gives_the_footprint(make: Make) -> None:
    found = columns(make(TAN))
    assert found["s_ra"] == pytest.approx(63.355)
    assert found["s_dec"] == pytest.approx(10.466)
    assert found["s_pixel_scale"] == pytest.approx(3.6)
    assert (found["s_xel1"], found["s_xel2"]) == (100, 50)
    assert found["s_fov"] == pytest.approx((0.1**2 + 0.05**2) ** 0.5, rel=1e-4)
    assert isinstance(parse_region(str(found["s_region"])), Polygon)


def test_the_footprint_counts_before_the_pointing(make: Make) -> None:
    assert columns(make({**TAN, "RA": 10.0, "DEC": 10.0}))["s_ra"] == pytest.approx(63.355)


def test_several_images_give_a_union(make: Make) -> None:
    found = columns(make({}, TAN, {**TAN, "CRVAL1": 63.8}))
    assert str(found["s_region"]).startswith("UNION ICRS (POLYGON")
    assert 63.355 < float(str(found["s_ra"])) < 63.8


def test_planes_with_the_same_outline_count_once(make: Make) -> None:
    assert str(columns(make({}, TAN, TAN))["s_region"]).startswith("POLYGON")


def test_a_pointing_alone_is_a_position(make: Make) -> None:
    found = columns(make({"RA": 349.60397, "DEC": -42.37058, "EQUINOX": 2000.0}))
    assert found["s_region"] == "POSITION ICRS 349.60397 -42.37058"
    assert (found["s_ra"], found["s_dec"]) == (349.60397, -42.37058)
    assert "s_fov" not in found


@pytest.mark.parametrize(
    "cards",
    [
        {"RA": 400.0, "DEC": 10.0},
        {"RA": 1117.786, "DEC": 513.45},
        {"RA": 10.0, "DEC": -90.5},
        {"RA": 0.0, "DEC": 0.0},
        {"RA": " 0:00:00.00", "DEC": " 0:00:00.00"},
        {"RA": 10.0},
        {"RA": "null", "DEC": "null"},
        {"RA": "12:61:00", "DEC": "10:00:00"},
        {"RA": True, "DEC": 1.0},
        {"RA": 10.0, "DEC": 10.0, "RADESYS": "GALACTIC"},
        {"RA": 10.0, "DEC": 10.0, "EQUINOX": 1.0e9},
    ],
)
def test_what_is_no_position_is_left_out(cards: dict[str, object], make: Make) -> None:
    assert columns(make(cards)) == {}


@pytest.mark.parametrize(
    "cards",
    [
        {"RA": "13:11:33.59", "DEC": "-01:20:05.5"},
        {"RA": "13 11 33.59", "DEC": "-1 20 5.5"},
        {"RA": 197.8899583, "DEC": -1.3348611},
        {"RA": "197.8899583", "DEC": "-1.3348611"},
        {"RA": (13.19266389, "RA of catalog, float hours"), "DEC": -1.3348611},
        {"RA": (3.453831329, "[rad]"), "DEC": (-0.0232977211, "[rad]")},
    ],
)
def test_angles_are_read_as_they_are_written(cards: dict[str, object], make: Make) -> None:
    found = pointing(make(cards))
    assert found is not None
    assert found.ra == pytest.approx(197.8899583, abs=1e-6)
    assert found.dec == pytest.approx(-1.3348611, abs=1e-6)


def test_minus_zero_degrees_are_south(make: Make) -> None:
    found = pointing(make({"RA": "01:00:00", "DEC": "-00:30:00"}))
    assert found == Position(15.0, -0.5)


@pytest.mark.parametrize(
    "cards", [{"EQUINOX": 1950.0}, {"EQUINOX": "B1950"}, {"EPOCH": 1950.0, "RADECSYS": "FK4"}]
)
def test_b1950_becomes_icrs(cards: dict[str, object], make: Make) -> None:
    found = pointing(make({"RA": 83.0, "DEC": -5.0, **cards}))
    true = SkyCoord(83.0 * u.deg, -5.0 * u.deg, frame=FK4(equinox="B1950", obstime="B1950")).icrs
    assert found is not None
    assert true.separation(SkyCoord(found.ra * u.deg, found.dec * u.deg)) < 0.5 * u.arcsec


def test_an_equinox_of_date_is_precessed(make: Make) -> None:
    found = pointing(make({"RA": 83.0, "DEC": -5.0, "EQUINOX": 2015.5, "RADECSYS": "FK5"}))
    true = SkyCoord(83.0 * u.deg, -5.0 * u.deg, frame=FK5(equinox="J2015.5")).icrs
    assert found is not None
    assert true.separation(SkyCoord(found.ra * u.deg, found.dec * u.deg)) < 0.1 * u.arcsec


def test_an_absurd_wcs_falls_back_to_the_pointing(make: Make) -> None:
    headers = make({**TAN, "CRVAL2": 172.2, "RA": 10.0, "DEC": 20.0})
    assert columns(headers)["s_region"] == "POSITION ICRS 10.0 20.0"
    assert headers.all_warnings()[0].startswith("WCS: ")


def test_axes_without_reference_value_are_nowhere(make: Make) -> None:
    headers = make({key: value for key, value in TAN.items() if not key.startswith("CRVAL")})
    assert columns(headers) == {}
    assert headers.all_warnings() == ("WCS: axis RA---TAN has no CRVAL1",)


@given(ra=st.floats(0, 360, exclude_max=True), dec=st.floats(-89.9, 89.9))
def test_other_frames_agree_with_astropy(ra: float, dec: float) -> None:
    true = SkyCoord(ra * u.deg, dec * u.deg)
    lon, lat = turned(Position(ra, dec), "GALACTIC")
    assert true.galactic.separation(SkyCoord(lon * u.deg, lat * u.deg, frame="galactic")) < 1 * u.mas
    lon, lat = turned(Position(ra, dec), "ECLIPTIC")
    ecliptic = true.barycentricmeanecliptic
    there = SkyCoord(lon * u.deg, lat * u.deg, frame="barycentricmeanecliptic")
    assert ecliptic.separation(there) < 1 * u.mas


@pytest.mark.parametrize("sidereal", [18.2173, 65582.4])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_sidereal_time_and_hour_angle_tell_hours_from_degrees(
    sidereal: float, sign: float, make: Make
) -> None:
    cards = {"RA": 19.07489, "DEC": -37.276, "HA": sign * 0.85756, "ST": sidereal}
    here = pointing(make(cards))
    assert here is not None
    assert here.ra == pytest.approx(286.12335)
    for unclear in ({"HA": None}, {"ST": None}, {"HA": 3.0}, {"HA": 18.2173 - 19.07489 / 15.0}):
        here = pointing(make({**cards, **unclear}))
        assert here is not None
        assert here.ra == pytest.approx(19.07489)
