from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sky.regions import Circle, Polygon, Range
from vo.dali import UsageFault
from vo.sia2.values import Interval, interval, position, whole_number

bounds = st.floats(allow_nan=False, allow_infinity=False)


@given(bounds, bounds)
def test_two_numbers_are_an_interval_when_they_are_in_order(a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert interval("BAND", f"{low!r} {high!r}") == Interval(low, high)
    if low < high:
        with pytest.raises(UsageFault, match="before it begins"):
            interval("BAND", f"{high!r} {low!r}")


@given(bounds)
def test_one_number_is_itself_alone(value: float) -> None:
    assert interval("TIME", f" {value!r} ") == Interval(value, value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("-Inf 3", Interval(-math.inf, 3.0)),
        ("3 +Inf", Interval(3.0, math.inf)),
        ("3 Inf", Interval(3.0, math.inf)),
        ("-inf +inf", Interval(-math.inf, math.inf)),
    ],
)
def test_bounds_may_be_open(text: str, found: Interval) -> None:
    assert interval("BAND", text) == found


@pytest.mark.parametrize(
    "text", ["a b", "1 2 3", "nan 1", "nan", "Inf", "1_0 2", "1/2", "+Inf +Inf", "2 -Inf"]
)
def test_what_is_no_interval_is_refused_by_name(text: str) -> None:
    with pytest.raises(UsageFault, match="BAND"):
        interval("BAND", text)


def test_positions_are_the_three_shapes_in_any_case() -> None:
    assert position("circle 10 20 0.5") == Circle(10.0, 20.0, 0.5)
    assert position("RANGE -Inf +Inf -Inf 5") == Range(-math.inf, math.inf, -math.inf, 5.0)
    assert isinstance(position("POLYGON 10 20 11 20 11 21"), Polygon)


@pytest.mark.parametrize(
    "text",
    [
        "BOX 1 2 3 4",
        "10 20",
        "CIRCLE 10 20",
        "CIRCLE 10 95 1",
        "CIRCLE 10 20 nan",
        "POLYGON 1 2 3 4",
        "MOC 0/1",
    ],
)
def test_other_positions_are_refused(text: str) -> None:
    with pytest.raises(UsageFault, match="POS"):
        position(text)


@pytest.mark.parametrize("text", ["-1", "2.5", "two", "²", "9999999999"])
def test_levels_are_whole_numbers(text: str) -> None:
    assert whole_number("CALIB", " 2 ") == 2
    with pytest.raises(UsageFault, match="CALIB"):
        whole_number("CALIB", text)
