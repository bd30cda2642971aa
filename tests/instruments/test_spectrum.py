from collections.abc import Callable
from typing import Any

import pytest

from instruments import FileHeaders
from instruments.spectrum import polarisation_columns, spectral_axis, spectral_columns

Make = Callable[..., FileHeaders]
LINE = {"NAXIS": 1, "NAXIS1": 1000, "NAXIS2": None, "CRPIX1": 1.0, "CRVAL1": 4000.0, "CDELT1": 1.0}


def spectral(headers: FileHeaders) -> dict[str, Any]:
    return dict(spectral_columns(spectral_axis(headers)))


@pytest.mark.parametrize(
    "named",
    [
        {"CTYPE1": "WAVE", "CUNIT1": "Angstrom"},
        {"CTYPE1": "AWAV", "CUNIT1": "Angstrom"},
        {"CTYPE1": "LINEAR", "CUNIT1": "Angstrom"},
        {"CTYPE1": "WAVELENGTH [A]"},
        {"CTYPE1": "LINEAR", "WAT1_001": "wtype=linear label=Wavelength units=angstroms"},
    ],
)
def test_wavelengths_are_known_by_the_dialects_that_name_them(named: dict[str, object], make: Make) -> None:
    found = spectral(make({**LINE, **named}))
    assert found["em_min"] == pytest.approx(3999.5e-10)
    assert found["em_max"] == pytest.approx(4999.5e-10)
    assert found["em_xel"] == 1000
    assert found["em_ucd"] == "em.wl"
    assert found["em_unit"] == "Angstrom"


@pytest.mark.parametrize("named", [{}, {"CTYPE1": "LINEAR"}, {"CTYPE1": "PIXEL"}, {"CTYPE1": "DISTANCE"}])
def test_an_axis_without_name_or_unit_is_not_spectral(named: dict[str, object], make: Make) -> None:
    assert spectral(make({**LINE, **named})) == {}


def test_a_velocity_without_rest_frequency_is_left_out_with_a_word(make: Make) -> None:
    headers = make({**LINE, "CTYPE1": "VELO"})
    assert spectral(headers) == {}
    assert headers.all_warnings()[0].startswith("spectral axis: ")


def test_a_frequency_axis_becomes_wavelengths(make: Make) -> None:
    found = spectral(make({**LINE, "CTYPE1": "FREQ", "CUNIT1": "Hz", "CRVAL1": 1.4e9, "CDELT1": 1e3}))
    assert found["em_min"] < found["em_max"] == pytest.approx(0.2141, abs=1e-4)
    assert found["em_ucd"] == "em.freq"


def test_a_stokes_axis_gives_the_polarisation_states(make: Make) -> None:
    headers = make({"NAXIS": 3, "NAXIS3": 4, "CTYPE3": "STOKES", "CRVAL3": 1.0, "CRPIX3": 1.0, "CDELT3": 1.0})
    assert polarisation_columns(headers) == {"pol_states": "/I/Q/U/V/", "pol_xel": 4}
    assert polarisation_columns(make({})) == {}


@pytest.mark.parametrize(
    ("kind", "ucd"),
    [
        ("VRAD", "spect.dopplerVeloc.radio"),
        ("VOPT", "spect.dopplerVeloc.opt"),
        ("VELO", "spect.dopplerVeloc"),
    ],
)
def test_an_axis_of_velocities_is_labelled_as_one(kind: str, ucd: str, make: Make) -> None:
    found = spectral(make({**LINE, "CTYPE1": kind, "CUNIT1": "m/s", "RESTFRQ": 1.42e9}))
    assert (found["em_ucd"], found["em_unit"]) == (ucd, "m/s")
    assert found["em_min"] == pytest.approx(0.2111, rel=1e-3)


def test_a_slit_with_axes_of_the_sky_is_a_spectrum(observe: Callable[..., dict[str, Any]]) -> None:
    cards = {
        "NAXIS": 2, "NAXIS1": 500, "NAXIS2": 40, "WCSAXES": 3,
        "CTYPE1": "WAVE", "CUNIT1": "m", "CRVAL1": 5e-7, "CDELT1": 1e-10, "CRPIX1": 1.0,
        "CTYPE2": "RA---TAN", "CRVAL2": 10.0, "CDELT2": 1e-3, "CRPIX2": 20.0,
        "CTYPE3": "DEC--TAN", "CRVAL3": 10.0, "CDELT3": 1e-3, "CRPIX3": 1.0,
    }  # fmt: skip
    row = observe(cards)
    assert (row["dataproduct_type"], row["s_xel1"], row["s_xel2"], row["em_xel"]) == ("spectrum", 40, 1, 500)
    assert observe({**cards, "NAXIS": 3, "NAXIS3": 2})["dataproduct_type"] == "cube"
