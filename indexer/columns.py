"""Values of a foreign table as the values of declared columns: types, units, names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import astropy.units as u
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from indexer.checks import Problems
from indexer.errors import IngestError
from schemas import Column, Kind
from schemas.arrow import arrow_type
from sky.times import TimeError, parse_microseconds

_ZONE: Final = re.compile(r"(?<=[:.\d])\s*([+-])([01]\d|2[0-3]):?([0-5]\d)\s*\Z")
"""An offset from UTC after a time of day."""

_TRUE: Final = ("true", "t", "yes", "1")
_FALSE: Final = ("false", "f", "no", "0")
_INTEGERS: Final = {Kind.SHORT: 16, Kind.INT: 32, Kind.LONG: 64}


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """A column as its file describes it."""

    name: str
    unit: str | None = None
    ucd: str | None = None
    utype: str | None = None
    description: str = ""


def unit_factor(source: SourceColumn, column: Column) -> float:
    """Return what a file's values are multiplied by to be in the column's unit.

    Raises
    ------
    IngestError
        When the file's unit is no unit of the same kind.
    """
    if not source.unit or not column.unit or source.unit == column.unit or not column.kind.is_numeric:
        return 1.0
    try:
        return float(u.Unit(source.unit).to(u.Unit(column.unit)))
    except (ValueError, TypeError, u.UnitsError) as error:
        raise IngestError(
            "unit", f"{source.name} is in {source.unit!r}, which does not become {column.unit!r}."
        ) from error


def convert(column: Column, values: pa.ChunkedArray, factor: float, problems: Problems) -> pa.ChunkedArray:
    """Turn a file's values into those of a declared column; what does not convert refuses its row."""
    wanted = arrow_type(column)
    values = _plain(values)
    if values.type == wanted and factor == 1.0:
        return values
    if factor != 1.0:
        values = pc.multiply(_cast_all(values, pa.float64(), column, problems), factor)
    if column.kind is Kind.TIMESTAMP:
        return _moments(column, values, problems)
    if column.kind is Kind.BOOLEAN and pa.types.is_string(values.type):
        values = _booleans(column, values, problems)
    if column.kind in _INTEGERS and not pa.types.is_integer(values.type):
        values = _whole(column, values, problems)
    if pa.types.is_floating(values.type) and wanted == pa.string():
        values = _shortest(values)
    return _cast_all(values, wanted, column, problems)


def _plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return text as ``string``, empty text as NULL, dictionaries as their values."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_large_string(values.type) or pa.types.is_string_view(values.type):
        values = values.cast(pa.string())
    if pa.types.is_string(values.type):
        values = pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)
    return values


def _cast_all(
    values: pa.ChunkedArray, wanted: pa.DataType, column: Column, problems: Problems
) -> pa.ChunkedArray:
    """Cast a column at once; value by value when one of them refuses."""
    try:
        return values.cast(wanted)
    except pa.ArrowException:
        found = []
        for row, value in enumerate(values):
            try:
                found.append(value.cast(wanted))
            except pa.ArrowException:
                problems.refuse([row], "type", f"{column.name}: {_shown(value)} is no {column.kind}.")
                found.append(pa.scalar(None, wanted))
        return pa.chunked_array([pa.array([value.as_py() for value in found], wanted)])


def _shown(value: pa.Scalar) -> str:
    text = repr(value.as_py())
    return text if len(text) <= 60 else f"{text[:57]}..."


def _whole(column: Column, values: pa.ChunkedArray, problems: Problems) -> pa.ChunkedArray:
    """Return numbers without a fraction as integers; text is read as a number first."""
    if pa.types.is_string(values.type):
        try:
            return values.cast(pa.int64())
        except pa.ArrowException:
            values = _cast_all(values, pa.float64(), column, problems)
    if not pa.types.is_floating(values.type):
        return values
    numbers = values.cast(pa.float64())
    fraction = pc.or_(pc.not_equal(numbers, pc.round(numbers)), pc.greater_equal(pc.abs(numbers), 2.0**63))
    wrong = pc.and_(pc.is_finite(numbers), fraction)
    if pc.any(wrong).as_py():
        rows = np.flatnonzero(pc.fill_null(wrong, False).to_numpy())  # noqa: FBT003
        for row in rows:
            problems.refuse([int(row)], "type", f"{column.name}: {_shown(values[row])} is no whole number.")
    usable = pc.and_(pc.is_finite(numbers), pc.invert(wrong))
    return pc.if_else(usable, numbers, pa.scalar(None, pa.float64())).cast(pa.int64())


def _booleans(column: Column, values: pa.ChunkedArray, problems: Problems) -> pa.ChunkedArray:
    lower = pc.utf8_lower(pc.utf8_trim_whitespace(values))
    true, false = (pc.is_in(lower, value_set=pa.array(words)) for words in (_TRUE, _FALSE))
    wrong = pc.and_(pc.is_valid(values), pc.invert(pc.or_(true, false)))
    rows = np.flatnonzero(wrong.to_numpy())
    problems.refuse(rows, "type", f"{column.name} is neither true nor false.")
    return pc.if_else(pc.or_(true, false), true, pa.scalar(None, pa.bool_()))


def _moments(column: Column, values: pa.ChunkedArray, problems: Problems) -> pa.ChunkedArray:
    wanted = pa.timestamp("us")
    if pa.types.is_timestamp(values.type) or pa.types.is_date(values.type):
        # With a zone the values are UTC already; dropping it keeps them so.
        return values.cast(pa.timestamp("us", getattr(values.type, "tz", None)), safe=False).cast(wanted)
    found: list[int | None] = []
    for row, value in enumerate(values.to_pylist()):
        try:
            found.append(None if value is None else _microseconds(value))
        except (TimeError, TypeError) as error:
            problems.refuse([row], "type", f"{column.name}: {error}.")
            found.append(None)
    return pa.chunked_array([pa.array(found, pa.int64()).cast(wanted)])


def _microseconds(value: str | float) -> int:
    """Read a moment; one with an offset from UTC is turned into UTC."""
    zone = _ZONE.search(value) if isinstance(value, str) and ":" in value else None
    if zone is None:
        return parse_microseconds(value)
    sign, hours, minutes = zone.groups()
    offset = (int(hours) * 60 + int(minutes)) * 60_000_000
    local = parse_microseconds(zone.string[: zone.start()])
    return local + offset if sign == "-" else local - offset


def _shortest(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return pa.chunked_array(
        [pa.array([None if v is None else repr(v) for v in values.to_pylist()], pa.string())]
    )
