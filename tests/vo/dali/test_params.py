from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vo.dali import Limits, Parameters, PostedFile, UsageFault


@given(st.sampled_from(["query", "QUERY", "Query", "qUERY"]), st.text(min_size=1))
def test_names_have_no_case_and_values_keep_theirs(name: str, value: str) -> None:
    assert Parameters([(name, value)]).many("Query") == [value]


def test_a_repeated_single_value_is_refused() -> None:
    params = Parameters([("maxrec", "1"), ("MAXREC", "1")])
    with pytest.raises(UsageFault, match="MAXREC is given 2 times"):
        params.one("MAXREC")


def test_an_empty_value_counts_as_none() -> None:
    assert Parameters([("LANG", " ")]).one("LANG") is None
    with pytest.raises(UsageFault, match="QUERY is missing"):
        Parameters([("QUERY", "")]).required("query")


def test_a_file_is_no_text() -> None:
    file = PostedFile("query.txt", "text/plain", io.BytesIO(b"SELECT"))
    params = Parameters([("QUERY", file), ("QUERY", "SELECT")])
    with pytest.raises(UsageFault, match="must be text"):
        params.one("QUERY")
    assert params.files("query") == [file]


@pytest.mark.parametrize("text", ["1.5", "-1e3", " 2 ", "+4"])
def test_numbers_are_read(text: str) -> None:
    assert Parameters([("RA", text)]).number("ra") == float(text)


@pytest.mark.parametrize("text", ["x", "nan", "inf", "-Infinity", "1,5", "1_000", "0x10", "1 2", "٦"])
def test_what_is_no_finite_number_is_refused(text: str) -> None:
    with pytest.raises(UsageFault, match="RA must be a number"):
        Parameters([("RA", text)]).number("RA")


@given(st.integers(0, 10**25))
def test_maxrec_is_never_lowered_silently(asked: int) -> None:
    limit = Limits(default_rows=5, hard_rows=1000, seconds=60).rows(str(asked))
    assert limit.rows == min(asked, 1000)
    assert bool(limit.warnings) == (asked > 1000)
    assert str(limit.rows) in limit.overflow


def test_without_maxrec_the_default_holds() -> None:
    limit = Limits(default_rows=5, hard_rows=1000, seconds=60).rows(None)
    assert (limit.rows, limit.warnings) == (5, ())


@pytest.mark.parametrize("text", ["-1", "1.0", "x", "1e3", "٣", "+1"])
def test_a_wrong_maxrec_is_refused(text: str) -> None:
    with pytest.raises(UsageFault, match="MAXREC"):
        Limits(default_rows=5, hard_rows=1000, seconds=60).rows(text)


def test_limits_must_fit_each_other() -> None:
    with pytest.raises(ValueError, match="default_rows"):
        Limits(default_rows=10, hard_rows=5, seconds=60)
