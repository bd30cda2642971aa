"""Dates in the styles found in FITS headers."""

import numpy as np
import pytest
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st

from sky.times import TimeError, from_mjd, parse_microseconds, parse_mjd, to_mjd

moments = st.integers(-5_364_662_400_000_000, 7_258_118_399_999_999)


def iso(microseconds: int) -> str:
    return str(np.datetime64(microseconds, "us"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2013-08-27T01:05:24.3279", "2013-08-27T01:05:24.327900"),
        ("2013-08-27 01:05:24", "2013-08-27T01:05:24.000000"),
        ("2013-08-27T01:05Z", "2013-08-27T01:05:00.000000"),
        ("2013-8-7", "2013-08-07T00:00:00.000000"),
        ("2013-08-27T24:00:00", "2013-08-28T00:00:00.000000"),
        ("2016-12-31T23:59:60.5", "2017-01-01T00:00:00.500000"),
        (" 2013-08-27T01:05:24 UTC ", "2013-08-27T01:05:24.000000"),
        ("27/08/93", "1993-08-27T00:00:00.000000"),
        ("27/08/2003", "2003-08-27T00:00:00.000000"),
        (53838.27295, "2006-04-13T06:33:02.880000"),
        ("53838.5", "2006-04-13T12:00:00.000000"),
        (2453839.0, "2006-04-13T12:00:00.000000"),
        (53838, "2006-04-13T00:00:00.000000"),
    ],
)
def test_styles(value: str | float, expected: str) -> None:
    assert iso(parse_microseconds(value)) == expected
    assert parse_mjd(value) == pytest.approx(to_mjd(parse_microseconds(value)))


@pytest.mark.parametrize(
    "value",
    ["", "never", "2013.65", 2013.65, "2013-13-01", "2013-02-30", "2013-08-27T25:00:00",
     "2013-08-27T01:61:00", "1799-12-31", "2200-01-01", "31/02/99",
     float("nan"), float("inf"), -5.0, 0.0, True,
     "13/8", "0000-00-00"],
)  # fmt: skip
def test_what_is_no_date_is_refused(value: str | float) -> None:
    with pytest.raises(TimeError):
        parse_microseconds(value)


@given(moments)
def test_iso_reads_back_the_same(moment: int) -> None:
    assert parse_microseconds(iso(moment)) == moment
    assert abs(from_mjd(to_mjd(moment)) - moment) <= 1


@given(moments)
def test_mjd_agrees_with_astropy(moment: int) -> None:
    assert to_mjd(moment) == pytest.approx(Time(iso(moment), format="isot", scale="tai").mjd, abs=1e-10)


def test_digits_are_cut_not_rounded() -> None:
    assert iso(parse_microseconds("2013-08-27T01:05:24.9999999")) == "2013-08-27T01:05:24.999999"
