"""DALI timestamps, whole and shortened."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vo.adql.dates import format_timestamp, parse_timestamp

DAY = 86_400_000_000


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("1970", 0),
        ("1970-02", 31 * DAY),
        ("1970-01-02", DAY),
        ("1970-01-01T01", 3_600_000_000),
        ("1970-01-01T00:01", 60_000_000),
        ("1970-01-01 00:00:01Z", 1_000_000),
        ("1970-01-01T00:00:00.000001", 1),
        ("1970-01-01T00:00:00.1234567Z", 123_456),
        ("1970-01-01T00:00:00.5", 500_000),
        ("1969-12-31", -DAY),
        ("  1970  ", 0),
    ],
)
def test_a_date_is_its_first_moment(text: str, microseconds: int) -> None:
    assert parse_timestamp(text) == microseconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "70",
        "1970-1",
        "1970-13",
        "1970-02-30",
        "1970-01-01T25",
        "0000",
        "1970-01-01T00:00:61",
        "x1970",
        "1970x",
        "١٩٧٠",
    ],
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert parse_timestamp(text) is None


@given(st.integers(-(10**15), 4 * 10**15))
def test_writing_and_reading_are_inverse(microseconds: int) -> None:
    assert parse_timestamp(format_timestamp(microseconds)) == microseconds
