"""Spectral, polarisation and time axes, from cards alone."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sky.axes import LIGHT, PLANCK, pol_states, spectral_range, time_range
from sky.regions import RegionError

KEV = 1.602176634e-16
"""A kiloelectronvolt [J]."""


def spectrum(kind: str, unit: str, start: float, step: float, **more: Any) -> dict[str, Any]:
    return {
        "NAXIS": 1, "NAXIS1": 100, "CTYPE1": kind, "CUNIT1": unit, "CRVAL1": start, "CDELT1": step,
        "CRPIX1": 1.0,
    } | more  # fmt: skip


@pytest.mark.parametrize(
    ("cards", "low", "high"),
    [
        (spectrum("WAVE", "m", 5e-7, 1e-10), 5e-7 - 5e-11, 5e-7 + 99.5e-10),
        (spectrum("AWAV", "Angstrom", 4750.0, 1.25), 4749.375e-10, 4874.375e-10),
        (spectrum("LAMBDA", "Angstroms", 4750.0, 1.25), 4749.375e-10, 4874.375e-10),
        (spectrum("LINEAR", "nm", 300.0, 0.1), 299.95e-9, 309.95e-9),
        (spectrum("WAVE", "um", 2.0, -0.001), 1.9005e-6, 2.0005e-6),
        (spectrum("FREQ", "GHz", 300.0, 1.0), LIGHT / 399.5e9, LIGHT / 299.5e9),
        (spectrum("ENER", "keV", 1.0, 0.1), PLANCK * LIGHT / (10.95 * KEV), PLANCK * LIGHT / (0.95 * KEV)),
        (spectrum("WAVN", "1/m", 1e5, 1e3), 1.0 / 199500.0, 1.0 / 99500.0),
        (spectrum("VRAD", "km/s", 0.0, 1.0, RESTFRQ=LIGHT), 1 / (1 + 500 / LIGHT), 1 / (1 - 99500 / LIGHT)),
        (spectrum("VOPT", "m/s", 0.0, 1.0, RESTWAV=2.0), 2.0 * (1 - 0.5 / LIGHT), 2.0 * (1 + 99.5 / LIGHT)),
        (spectrum("ZOPT", "", 0.0, 0.01, RESTWAV=1e-6), 0.995e-6, 1.995e-6),
        # At six tenths of the speed of light, wavelengths double.
        (spectrum("BETA", "", -0.594, 0.012, RESTWAV=1e-6), 0.5e-6, 2e-6),
        (spectrum("VELO", "m/s", -0.594 * LIGHT, 0.012 * LIGHT, RESTWAV=1e-6), 0.5e-6, 2e-6),
        (spectrum("LAMBDA", "Angstrom", 3.0, 0.001, **{"DC-FLAG": 1}), 10**-7.0005, 10**-6.9005),
    ],
)  # fmt: skip
def test_edges_of_the_first_and_last_pixel_in_metres(cards: dict[str, Any], low: float, high: float) -> None:
    found = spectral_range(cards)
    assert found is not None
    assert (found.em_min, found.em_max) == (
        pytest.approx(low, rel=1e-9, abs=0.0),
        pytest.approx(high, rel=1e-9, abs=0.0),
    )
    assert found.em_xel == 100


def test_a_cube_has_its_own_step_and_length() -> None:
    cards = {
        "NAXIS": 3, "NAXIS3": 3681, "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CTYPE3": "AWAV",
        "CUNIT3": "Angstrom", "CRVAL3": 4750.0, "CRPIX3": 1.0, "CD3_3": 1.25,
    }  # fmt: skip
    found = spectral_range(cards)
    assert found is not None
    assert (found.em_min, found.em_xel) == (pytest.approx(4749.375e-10), 3681)
    shorter = spectral_range(cards, (10, 40, 40))
    assert shorter is not None
    assert shorter.em_xel == 10


def test_logarithmic_axes_grow_by_ratio() -> None:
    found = spectral_range(spectrum("WAVE-LOG", "m", 3e-7, 1e-10))
    assert found is not None
    assert found.em_max / found.em_min == pytest.approx(2.718281828459045 ** (100 * 1e-10 / 3e-7), rel=1e-9)


@pytest.mark.parametrize(
    ("cards", "word"),
    [
        (spectrum("VRAD", "m/s", 0.0, 1.0), "no rest frequency"),
        (spectrum("VELO", "m/s", 0.0, 1.0, RESTFRQ=0.0), "no rest frequency"),
        (spectrum("WAVE-TAB", "m", 0.0, 1.0), "table"),
        (spectrum("WAVE", "furlong", 1.0, 1.0), "furlong"),
        (spectrum("WAVE", "kg", 1.0, 1.0), "kg"),
        (spectrum("LAMBDA", "", 1.0, 1.0), "no unit"),
        (spectrum("WAVE", "", 0.05, 0.01), "no unit"),
        (spectrum("WAVE", "Angstrom", -300.0, 1.0), "no sense"),
        (spectrum("FREQ", "Hz", 0.0, 1.0), "no sense"),
        (spectrum("WAVE", "m", float("nan"), 1.0), "CRVAL1"),
        (spectrum("WAVE", "m", 5e-7, 1e-10, CDELT1="x"), "CDELT1"),
    ],
)
def test_spectral_axes_without_sense_are_refused(cards: dict[str, Any], word: str) -> None:
    with pytest.raises(RegionError, match=word) as caught:
        spectral_range(cards)
    assert caught.value.code == "wcs"


@pytest.mark.parametrize(
    "cards",
    [
        {},
        spectrum("LINEAR", "mm", 0.0, 1.0),
        spectrum("PIXEL", "", 0.0, 1.0),
        spectrum("PIXEL", "?", 0.0, 1.0),
    ],
)
def test_other_axes_are_not_taken_for_spectra(cards: dict[str, Any]) -> None:
    assert spectral_range(cards) is None


@pytest.mark.parametrize(
    ("start", "step", "count", "states"),
    [
        (1.0, 1.0, 4, "/I/Q/U/V/"),
        (1.0, 1.0, 1, "/I/"),
        (-5.0, -1.0, 2, "/XX/YY/"),
        (-1.0, -1.0, 4, "/RR/LL/RL/LR/"),
    ],
)
def test_stokes_axes(start: float, step: float, count: int, states: str) -> None:
    cards = {"NAXIS": 3, "NAXIS3": count, "CTYPE3": "STOKES", "CRVAL3": start, "CRPIX3": 1.0, "CDELT3": step}
    assert pol_states(cards) == states


def test_unknown_stokes_values_are_refused() -> None:
    with pytest.raises(RegionError, match="STOKES"):
        pol_states({"NAXIS": 1, "NAXIS1": 9, "CTYPE1": "STOKES", "CRVAL1": 1.0, "CRPIX1": 1.0})
    assert pol_states({"NAXIS": 1, "NAXIS1": 9, "CTYPE1": "WAVE"}) is None


def test_time_axes() -> None:
    cards = {
        "NAXIS": 1,
        "NAXIS1": 10,
        "CTYPE1": "TIME",
        "CUNIT1": "h",
        "CRVAL1": 0.0,
        "CRPIX1": 0.5,
        "CDELT1": 2.4,
    }
    assert time_range(cards | {"MJDREF": 55000}) == (55000.0, pytest.approx(55001.0), 10)
    assert time_range(cards | {"MJDREFI": 55000, "MJDREFF": 0.25}) == (55000.25, pytest.approx(55001.25), 10)
    with pytest.raises(RegionError, match="reference"):
        time_range(cards)
    assert time_range({}) is None


@pytest.mark.parametrize("length", [0, -3])
def test_an_axis_of_no_pixels_has_no_states(length: int) -> None:
    assert pol_states({"NAXIS": 1, "NAXIS1": length, "CTYPE1": "STOKES", "CRVAL1": 1.0}) is None


values = st.one_of(st.floats(), st.integers(), st.text(max_size=6), st.none())
keywords = st.sampled_from(
    ["CTYPE1", "CUNIT1", "CRVAL1", "CDELT1", "CD1_1", "PC1_1", "RESTFRQ", "NAXIS", "NAXIS1", "DC-FLAG"]
)
kinds = st.sampled_from(["WAVE", "FREQ", "VRAD", "WAVE-LOG", "STOKES", "TIME", "LINEAR", "ENER"])


@given(kinds, st.dictionaries(keywords, values, max_size=3))
@example("WAVE", {"CDELT1": 1.3407807929942597e154, "NAXIS1": 1.3407807929942597e154})
@example("STOKES", {"CDELT1": 1e308, "CRPIX1": -1e308})
@example("STOKES", {"NAXIS1": -1.5660643709812022e205})
def test_any_header_leads_to_an_answer_or_a_refusal(kind: str, odd: dict[str, Any]) -> None:
    for read in (spectral_range, pol_states, time_range):
        with suppress(RegionError):
            read(spectrum(kind, "", 1.0, 1.0) | odd)


@pytest.mark.parametrize(
    ("cards", "word"),
    [
        (spectrum("WAVE", "m", 5e-7, 0.0), "step of zero"),
        (spectrum("WAVE", "", 4000.0, 1.0), "no unit"),
        (spectrum("AWAV", "furlong", 4000.0, 1.0), "the unit 'furlong' is not known$"),
    ],
)
def test_what_an_axis_cannot_mean_is_said_in_few_words(cards: dict[str, Any], word: str) -> None:
    with pytest.raises(RegionError, match=word):
        spectral_range(cards)


def test_places_on_a_detector_are_no_wavelengths() -> None:
    detector = spectrum("LINEAR", "um", 0.0, 15.0)
    assert spectral_range(detector | {"NAXIS": 2, "NAXIS2": 100, "CTYPE2": "LINEAR", "CUNIT2": "um"}) is None


@pytest.mark.parametrize(("unit", "factor"), [("nanometers", 1e-9), ("microns", 1e-6), ("Angstroms", 1e-10)])
def test_units_in_words_are_understood(unit: str, factor: float) -> None:
    found = spectral_range(spectrum("WAVE", unit, 500.0, 1.0))
    assert found is not None
    assert found.em_min == pytest.approx(499.5 * factor)
