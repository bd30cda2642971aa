"""Constants: made to fit a kind, and computed before the engine sees them."""

from __future__ import annotations

import math
import re

from query import tree
from schemas import Kind
from vo.adql.dates import parse_timestamp

_RANGES = {Kind.SHORT: 2**15, Kind.INT: 2**31, Kind.LONG: 2**63}

LARGEST_FLOAT = 3.4028234663852886e38
"""The largest number of single precision."""

_INTEGER = re.compile(r"\s*[+-]?\d{1,19}\s*\Z", re.ASCII)
_DECIMAL = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*\Z", re.ASCII)

_TRUTH = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


def number(value: float) -> tree.Literal:
    """Return a number as a constant of the kind that its form tells."""
    if isinstance(value, float):
        return tree.Literal(value, Kind.DOUBLE)
    return tree.Literal(value, Kind.INT if fits(value, Kind.INT) else Kind.LONG)


def fits(value: int, kind: Kind) -> bool:
    """Whether a whole number can be a value of an integer kind."""
    return -_RANGES[kind] <= value < _RANGES[kind]


def parse_number(text: str) -> int | float | None:
    """Return the number that a text spells, or None."""
    if _INTEGER.match(text):
        value = int(text)
        return value if fits(value, Kind.LONG) else float(value)
    if _DECIMAL.match(text):
        decimal = float(text)
        return None if math.isinf(decimal) else decimal
    return None


def as_kind(  # noqa: PLR0911 - one for each kind
    literal: tree.Literal, kind: Kind
) -> tree.Literal | None:
    """Return a constant as one of another kind, or None when it cannot be.

    A number that is beyond an integer kind stays exact in a wider one, so that comparing still works.
    Numbers do not become text or time here.
    """
    value = literal.value
    if value is None:
        return tree.Literal(None, kind)
    if literal.kind is kind:
        return literal
    if kind.is_numeric:
        return _as_number(literal, kind)
    if kind is Kind.TIMESTAMP and isinstance(value, str):
        moment = parse_timestamp(value)
        return None if moment is None else tree.Literal(moment, kind)
    if kind is Kind.BOOLEAN and literal.kind in (Kind.TEXT, Kind.INT):
        truth = _TRUTH.get(str(value).lower())
        return None if truth is None else tree.Literal(truth, kind)
    if kind in (Kind.TEXT, Kind.REGION) and isinstance(value, str):
        return tree.Literal(value, Kind.TEXT)
    return None


def _as_number(literal: tree.Literal, kind: Kind) -> tree.Literal | None:
    value = parse_number(literal.value) if isinstance(literal.value, str) else literal.value
    if value is None or isinstance(value, str) or literal.kind in (Kind.BOOLEAN, Kind.TIMESTAMP):
        return None
    if not kind.is_integer:
        too_large = kind is Kind.FLOAT and abs(value) > LARGEST_FLOAT
        return tree.Literal(float(value), Kind.DOUBLE if too_large else kind)
    if isinstance(value, float):
        if not value.is_integer() or not fits(int(value), Kind.LONG):
            return tree.Literal(value, Kind.DOUBLE)
        value = int(value)
    return tree.Literal(value, kind) if fits(value, kind) else number(value)


def fold(operator: str, left: tree.Literal, right: tree.Literal, kind: Kind) -> tree.Literal | None:
    """Compute two constants; None when the result is beyond 64 bits and the engine shall refuse it.

    Division by zero and results that are no finite numbers are NULL; integers divide towards zero.
    """
    a, b = left.value, right.value
    if a is None or b is None:
        return tree.Literal(None, kind)
    if kind is Kind.LONG:
        whole = _whole(operator, int(a), int(b))
        if whole is None:
            return tree.Literal(None, kind)
        return tree.Literal(whole, kind) if fits(whole, kind) else None
    result = _real(operator, float(a), float(b))
    return tree.Literal(result if math.isfinite(result) else None, kind)


def _whole(operator: str, a: int, b: int) -> int | None:
    match operator:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
    if b == 0:
        return None
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def _real(operator: str, a: float, b: float) -> float:
    match operator:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
    return a / b if b else math.nan


def negate(literal: tree.Literal) -> tree.Literal | None:
    """Return the negative of a number; None when it is beyond 64 bits."""
    value = literal.value
    if value is None:
        return literal
    if literal.kind.is_integer:
        opposite = -int(value)
        if not fits(opposite, Kind.LONG):
            return None
        return tree.Literal(opposite, literal.kind if fits(opposite, literal.kind) else Kind.LONG)
    return tree.Literal(-float(value), literal.kind)


def common_number(a: Kind, b: Kind) -> Kind:
    """Return the kind that holds the values of both numeric kinds."""
    if a is b:
        return a
    if a.is_integer and b.is_integer:
        return max(a, b, key=_RANGES.__getitem__)
    return Kind.DOUBLE


def common_kind(a: Kind, b: Kind) -> Kind | None:
    """Return the kind that holds values of both, or None when there is none."""
    if a is b:
        return a
    if a.is_numeric and b.is_numeric:
        return common_number(a, b)
    if {a, b} == {Kind.TEXT, Kind.REGION}:
        return Kind.TEXT
    return None


def sexagesimal(text: str, units: tuple[str, str, str]) -> float | None:
    """Return ``d:m:s`` (or with the ``units`` letters for colons) as a number of the first unit."""
    d, m, s = units
    pattern = rf"([+-]?)(\d+)[:{d}](\d+)[:{m}](\d+(?:\.\d*)?){s}?\Z"
    found = re.match(pattern, text.strip().lower(), re.ASCII)
    if found is None or int(found[3]) >= 60 or float(found[4]) >= 60:
        return None
    size = int(found[2]) + int(found[3]) / 60.0 + float(found[4]) / 3600.0
    return -size if found[1] == "-" else size
