"""What holds for every header: nothing invented, nothing of a wrong type, and no crash."""

import math
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instruments import FileHeaders, Mapped, MappingRefused, Packages
from schemas import Kind, Table

Make = Callable[..., FileHeaders]
Observe = Callable[..., dict[str, Any]]

REAL = sorted(path.stem for path in (Path(__file__).parent / "headers").glob("*.txt"))

KEYWORD_TEXT = """
SIMPLE BITPIX NAXIS NAXIS1 NAXIS2 NAXIS3 ORIGIN TELESCOP INSTRUME OBJECT RA DEC EQUINOX RADECSYS DATE DATE-OBS
MJD-OBS MJD-END EXPTIME ARCFILE PIPEFILE PRODCATG PRODLVL NCOMBINE BUNIT TIME-OBS DETECTOR PROV1 WCSAXES
CTYPE1 CTYPE2 CTYPE3 CRVAL1 CRVAL2 CRVAL3 CRPIX1 CRPIX2 CRPIX3 CDELT1 CDELT2 CDELT3 CD1_1 CD1_2 CD2_1 CD2_2
CUNIT1 CUNIT2 CUNIT3 WAT1_001 RESTFRQ XTENSION EXTNAME ZIMAGE ZNAXIS SNR SPEC_RES WAVELMIN WAVELMAX A_ORDER
B_ORDER ESO_DPR_CATG ESO_DPR_TYPE ESO_DPR_TECH ESO_PRO_CATG ESO_OBS_ID ESO_OBS_PROG_ID ESO_DET_DIT
ESO_DET_NDIT ESO_DET_FRAM_UTC ESO_INS_PATH ESO_INS_GRAT1_WLEN ESO_TEL_AIRM_START ESO_TPL_START
ESO_PRO_REC1_RAW1_NAME
"""
KEYWORDS = [word.replace("_", " ") if word.startswith("ESO_") else word for word in KEYWORD_TEXT.split()]

WORD_TEXT = """
RA---TAN DEC--TAN GLON-CAR GLAT-CAR WAVE AWAV VELO STOKES LINEAR PIXEL deg Angstrom 2006-04-13T06:32:38.9441
13/04/06 12:34:56 -12:34:56.7 MUSE ISAAC UVES VISIR FORS2 EMMI/2.3 HST ACS ESO-VLT-U1 ESO-NTT ESO-MIDAS FK4
FK5 SCIENCE CALIB IMAGE ECHELLE BLUE adu erg/s/cm2/A MUSE.2014-12-08T02:48:56.798.fits BINTABLE NaN
"""
WORDS = WORD_TEXT.split()

numbers = st.one_of(
    st.integers(-3, 5000),
    st.integers(),
    st.floats(-400, 400),
    st.floats(allow_nan=False, allow_infinity=False),
)
values = st.one_of(st.sampled_from(WORDS), st.text(max_size=30), numbers, st.booleans())
fields = st.one_of(
    st.sampled_from(["NaN", "Inf", "'open", "(1,2)", "", "1.2.3", "9" * 90]), st.text(max_size=70)
)


@st.composite
def cards(draw: st.DrawFn) -> str:
    key = draw(st.sampled_from(KEYWORDS))
    start = f"HIERARCH {key} = " if " " in key else f"{key:<8}= "
    value = draw(values)
    if draw(st.integers(0, 9)) == 0:
        return (start + draw(fields))[:80].ljust(80)
    if isinstance(value, bool):
        text = "T" if value else "F"
    else:
        text = "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)
    return (start + text)[:80].ljust(80)


IMAGE = ["SIMPLE  =                    T", "BITPIX  = -32", "NAXIS   = 2", "NAXIS1  = 64", "NAXIS2  = 32"]
files = st.lists(st.lists(cards(), max_size=25).map(lambda made: [*IMAGE, *made]), min_size=1, max_size=2)


def outcome_of(packages: Packages, headers: FileHeaders) -> Mapped | MappingRefused:
    try:
        return packages.map(headers, "any")
    except MappingRefused as refused:
        return refused


