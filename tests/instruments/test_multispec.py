from collections.abc import Callable
from typing import Any

import pytest

from instruments import FileHeaders
from instruments.spectrum import spectral_axis, spectral_columns

Make = Callable[..., FileHeaders]


def cards(*spectra: str, units: str = "units=angstroms", shape: tuple[int, int] = (200, 3)) -> dict[str, Any]:
    """Return the cards IRAF writes; texts go on in the next card after 68 characters."""
    text = "wtype=multispec " + " ".join(f'spec{n} = "{said}"' for n, said in enumerate(spectra, start=1))
    lines = {f"WAT2_{n + 1:03d}": text[n * 68 : n * 68 + 68].rstrip() for n in range(len(text) // 68 + 1)}
    return {
        "NAXIS1": shape[0],
        "NAXIS2": shape[1],
        "CTYPE1": "MULTISPE",
        "CTYPE2": "MULTISPE",
        "CDELT1": 1.0,
        "WAT1_001": f"wtype=multispec label=Wavelength {units}",
        **lines,
    }


def test_linear_spectra_cover_from_the_first_pixels_edge_to_the_lasts(make: Make) -> None:
    found = spectral_axis(
        make(
            cards(
                "1 1 0 4000. 2. 200 0. 10. 20.",
                "2 2 0 4500. 2. 200 0. 20. 30.",
                "3 3 0 5000. 2. 200 0. 30. 40.",
            )
        )
    )
    assert spectral_columns(found) == {
        "em_min": pytest.approx(3999e-10),
        "em_max": pytest.approx(5399e-10),
        "em_xel": 200,
        "em_ucd": "em.wl",
        "em_unit": "Angstrom",
    }


def test_logarithmic_spectra_are_powers_of_ten(make: Make) -> None:
    found = spectral_axis(make(cards("1 1 1 3.6 0.0001 200 0. 10. 20.")))
    assert found is not None
    assert found.axis.em_min == pytest.approx(10.0**3.59995 * 1e-10)
    assert found.axis.em_max == pytest.approx(10.0**3.61995 * 1e-10)


def test_the_doppler_factor_is_taken_out(make: Make) -> None:
    found = spectral_axis(make(cards("1 1 0 4400. 2. 200 0.1 10. 20.")))
    assert found is not None
    assert found.axis.em_min == pytest.approx(4399e-10 / 1.1)


def test_falling_wavelengths_are_a_range_all_the_same(make: Make) -> None:
    found = spectral_axis(make(cards("1 1 0 5000. -2. 200 0. 10. 20.")))
    assert found is not None
    assert found.axis.em_min < found.axis.em_max == pytest.approx(5001e-10)


@pytest.mark.parametrize(
    ("said", "units", "why"),
    [
        ("1 1 2 4000. 2. 200 0. 1. 2. 1. 0. 1 3 1. 200. 4200. 200. 3.", "units=angstroms", "not linear"),
        ("1 1 -1 1. 1. 200 0. 1. 2.", "units=angstroms", "not linear"),
        ("1 1 0 4000. 2. 200 0. 1. 2.", "", "no unit"),
        ("1 1 0 4000. 2. 200 0. 1. 2.", "units=furlongs", "not known"),
        ("1 1 0 4000. 2. 200 0. 1. 2.", "units=Hz", "not one of wavelengths"),
        ("1 1 0 4000. 2.", "units=angstroms", "cannot be read"),
        ("1 1 0 x 2. 200 0. 1. 2.", "units=angstroms", "cannot be read"),
        ("1 1 0 4000. 0. 200 0. 1. 2.", "units=angstroms", "makes no sense"),
        ("1 1 0 4000. 2. 200 -1. 1. 2.", "units=angstroms", "makes no sense"),
        ("1 1 1 4000. 2. 200 0. 1. 2.", "units=angstroms", "makes no sense"),
        ("1 1 0 NaN 2. 200 0. 1. 2.", "units=angstroms", "makes no sense"),
        ("1 1 0 4000. 2. 1e999 0. 1. 2.", "units=angstroms", "makes no sense"),
        ("1 1 0 -4000. 2. 200 0. 1. 2.", "units=angstroms", "make no sense"),
    ],
)
def test_what_is_not_understood_gives_no_wavelengths_and_says_so(
    said: str, units: str, why: str, make: Make
) -> None:
    headers = make(cards(said, units=units))
    assert spectral_axis(headers) is None
    assert any(why in text for text in headers.all_warnings())


def test_a_header_without_dispersion_says_so(make: Make) -> None:
    headers = make({**cards(), "WAT2_001": "wtype=multispec"})
    assert spectral_axis(headers) is None
    assert headers.all_warnings() == ("spectral axis: the multispec axis has no dispersion",)
