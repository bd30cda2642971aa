import math

import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from instruments.cards import (
    BadCardError,
    is_commentary,
    keyword,
    parse_field,
    parse_long,
    plain,
    unit_of,
    value_field,
)


def read(card: str) -> object:
    return parse_field(value_field(card.ljust(80))).value


@pytest.mark.parametrize(
    ("card", "value"),
    [
        ("NAXIS   =                    2 / axes", 2),
        ("EXPTIME =               4.0000 / time", 4.0),
        ("EXPOSURE=  4.0000000000000E+00 /Exposure time minutes", 4.0),
        ("CRVAL1  =       1.25D-03", 0.00125),
        ("RA      =                -.5", -0.5),
        ("SIMPLE  =                    T", True),
        ("EXTEND  =                    F", False),
        ("OBJECT  = 'M 31    '", "M 31"),
        ("OBSERVER= 'O''Hara / Smith' / who", "O'Hara / Smith"),
        ("TELESCOP= 'ESO-1.52   '   '   /", "ESO-1.52"),
        ("OBJECT  = ''", ""),
        ("EMPTY   =                      / nothing said", None),
        ("HIERARCH ESO DET DIT         =    4.0000000 / Integration Time", 4.0),
        ("HIERARCH ESO INS OPTI2 NAME = '0.2''''/pixel_mask' / name", "0.2''/pixel_mask"),
    ],
)
def test_reads_values(card: str, value: object) -> None:
    found = read(card)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "card",
    [
        "RA      = 19 25 31.81",
        "OBJECT  = 'no end",
        "EXPTIME = 1.0E+999",
        "EXPTIME = NaN",
        "EXPTIME = Infinity",
        "COUNT   = " + "9" * 60,
        "PHASE   = (1.0, 2.0)",
    ],
)
def test_refuses_what_is_no_value(card: str) -> None:
    with pytest.raises(BadCardError):
        read(card)


def test_keywords_are_upper_case_and_hierarch_is_left_out() -> None:
    assert keyword("HIERARCH ESO DPR  CATG   = 'SCIENCE'") == "ESO DPR CATG"
    assert keyword("exptime = 1.0") == "EXPTIME"
    assert keyword(" " * 80) == ""


@pytest.mark.parametrize(
    "card", ["COMMENT = 'no value'", "HISTORY done", "", "HIERARCH nothing here", "TITLE   no sign"]
)
def test_free_text_is_commentary(card: str) -> None:
    assert is_commentary(card.ljust(80))


def test_long_texts_go_on_in_continue_cards() -> None:
    first = "TITLE   = 'A long &' / about"
    more = ["CONTINUE  'title, it''s &'", "CONTINUE  'true' / all of it"]
    assert parse_long(first, more) == ("A long title, it's true", "about all of it")


def test_a_unit_stands_in_brackets_before_the_comment() -> None:
    assert unit_of(" [deg] right ascension") == "deg"
    assert unit_of("right ascension [deg]") is None


def test_text_becomes_printable_ascii() -> None:
    assert plain("Škoda\x00 m") == "?koda? m"


@given(
    st.one_of(
        st.booleans(),
        st.integers(-(10**15), 10**15),
        st.floats(-1e300, 1e300).filter(lambda x: x == 0 or abs(x) > 1e-300),
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60),
    )
)
def test_reads_what_astropy_writes(value: object) -> None:
    image = str(fits.Card("KEY", value))
    found = read(image)
    if isinstance(value, str):
        assert found == value.rstrip()
    elif isinstance(value, float):
        assert isinstance(found, float)
        assert math.isclose(found, value, rel_tol=1e-10)  # astropy keeps 20 characters
    else:
        assert found == value


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(field: str) -> None:
    try:
        parsed = parse_field(field)
    except BadCardError:
        return
    assert parsed.value is None or isinstance(parsed.value, str | int | float)
