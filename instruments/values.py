"""From what a header or a function says to the value of a column: type, range, vocabulary."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from instruments.cards import plain
from instruments.headers import as_number
from schemas import Column, Kind
from sky.times import TimeError, parse_microseconds

CellValue: TypeAlias = str | int | float | bool | datetime
"""What a row may hold; a column without a value is left out of the row. Times are naive UTC."""

LONGEST_TEXT = 4000
"""Characters kept of a text; regions are not cut."""

_INTEGER_BITS = {Kind.SHORT: 15, Kind.INT: 31, Kind.LONG: 63}
_LARGEST_FLOAT = 3.4e38
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)


class UnusableValueError(ValueError):
    """A value that the column cannot take; the message says why."""


def moment(microseconds: int) -> datetime:
    """Return microseconds since 1970 (UTC) as a naive datetime."""
    return _EPOCH + timedelta(microseconds=microseconds)


def to_cell(column: Column, value: Any) -> CellValue:
    """Bring a value to the column's type.

    Raises
    ------
    UnusableValueError
        When it is of another type, not finite, out of the type's range, or not in the column's vocabulary.
    """
    if column.kind is Kind.TIMESTAMP:
        return _to_moment(value)
    if column.kind is Kind.BOOLEAN:
        if not isinstance(value, bool):
            raise UnusableValueError(f"{value!r} is neither true nor false")
        return value
    if column.kind.is_numeric:
        return _to_number(column.kind, value)
    return _to_text(column, value)


def _to_moment(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UnusableValueError(f"{value!r} is not a date")
    try:
        return moment(parse_microseconds(value))
    except TimeError as error:
        raise UnusableValueError(str(error)) from None


def _to_number(kind: Kind, value: Any) -> int | float:
    number = as_number(value) if isinstance(value, str | int | float) else None
    if number is None:
        raise UnusableValueError(f"{value!r} is not a number")
    if not kind.is_integer:
        if kind is Kind.FLOAT and abs(number) > _LARGEST_FLOAT:
            raise UnusableValueError(f"{number!r} is too large")
        return number
    whole = value if isinstance(value, int) and not isinstance(value, bool) else round(number)
    if whole != number or not -(1 << _INTEGER_BITS[kind]) <= whole < 1 << _INTEGER_BITS[kind]:
        raise UnusableValueError(f"{value!r} is not a whole number of that size")
    return whole


def _to_text(column: Column, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UnusableValueError(f"{value!r} is not a text")
    text = plain(str(value).strip()) if column.ascii else str(value).strip()
    if not text:
        raise UnusableValueError("the text is empty")
    if column.values and text not in column.values:
        raise UnusableValueError(f"{text!r} is not one of {', '.join(column.values)}")
    return text if column.kind.is_geometry else text[:LONGEST_TEXT]
