from collections.abc import Callable

import pytest

from instruments import FileHeaders, Hdu, Header


def test_names_are_found_in_any_case_with_or_without_hierarch() -> None:
    header = Header(["HIERARCH ESO DPR CATG = 'SCIENCE '"])
    assert header["ESO DPR CATG"] == header["hierarch eso dpr catg"] == "SCIENCE"
    assert "ESO DPR CATG" in header
    assert header.get("ESO DPR TYPE") is None


def test_of_repeated_keywords_the_first_that_says_something_counts() -> None:
    header = Header(["OBJECT  = ''", "OBJECT  = 'M 31'", "OBJECT  = 'M 32'"])
    assert header["OBJECT"] == "M 31"
    assert header.all("OBJECT") == ["", "M 31", "M 32"]


def test_a_bad_card_has_no_value_and_leaves_a_word() -> None:
    header = Header(["RA      = 19 25 31.81 / text without quotes"])
    assert header.get("RA") is None
    assert header.warnings == ["RA: '19 25 31.81' is no FITS value"]
    assert dict(header) == {}


def test_long_texts_are_joined() -> None:
    header = Header(["TITLE   = 'one &'", "CONTINUE  'two'", "NAXIS   = 0"])
    assert header["TITLE"] == "one two"
    assert header["NAXIS"] == 0


def test_comments_and_units_can_be_had() -> None:
    header = Header(["EXPTIME = 4.0 / [s] exposure"])
    assert header.comment("EXPTIME") == "[s] exposure"
    assert header.unit("EXPTIME") == "s"


def test_the_primary_header_speaks_first(make: Callable[..., FileHeaders]) -> None:
    headers = make({"OBJECT": "M 31"}, {"OBJECT": "M 31 (DATA)", "FILTER": "V"})
    assert headers.get("OBJECT") == "M 31"
    assert headers.get("FILTER") == "V"


@pytest.mark.parametrize("word", ["", "UNKNOWN", "null", "N/A", "undefined"])
def test_words_for_not_known_say_nothing(word: str, make: Callable[..., FileHeaders]) -> None:
    assert make({"OBJECT": word}).get("OBJECT") is None
    assert make({"OBJECT": word}, {"OBJECT": "M 31"}).get("OBJECT") == "M 31"


def test_numbers_may_be_written_as_text(make: Callable[..., FileHeaders]) -> None:
    headers = make({"EXPTIME": "4.5", "MJD-OBS": "soon", "GAIN": True})
    assert headers.number("EXPTIME") == 4.5
    assert headers.number("MJD-OBS") is None
    assert headers.number("GAIN") is None


def test_a_placeholder_says_nothing_once_it_is_known(make: Callable[..., FileHeaders]) -> None:
    headers = make({"EXPTIME": 0.0})
    headers.ignore("EXPTIME", 0)
    assert headers.get("EXPTIME") is None


def test_a_compressed_image_has_the_shape_of_the_image() -> None:
    cards = ["XTENSION= 'BINTABLE'", "NAXIS   = 2", "NAXIS1  = 8", "NAXIS2  = 50", "ZIMAGE  = T"]
    cards += ["ZNAXIS  = 2", "ZNAXIS1 = 100", "ZNAXIS2 = 50"]
    hdu = Hdu(Header(cards))
    assert hdu.shape == (100, 50)
    assert hdu.is_image
    assert not hdu.is_table


def test_an_empty_axis_is_no_data() -> None:
    assert not Hdu(Header(["SIMPLE  = T", "NAXIS   = 0"])).has_data
    assert not Hdu(Header(["XTENSION= 'BINTABLE'", "NAXIS   = 2", "NAXIS1  = 8", "NAXIS2  = 0"])).has_data
    groups = ["SIMPLE  = T", "GROUPS  = T", "NAXIS   = 2", "NAXIS1  = 0", "NAXIS2  = 3"]
    assert Hdu(Header(groups)).has_data
    assert not Hdu(Header(groups)).is_image


def test_absurd_axes_are_no_axes() -> None:
    assert Hdu(Header(["NAXIS   = 100000000"])).shape == ()
    assert Hdu(Header(["NAXIS   = 1", "NAXIS1  = -5"])).shape == (0,)


@pytest.mark.parametrize(
    ("key", "value"),
    [("WCSAXES", 4096), ("A_ORDER", 3915), ("B_ORDER", 1e300), ("A_ORDER", -1), ("A_ORDER", "x")],
)
def test_a_wcs_of_absurd_size_is_none(key: str, value: object, make: Callable[..., FileHeaders]) -> None:
    (hdu,) = make({"CTYPE1": "RA---TAN-SIP", key: value}).hdus
    assert hdu.coordinates == {}
    assert hdu.header.warnings[0].startswith(f"WCS: {key} ")