def assert_sound(mapped: Mapped, packages: Packages) -> None:
    for name, rows in mapped.rows.items():
        table = packages.schemas.table(name)
        for row in rows:
            for key, value in row.items():
                assert_fits(table, key, value)
    (row,) = mapped.rows["ivoa.ObsCore"]
    assert {"calib_level", "obs_collection", "obs_id", "access_format"} <= row.keys()
    if "s_ra" in row:
        assert 0.0 <= float(str(row["s_ra"])) < 360.0
        assert -90.0 <= float(str(row["s_dec"])) <= 90.0


def assert_fits(table: Table, key: str, value: object) -> None:
    column = table.by_name[key]
    if column.kind is Kind.TIMESTAMP:
        assert isinstance(value, datetime)
    elif column.kind.is_integer:
        assert type(value) is int
        assert abs(value) < 1 << {Kind.SHORT: 15, Kind.INT: 31, Kind.LONG: 63}[column.kind]
    elif column.kind.is_numeric:
        assert isinstance(value, int | float)
        assert math.isfinite(value)
    else:
        assert isinstance(value, str)
        assert value
        assert value.isascii() or not column.ascii
        assert not column.values or value in column.values


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(hdus=files)
def test_any_cards_become_a_sound_row_or_a_refusal(hdus: list[list[str]], packages: Packages) -> None:
    outcome = outcome_of(packages, FileHeaders.from_cards(hdus, file_name="any.fits", size=5760))
    if isinstance(outcome, MappingRefused):
        assert outcome.code in {"no-data", "identity", "release-date"}
        assert outcome.reason
    else:
        assert_sound(outcome, packages)


@settings(max_examples=200, deadline=None)
@given(hdus=st.lists(st.lists(st.text(max_size=80), max_size=20), max_size=2))
def test_any_text_becomes_a_sound_row_or_a_refusal(hdus: list[list[str]], packages: Packages) -> None:
    outcome = outcome_of(
        packages, FileHeaders.from_cards([[*IMAGE, *hdu] for hdu in hdus], file_name="any.fits")
    )
    if isinstance(outcome, MappingRefused):
        assert not hdus
        assert outcome.code == "no-data"
    else:
        assert_sound(outcome, packages)


@pytest.mark.parametrize("name", REAL)
def test_real_headers_become_sound_rows(
    name: str, map_real: Callable[[str], Mapped], packages: Packages
) -> None:
    assert_sound(map_real(name), packages)


RULED = {"calib_level", "obs_id", "t_xel", "em_xel", "pol_xel", "access_format", "package"}
"""Columns that a rule fills whatever the header says."""

FALLS_BACK = {
    "CRVAL": "a footprint gives way to the pointing",
    "CTYPE": "a footprint gives way to the pointing",
    "CD": "a footprint gives way to the pointing or another scale",
    "CUNIT": "units have defaults",
    "NAXIS": "what was an image is none",
    "SIMPLE": "and no comment shows who wrote the file",
    "PIPEFILE": "a product becomes a frame",
    "ESO PRO": "a product becomes a frame",
    "ORIGIN": "a product becomes a frame",
    "IRAF": "a product becomes a frame",
    "DATAMD5": "a product becomes a frame",
    "BITPIX": "a product becomes a frame",
    "INSTRUME": "another package maps the file",
    "TELESCOP": "another package maps the file",
    "MJD": "a contradiction goes away",
    "DATE-OBS": "a contradiction goes away",
    "ESO DPR": "a calibration may have been of a target",
    "NCOMBINE": "a combined exposure becomes a single one",
}
"""Cards whose loss may bring a value to light that they contradicted, and why."""


@pytest.mark.parametrize("name", REAL)
def test_a_card_that_is_taken_away_never_makes_a_value_appear(
    name: str, real: Callable[[str], FileHeaders], packages: Packages
) -> None:
    before = packages.map(real(name), "demo")
    known = {(table, key) for table, rows in before.rows.items() for row in rows for key in row}
    hdus = [list(hdu.header.cards) for hdu in real(name).hdus]
    for number, hdu in enumerate(hdus):
        for place, card in enumerate(hdu):
            key = card.removeprefix("HIERARCH ")
            if key.startswith(tuple(FALLS_BACK)):
                continue
            fewer = [*hdus[:number], [*hdu[:place], *hdu[place + 1 :]], *hdus[number + 1 :]]
            after = packages.map(FileHeaders.from_cards(fewer, file_name=real(name).file_name), "demo")
            new = {(t, k) for t, rows in after.rows.items() for row in rows for k in row if k not in RULED}
            assert new <= known, card


