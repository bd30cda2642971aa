"""Values of SIA 2 parameters: positions, intervals and words (SIA 2.0, section 2.1)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sky.regions import Circle, Polygon, Range, Region, RegionError
from sky.text import parse_region
from vo.dali import UsageFault

_SHAPES = ("CIRCLE", "RANGE", "POLYGON")


@dataclass(frozen=True, slots=True)
class Interval:
    """A closed interval; a bound may be infinite."""

    low: float
    high: float


def interval(name: str, text: str) -> Interval:
    """Read ``low high``, either of which may be infinite, or one number.

    Raises
    ------
    UsageFault
        When it is neither, or ends before it begins.
    """
    words = text.split()
    try:
        bounds = [_number(word) for word in words]
    except ValueError:
        bounds = []
    if len(bounds) == 1 and math.isfinite(bounds[0]):
        bounds *= 2
    if len(bounds) != 2 or any(math.isnan(bound) for bound in bounds):
        raise UsageFault(f"{name} takes one number or two, lower and upper bound, not {text[:60]!r}")
    low, high = bounds
    if low > high or low == math.inf or high == -math.inf:
        raise UsageFault(f"{name}={text[:60]} ends before it begins")
    return Interval(low, high)


def _number(word: str) -> float:
    if "_" in word or not word.isascii():
        raise ValueError(word)
    return float(word)


def position(text: str) -> Region:
    """Read CIRCLE, RANGE or POLYGON with ICRS degrees; a polygon is taken as it is wound.

    Raises
    ------
    UsageFault
        When it is none of these, or no region of the sky.
    """
    shape = text.split(maxsplit=1)[0].upper()
    if shape not in _SHAPES:
        raise UsageFault(f"POS begins with one of {', '.join(_SHAPES)}, not {text[:40]!r}")
    try:
        region = parse_region(text)
    except RegionError as error:
        raise UsageFault(f"POS={text[:100]}: {error}") from error
    if not isinstance(region, Circle | Range | Polygon):
        raise UsageFault(f"POS takes one of {', '.join(_SHAPES)}, not {text[:40]!r}")
    return region


def whole_number(name: str, text: str) -> int:
    """Read a non-negative integer.

    Raises
    ------
    UsageFault
        When it is none.
    """
    word = text.strip()
    if not (word.isascii() and word.isdigit() and len(word) < 10):
        raise UsageFault(f"{name} takes a non-negative integer, not {text[:40]!r}")
    return int(word)
