"""Constants are computed as docs/adql-semantics.md says."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from query.tree import Literal
from schemas import Kind
from vo.adql import constants

TRUE = Literal(value=True, kind=Kind.BOOLEAN)

BIG = st.integers(-(2**63), 2**63 - 1)


@given(BIG, BIG, st.sampled_from("+-*/"))
def test_whole_numbers_are_exact_or_left_to_the_engine(a: int, b: int, operator: str) -> None:
    found = constants.fold(operator, Literal(a, Kind.LONG), Literal(b, Kind.LONG), Kind.LONG)
    if operator == "/" and b == 0:
        assert found == Literal(None, Kind.LONG)
        return
    exact = {"+": a + b, "-": a - b, "*": a * b, "/": math.trunc(Fraction(a, b)) if b else 0}[operator]
    assert found == (Literal(exact, Kind.LONG) if -(2**63) <= exact < 2**63 else None)


@pytest.mark.parametrize(
    ("operator", "a", "b", "result"),
    [
        ("+", 1.5, 2, 3.5),
        ("-", 1.5, 2, -0.5),
        ("*", 1.5, 2, 3.0),
        ("/", 1, 4.0, 0.25),
        ("/", 1.0, 0, None),
        ("*", 1e308, 10.0, None),
        ("+", None, 1.0, None),
    ],
)
def test_real_numbers_are_finite_or_null(operator: str, a: float, b: float, result: float | None) -> None:
    folded = constants.fold(operator, Literal(a, Kind.DOUBLE), Literal(b, Kind.DOUBLE), Kind.DOUBLE)
    assert folded == Literal(result, Kind.DOUBLE)


@given(BIG)
def test_the_negative_of_a_whole_number(value: int) -> None:
    found = constants.negate(constants.number(value))
    if value == -(2**63):
        assert found is None
    else:
        assert found is not None
        assert found.value == -value
        assert constants.fits(-value, found.kind)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5", 5),
        (" -7 ", -7),
        ("+1.5", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("9999999999999999999", 9999999999999999999.0),
        ("1e999", None),
        ("nan", None),
        ("inf", None),
        ("0x10", None),
        ("1_000", None),
        ("", None),
        ("5 6", None),
        ("٣", None),
    ],
)
def test_numbers_in_texts(text: str, number: float | None) -> None:
    assert constants.parse_number(text) == number


@pytest.mark.parametrize(
    ("literal", "kind", "fitted"),
    [
        (Literal(None, Kind.TEXT), Kind.TIMESTAMP, Literal(None, Kind.TIMESTAMP)),
        (Literal(5, Kind.INT), Kind.TIMESTAMP, None),
        (Literal("x", Kind.TEXT), Kind.INT, None),
        (Literal(5, Kind.TIMESTAMP), Kind.INT, None),
        (TRUE, Kind.INT, None),
        (Literal(1.0, Kind.DOUBLE), Kind.BOOLEAN, None),
        (Literal("T", Kind.TEXT), Kind.BOOLEAN, TRUE),
        (Literal("yes", Kind.TEXT), Kind.BOOLEAN, None),
        (Literal(2**31, Kind.LONG), Kind.INT, Literal(2**31, Kind.LONG)),
        (Literal(2**31, Kind.LONG), Kind.LONG, Literal(2**31, Kind.LONG)),
        (Literal(1e20, Kind.DOUBLE), Kind.LONG, Literal(1e20, Kind.DOUBLE)),
        (Literal(3.5e38, Kind.DOUBLE), Kind.FLOAT, Literal(3.5e38, Kind.DOUBLE)),
        (Literal(3.4e38, Kind.DOUBLE), Kind.FLOAT, Literal(3.4e38, Kind.FLOAT)),
        (Literal("x", Kind.TEXT), Kind.REGION, Literal("x", Kind.TEXT)),
        (Literal("x", Kind.TEXT), Kind.POINT, None),
    ],
)
def test_a_constant_as_another_kind(literal: Literal, kind: Kind, fitted: Literal | None) -> None:
    assert constants.as_kind(literal, kind) == fitted


@pytest.mark.parametrize(
    ("a", "b", "common"),
    [
        (Kind.SHORT, Kind.LONG, Kind.LONG),
        (Kind.INT, Kind.SHORT, Kind.INT),
        (Kind.FLOAT, Kind.FLOAT, Kind.FLOAT),
        (Kind.FLOAT, Kind.SHORT, Kind.DOUBLE),
        (Kind.LONG, Kind.DOUBLE, Kind.DOUBLE),
        (Kind.TEXT, Kind.REGION, Kind.TEXT),
        (Kind.TIMESTAMP, Kind.TIMESTAMP, Kind.TIMESTAMP),
        (Kind.TEXT, Kind.INT, None),
        (Kind.BOOLEAN, Kind.INT, None),
    ],
)
def test_the_kind_that_holds_both(a: Kind, b: Kind, common: Kind | None) -> None:
    assert constants.common_kind(a, b) is common
    assert constants.common_kind(b, a) is common


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1:30:00", 1.5),
        ("-1h30m0s", -1.5),
        ("+0:00:36.0", 0.01),
        ("1:60:00", None),
        ("1:00:60", None),
        ("1:30", None),
        ("x", None),
    ],
)
def test_sexagesimal_angles(text: str, value: float | None) -> None:
    found = constants.sexagesimal(text, ("h", "m", "s"))
    assert found == (value if value is None else pytest.approx(value))