def test_a_file_without_data_is_refused(packages: Packages) -> None:
    cards = [
        "SIMPLE  =                    T",
        "BITPIX  = 8",
        "NAXIS   = 0",
        "RA      = 10.0",
        "DEC     = 10.0",
    ]
    with pytest.raises(MappingRefused, match="no data") as refused:
        packages.map(FileHeaders.from_cards([cards], file_name="header.fits"), "any")
    assert refused.value.code == "no-data"


def test_an_empty_header_says_nothing(observe: Observe) -> None:
    assert observe({}, name="x.fits", size=1001) == {
        "obs_collection": "demo",
        "obs_id": "x",
        "calib_level": 1,
        "access_format": "application/fits",
        "access_estsize": 2,
    }


@pytest.mark.parametrize(
    ("cards", "package"),
    [
        ({"INSTRUME": "MUSE", "TELESCOP": "ESO-VLT-U4"}, "muse=1.0"),
        ({"INSTRUME": "muse", "TELESCOP": "eso-vlt-u4"}, "muse=1.0"),
        ({"ARCFILE": "OISAAC.2001-01-01T00:00:00.000.fits"}, "isaac=1.0"),
        ({"INSTRUME": "FORS2", "TELESCOP": "ESO-VLT-U1"}, "fors=1.0"),
        ({"INSTRUME": "EMMI/2.3", "TELESCOP": "ESO-NTT"}, "emmi=1.0"),
        ({"INSTRUME": "HAWKI", "TELESCOP": "ESO-VLT-U4"}, "eso=1.0"),
        ({"INSTRUME": "ACS", "TELESCOP": "HST"}, "hst_acs=1.0"),
        ({"INSTRUME": "WFPC2", "TELESCOP": "HST"}, "generic=1.0"),
        ({"INSTRUME": "MUSE"}, "generic=1.0"),
        ({}, "generic=1.0"),
    ],
)
def test_one_package_maps_a_file(
    cards: dict[str, object], package: str, packages: Packages, make: Make
) -> None:
    assert packages.map(make(cards), "any").package == package


@pytest.mark.parametrize(
    ("name", "media_type"), [("x.fits", "application/fits"), ("x.fits.gz", "application/gzip")]
)
def test_the_media_type_is_that_of_the_file(name: str, media_type: str, observe: Observe) -> None:
    assert observe({}, name=name)["access_format"] == media_type


def test_a_published_mode_gives_the_wavelengths_of_a_raw_frame_only(observe: Observe) -> None:
    raw = {"INSTRUME": "MUSE", "TELESCOP": "ESO-VLT-U4", "ESO INS MODE": "WFM-NOAO-E", "ESO DPR TECH": "IFU"}
    row = observe(raw)
    assert (row["em_min"], row["em_max"]) == (pytest.approx(465e-9), pytest.approx(930e-9))
    assert row["dataproduct_type"] == "spectrum"
    assert "em_min" not in observe({**raw, "ESO PRO CATG": "MASTER_BIAS"})
    assert "em_min" not in observe({**raw, "ESO INS MODE": "SOMETHING"})


def test_a_published_filter_gives_the_wavelengths_of_an_image(observe: Observe) -> None:
    image = {
        "INSTRUME": "ISAAC",
        "TELESCOP": "ESO-VLT-U1",
        "ESO DPR TECH": "IMAGE",
        "ESO INS FILT1 NAME": "Ks",
    }
    assert observe(image)["em_min"] == pytest.approx(2.025e-6)
    assert "em_min" not in observe({**image, "ESO DPR TECH": "SPECTRUM"})


