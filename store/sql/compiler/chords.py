"""Distances as SQL on unit vectors: by the chord between two points, or to the opposite of one of them.

Both chords tell the angle; the shorter one tells it to the last digit.
"""

from __future__ import annotations

import math
from typing import Literal

from query import tree
from sky.vectors import TOLERANCE
from store.sql.compiler.literals import double

Triple = tuple[str, str, str]
"""The SQL of a unit vector."""

_FAR: dict[tree.Operator, tree.Operator] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def unit_vector(ra: str, dec: str) -> Triple:
    """Return the SQL of a unit vector from that of its position in degrees."""
    lon, lat = f"radians({ra})", f"radians({dec})"
    return f"(cos({lat}) * cos({lon}))", f"(cos({lat}) * sin({lon}))", f"sin({lat})"


def degrees_apart(left: Triple, right: Triple) -> str:
    """Return the SQL of the distance of two points in degrees; NULL when one is."""
    near, far = _chord2(left, right), _chord2(left, right, "+")
    # There is no ELSE: a missing position is neither near nor far, and least() takes no notice of NULL.
    return (
        f"CASE WHEN {near} <= 2 THEN degrees(2 * asin(least(1.0::DOUBLE, sqrt({near}) / 2))) "
        f"WHEN {near} > 2 THEN 180 - degrees(2 * asin(least(1.0::DOUBLE, sqrt({far}) / 2))) END"
    )


def compare_distance(left: Triple, right: Triple, operator: tree.Operator, radius: float) -> str:
    """Compare a distance with 0 to 180 degrees; for ``<=`` and its opposite the rim is inside."""
    rim = TOLERANCE if operator in ("<=", ">") else 0.0
    if radius <= 90:
        bound = 2 * math.sin(math.radians(radius) / 2) + rim
        return f"({_chord2(left, right)} {operator} {double(bound * bound)})"
    bound = max(0.0, 2 * math.sin(math.radians(180 - radius) / 2) - rim)
    return f"({_chord2(left, right, '+')} {_FAR[operator]} {double(bound * bound)})"


def within_radius(left: Triple, right: Triple, radius: str) -> str:
    """Test whether two points are within a distance that SQL tells; NULL unless it is 0 to 180 degrees."""
    bound = f"pow(2 * sin(radians({radius}) / 2) + {double(TOLERANCE)}, 2)"
    rest = f"pow(greatest(0, 2 * sin(radians(180 - {radius}) / 2) - {double(TOLERANCE)}), 2)"
    return (
        f"CASE WHEN {radius} BETWEEN 0 AND 90 THEN {_chord2(left, right)} <= {bound} "
        f"WHEN {radius} BETWEEN 90 AND 180 THEN {_chord2(left, right, '+')} >= {rest} END"
    )


def _chord2(left: Triple, right: Triple, sign: Literal["-", "+"] = "-") -> str:
    """Return the squared chord between two points, or with ``+`` to the opposite of one."""
    steps = [f"({one} {sign} {other})" for one, other in zip(left, right, strict=True)]
    return "(" + " + ".join(f"{step} * {step}" for step in steps) + ")"
