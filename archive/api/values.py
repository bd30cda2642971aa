"""Values of conditions and cursors as constants of the query tree."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np

import schemas
from query import tree
from schemas import Kind
from vo.adql.dates import parse_timestamp

Given: TypeAlias = str | int | float | bool
"""A value as JSON or a query string gives it."""

_BOUNDS = {Kind.SHORT: 2**15, Kind.INT: 2**31, Kind.LONG: 2**63}
_TRUTH = {"true": True, "1": True, "false": False, "0": False}


class ValueMismatch(ValueError):  # noqa: N818 - names the condition
    """A value that the column cannot have; the message says what it can."""


def literal(column: schemas.Column, value: Given) -> tree.Literal:
    """Return a value as a constant of the column's kind.

    Raises
    ------
    ValueMismatch
        When the column cannot have that value.
    """
    text = value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    kind = column.kind
    if kind in (Kind.TEXT, Kind.REGION):
        return tree.Literal(text, Kind.TEXT)
    if kind is Kind.TIMESTAMP:
        return tree.Literal(microseconds(text, column.name), kind)
    if kind is Kind.BOOLEAN:
        if text.lower() not in _TRUTH:
            raise ValueMismatch(f"{column.name} is true or false, not {text!r}")
        return tree.Literal(_TRUTH[text.lower()], kind)
    if kind.is_integer:
        return _whole(column, text)
    if kind.is_numeric:
        return _real(column, text)
    raise ValueMismatch(f"{column.name} is a geometry; use region")


def _whole(column: schemas.Column, text: str) -> tree.Literal:
    try:
        number = int(text)
    except ValueError:
        real = _real(column, text)
        if not isinstance(real.value, float) or not real.value.is_integer():
            # Compared as a real number: 2.5 lies between two whole ones, and bounds may say so.
            return real
        number = int(real.value)
    bound = _BOUNDS[column.kind]
    if not -bound <= number < bound:
        return tree.Literal(float(number), Kind.DOUBLE)
    return tree.Literal(number, column.kind)


def _real(column: schemas.Column, text: str) -> tree.Literal:
    try:
        number = float(text)
    except ValueError:
        raise ValueMismatch(f"{column.name} is a number, not {text!r}") from None
    if not math.isfinite(number):
        raise ValueMismatch(f"{column.name}: {text} is not a finite number")
    if column.kind is Kind.FLOAT:
        # The nearest single-precision number is what a stored 0.1 is.
        return tree.Literal(float(np.float32(number)), Kind.FLOAT)
    return tree.Literal(number, Kind.DOUBLE)


def microseconds(text: str, name: str) -> int:
    """Return a DALI timestamp (its date may be shortened) as microseconds since 1970, UTC.

    Raises
    ------
    ValueMismatch
        When the text is none; ``name`` is what the message calls it.
    """
    moment = parse_timestamp(text)
    if moment is None:
        raise ValueMismatch(f"{name} is a UTC time such as 2024-05-17 or 2024-05-17T12:00:00, not {text!r}")
    return moment