def test_a_uves_setting_gives_the_wavelengths_of_a_raw_frame(observe: Observe) -> None:
    cards = {"INSTRUME": "UVES", "TELESCOP": "ESO-VLT-U2", "ESO INS PATH": "RED", "ESO INS GRAT2 WLEN": 580.0}
    row = observe(cards)
    assert (row["em_min"], row["em_max"]) == (pytest.approx(476e-9), pytest.approx(684e-9))
    assert "em_min" not in observe({**cards, "ESO INS GRAT2 WLEN": 575.0})


def test_phase_3_keywords_are_heeded(observe: Observe) -> None:
    row = observe(
        {
            "TELESCOP": "ESO-VLT-U1",
            "PRODCATG": "SCIENCE.SPECTRUM",
            "PRODLVL": 3,
            "WAVELMIN": 300.0,
            "WAVELMAX": 1000.0,
            "SPEC_RES": 40000.0,
            "SNR": 35.5,
            "TEXPTIME": 7200.0,
            "EXPTIME": 3600.0,
            "OBID1": 1,
            "OBID2": 2,
            "FLUXCAL": "ABSOLUTE",
            "REFERENC": "2020A&A...1..1X",
        }
    )
    assert (row["dataproduct_type"], row["calib_level"], row["multi_ob"]) == ("spectrum", 3, "M")
    assert (row["em_min"], row["em_max"]) == (pytest.approx(3e-7), pytest.approx(1e-6))
    assert (row["em_res_power"], row["snr"], row["t_exptime"]) == (40000.0, 35.5, 7200.0)
    assert (row["o_calib_status"], row["bib_reference"]) == ("absolute", "2020A&A...1..1X")


@pytest.mark.parametrize("said", ["9999-12-31", "when published", True, 12])
def test_a_release_date_that_cannot_be_used_never_makes_a_file_public(
    said: Any, packages: Packages, make: Make
) -> None:
    with pytest.raises(MappingRefused, match="release date") as refused:
        packages.map(make({"REL_DATE": said}), "any")
    assert refused.value.code == "release-date"


def test_wavelengths_in_the_wrong_order_are_left_out(packages: Packages, make: Make) -> None:
    cards = {"TELESCOP": "ESO-VLT-U1", "PRODCATG": "SCIENCE.SPECTRUM", "WAVELMIN": 900.0, "WAVELMAX": 300.0}
    mapped = packages.map(make(cards), "any")
    assert not {"em_min", "em_max"} & mapped.rows["ivoa.ObsCore"][0].keys()
    assert any("em_min is above em_max" in warning for warning in mapped.warnings)


@pytest.mark.parametrize(
    ("programme", "kind", "period"),
    [
        ("077.D-0683(B)", 0, 77),
        ("194.A-0859(A)", 1, 94),
        ("0104.A-0001(A)", 0, 104),
        ("1104.A-0001(A)", 1, 104),
        ("63.H-0650(A)", 0, 63),
        ("110.23XY.001", None, 110),
        ("60.A-9022(A)", None, None),
        ("Global Test", None, None),
    ],
)
def test_programmes_tell_their_kind_and_period(
    programme: str, kind: int | None, period: int | None, packages: Packages, make: Make
) -> None:
    cards = {"ARCFILE": "HAWKI.2015-01-01T00:00:00.000.fits", "ESO OBS PROG ID": programme}
    (raw,) = packages.map(make(cards), "any").rows["dbo.raw"]
    assert (raw.get("prog_type"), raw.get("period")) == (kind, period)


def test_non_ascii_bytes_do_not_reach_ascii_columns(packages: Packages) -> None:
    cards = [*IMAGE, "OBJECT  = '\u00c5land'", "FILTER  = 'H\u03b1'"]
    (row,) = packages.map(FileHeaders.from_cards([cards], file_name="x.fits"), "any").rows["ivoa.ObsCore"]
    assert (row["target_name"], row["filter"]) == ("?land", "H?")


def test_a_huge_header_is_mapped(packages: Packages) -> None:
    cards = [*IMAGE, *(f"HIERARCH ESO LOG {number} = {number}" for number in range(100_000))]
    (row,) = packages.map(FileHeaders.from_cards([cards], file_name="x.fits"), "any").rows["ivoa.ObsCore"]
    assert row["obs_id"] == "x"
