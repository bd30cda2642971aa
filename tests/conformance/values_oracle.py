"""Values by the words of docs/adql-semantics.md: NULL is None, moments are whole microseconds."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any, TypeAlias

from tests.conformance.sky_oracle import InDoubtError

_DECIMAL = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)

Value: TypeAlias = Any
Truth: TypeAlias = bool | None


class OverflowedError(Exception):
    """A whole number does not fit into 64 bits; the query is refused, if the engine computes it."""


def whole(value: int) -> int:
    if not -(2**63) <= value < 2**63:
        raise OverflowedError
    return value


def finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def arithmetic(operator: str, a: Value, b: Value) -> Value:
    if a is None or b is None:
        return None
    if isinstance(a, int) and isinstance(b, int):
        if operator == "/":
            return None if b == 0 else whole(cut(a, b))
        return whole({"+": a + b, "-": a - b, "*": a * b}[operator])
    a, b = float(a), float(b)
    if operator == "/":
        return None if b == 0 else finite(a / b)
    return finite({"+": a + b, "-": a - b, "*": a * b}[operator])


def cut(a: int, b: int) -> int:
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def remainder(a: Value, b: Value) -> Value:
    if a is None or b is None or b == 0:
        return None
    if isinstance(a, int) and isinstance(b, int):
        return a - b * cut(a, b)
    return math.fmod(a, b)


def real(function: Callable[..., float]) -> Callable[..., Value]:
    """Make NULL of arguments that are NULL, and of what is no finite number."""

    def computed(*arguments: Value) -> Value:
        if any(argument is None for argument in arguments):
            return None
        try:
            return finite(function(*map(float, arguments)))
        except (ValueError, ZeroDivisionError, OverflowError):
            return None

    return computed


def rounded(value: float, places: float = 0) -> float:
    scale: float = 10.0 ** abs(places)
    scaled = value * scale if places >= 0 else value / scale
    if not math.isfinite(scaled):
        return value
    found = math.copysign(math.floor(abs(scaled) + 0.5), value) if abs(scaled) < 2**52 else scaled
    return found / scale if places >= 0 else found * scale


def truncated(value: float, places: float = 0) -> float:
    scale: float = 10.0 ** abs(places)
    scaled = value * scale if places >= 0 else value / scale
    if not math.isfinite(scaled):
        return value
    return math.trunc(scaled) / scale if places >= 0 else math.trunc(scaled) * scale


def as_whole(value: Value, bits: int) -> Value:
    """Cut a number, or the number that a text spells, towards zero."""
    if isinstance(value, str):
        value = Fraction(value.strip()) if _DECIMAL.fullmatch(value) else None
    found = None if value is None else math.trunc(value)
    return found if found is not None and -(2 ** (bits - 1)) <= found < 2 ** (bits - 1) else None


def compare(operator: str, a: Value, b: Value, *, exact: bool = True) -> Truth:
    if a is None or b is None:
        return None
    if not exact and a != b and abs(a - b) <= 1e-9 * max(abs(a), abs(b)):
        raise InDoubtError
    if not exact and a == b:
        raise InDoubtError
    tests = {"=": a == b, "<>": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}
    return bool(tests[operator])


def both(truths: Iterable[Truth]) -> Truth:
    known = list(truths)
    return False if False in known else None if None in known else True


def either(truths: Iterable[Truth]) -> Truth:
    known = list(truths)
    return True if True in known else None if None in known else False


def opposite(truth: Truth) -> Truth:
    return None if truth is None else not truth


def among(value: Value, items: Sequence[Value]) -> Truth:
    return either(compare("=", value, item) for item in items)


def like(value: Value, pattern: Value, *, ignore_case: bool = False) -> Truth:
    """Match by trying every split; only % and _ have a meaning."""
    if value is None or pattern is None:
        return None
    if ignore_case:
        value, pattern = lower(value), lower(pattern)
    reached = {0}
    for sign in pattern:
        if sign == "%":
            reached = set(range(min(reached), len(value) + 1)) if reached else set()
        else:
            reached = {at + 1 for at in reached if at < len(value) and sign in ("_", value[at])}
    return len(value) in reached


def lower(value: str) -> str:
    return "".join(letter.lower() for letter in value)


def upper(value: str) -> str:
    return "".join(letter.upper() for letter in value)


def aggregate(name: str, values: Sequence[Value], *, distinct: bool) -> Value:
    """Compute an aggregate of a group; NULLs are left out."""
    there = [value for value in values if value is not None]
    if distinct:
        there = list(dict.fromkeys(there))
    if name == "COUNT":
        return len(there)
    if not there:
        return None
    if name in ("MIN", "MAX"):
        return min(there) if name == "MIN" else max(there)
    if all(isinstance(value, int) for value in there):
        return whole(sum(there)) if name == "SUM" else sum(there) / len(there)
    total = math.fsum(there)
    return finite(total if name == "SUM" else total / len(there))
