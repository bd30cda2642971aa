"""The laws of conditional and partial requests (RFC 9110)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.files.ranges import (
    MOST_RANGES,
    RangeNotSatisfiable,
    Representation,
    Span,
    precondition,
    wanted_spans,
)

WHAT = Representation('"abc"', datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), 100)
STAMP = "Fri, 02 Jan 2026 03:04:05 GMT"
EARLIER = "Thu, 01 Jan 2026 00:00:00 GMT"
LATER = "Sat, 03 Jan 2026 00:00:00 GMT"


@given(st.integers(0, 99), st.integers(0, 300))
def test_a_range_is_cut_at_the_end(first: int, length: int) -> None:
    spans = wanted_spans({"range": f"bytes={first}-{first + length}"}, WHAT)
    assert spans == [Span(first, min(first + length, 99))]


@given(st.integers(1, 300))
def test_a_suffix_is_the_last_bytes(length: int) -> None:
    assert wanted_spans({"range": f"bytes=-{length}"}, WHAT) == [Span(max(100 - length, 0), 99)]


@given(st.integers(100, 10**12))
def test_a_range_beyond_the_end_is_not_satisfiable(first: int) -> None:
    with pytest.raises(RangeNotSatisfiable):
        wanted_spans({"range": f"bytes={first}-"}, WHAT)


def test_numbers_of_any_length_are_positions() -> None:
    nines = "9" * 5000
    assert wanted_spans({"range": f"bytes=90-{nines}"}, WHAT) == [Span(90, 99)]
    assert wanted_spans({"range": f"bytes=-{nines}"}, WHAT) == [Span(0, 99)]
    assert wanted_spans({"range": f"bytes={'0' * 5000}7-8"}, WHAT) == [Span(7, 8)]
    with pytest.raises(RangeNotSatisfiable):
        wanted_spans({"range": f"bytes={nines}-"}, WHAT)


@pytest.mark.parametrize(
    "date", ["", "0", "soon", "Mon, 01 Jan 10000000000000000000 00:00:00 GMT", "9" * 5000]
)
def test_what_is_no_date_is_ignored(date: str) -> None:
    assert precondition({"if-modified-since": date, "if-unmodified-since": date}, WHAT) is None


@pytest.mark.parametrize(
    "text",
    [
        "bytes",
        "bytes=",
        "bytes=5-2",
        "bytes=-",
        "bytes=a-b",
        "bytes=1-2,x",
        "lines=1-2",
        "bytes=+1-2",
        "bytes=1-2-3",
    ],
)
def test_what_is_no_range_is_ignored(text: str) -> None:
    assert wanted_spans({"range": text}, WHAT) is None


def test_many_ranges_and_ranges_that_add_up_to_more_than_the_file_are_ignored() -> None:
    many = ",".join(f"{i}-{i}" for i in range(MOST_RANGES + 1))
    assert wanted_spans({"range": f"bytes={many}"}, WHAT) is None
    assert wanted_spans({"range": "bytes=0-99,0-99"}, WHAT) is None
    assert wanted_spans({"range": "bytes=0-9, 20-29,500-"}, WHAT) == [Span(0, 9), Span(20, 29)]


def test_a_suffix_of_nothing_and_an_empty_file_are_not_satisfiable() -> None:
    empty = Representation('"e"', WHAT.modified, 0)
    for what, text in ((WHAT, "bytes=-0"), (empty, "bytes=0-"), (empty, "bytes=-5")):
        with pytest.raises(RangeNotSatisfiable):
            wanted_spans({"range": text}, what)


@pytest.mark.parametrize(
    ("if_range", "partial"),
    [
        ('"abc"', True),
        ('"other"', False),
        ('W/"abc"', False),
        (STAMP, True),
        (LATER, False),
        (EARLIER, False),
    ],
)
def test_if_range_gives_a_part_only_of_the_same_file(if_range: str, *, partial: bool) -> None:
    spans = wanted_spans({"range": "bytes=0-0", "if-range": if_range}, WHAT)
    assert (spans == [Span(0, 0)]) is partial


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, None),
        ({"if-none-match": '"abc"'}, 304),
        ({"if-none-match": 'W/"abc"'}, 304),
        ({"if-none-match": '"x", "abc"'}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": '"x"'}, None),
        ({"if-none-match": '"x"', "if-modified-since": LATER}, None),
        ({"if-modified-since": STAMP}, 304),
        ({"if-modified-since": LATER}, 304),
        ({"if-modified-since": EARLIER}, None),
        ({"if-modified-since": "soon"}, None),
        ({"if-match": '"abc"'}, None),
        ({"if-match": "*"}, None),
        ({"if-match": '"x"'}, 412),
        ({"if-match": 'W/"abc"'}, 412),
        ({"if-unmodified-since": EARLIER}, 412),
        ({"if-unmodified-since": STAMP}, None),
        ({"if-match": '"abc"', "if-unmodified-since": EARLIER}, None),
    ],
)
def test_conditions(headers: dict[str, str], status: int | None) -> None:
    assert precondition(headers, WHAT) == status
