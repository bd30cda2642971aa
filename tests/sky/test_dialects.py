"""What dialects of FITS write that the standard does not know."""

import pytest

from sky.axes import spectral_range
from sky.regions import RegionError
from sky.wcs import celestial_footprint

TAN = {
    "NAXIS": 2,
    "NAXIS1": 32,
    "NAXIS2": 32,
    "CRVAL1": 150.0,
    "CRVAL2": -30.0,
    "CRPIX1": 16.0,
    "CRPIX2": 16.0,
    "CDELT1": -0.001,
    "CDELT2": 0.001,
}


@pytest.mark.parametrize("code", ["TNX", "ZPX", "TAB"])
def test_distortions_that_are_not_understood_give_no_footprint(code: str) -> None:
    header = {**TAN, "CTYPE1": f"RA---{code}", "CTYPE2": f"DEC--{code}", "PV2_1": 1.0}
    with pytest.raises(RegionError, match=f"RA---{code}"):
        celestial_footprint([header])


@pytest.mark.parametrize(
    ("unit", "per_degree"),
    [("arcsec", 3600.0), ("arcmin", 60.0), ("mas", 3.6e6), ("rad", 0.017453292519943295)],
)
def test_places_are_judged_in_degrees_whatever_their_unit(unit: str, per_degree: float) -> None:
    scaled = {
        "CUNIT1": unit,
        "CUNIT2": unit,
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CRVAL2": -30.0 * per_degree,
        "CDELT1": -0.001 * per_degree,
        "CDELT2": 0.001 * per_degree,
    }
    assert celestial_footprint([{**TAN, **scaled, "CRVAL1": 700.0 * per_degree}])
    with pytest.raises(RegionError, match="no place on the sky"):
        celestial_footprint([{**TAN, **scaled, "CRVAL1": 740.0 * per_degree}])


@pytest.mark.parametrize(
    ("kind", "unit", "value", "step", "metres"),
    [
        ("WAVE", "ANGSTROM", 5000.5, 1.0, 5e-7),
        ("WAVE", "angstrom", 5000.5, 1.0, 5e-7),
        ("WAVE", "NM", 500.5, 1.0, 5e-7),
        ("FREQ", "hz", 5e14 - 5e11, -1e12, 5.9958491600e-7),
        ("FREQ", "GHZ", 99.5, -1.0, 299792458.0 / 1e11),
        ("ENER", "KEV", 1.05, 0.1, 1.12712908e-9),
        ("VELO-LSR", "KM/S", 0.5, 1.0, 0.21),
        ("VRAD", "KM S-1", 0.5, 1.0, 0.21),
    ],
)
def test_units_in_letters_of_one_size_are_understood(
    kind: str, unit: str, value: float, step: float, metres: float
) -> None:
    header = {
        "NAXIS": 1,
        "NAXIS1": 1,
        "CTYPE1": kind,
        "CUNIT1": unit,
        "CRPIX1": 1.0,
        "RESTFRQ": 299792458.0 / 0.21,
    }
    found = spectral_range({**header, "CRVAL1": value, "CDELT1": step})
    assert found is not None
    assert min(abs(found.em_min / metres - 1.0), abs(found.em_max / metres - 1.0)) < 1e-6


def test_a_unit_that_is_right_as_written_is_left_alone() -> None:
    header = {
        "NAXIS": 1,
        "NAXIS1": 1,
        "CTYPE1": "FREQ",
        "CUNIT1": "mHz",
        "CRPIX1": 1.0,
        "CRVAL1": 1e6,
        "CDELT1": 1.0,
    }
    found = spectral_range(header)
    assert found is not None
    assert found.em_min == pytest.approx(299792.458, rel=1e-5)
