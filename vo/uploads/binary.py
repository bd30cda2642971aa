"""Rows of BINARY and BINARY2 as Arrow arrays (VOTable 1.4, sections 5.3 and 5.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas import Column
from schemas.arrow import arrow_type
from schemas.datatype import Datatype
from schemas.votable import votable_type
from vo.uploads.fields import element_bytes, is_text
from vo.uploads.limits import Unreadable, UploadLimits
from vo.uploads.tabledata import lists_of, without

Bytes = NDArray[np.uint8]

_NUMBERS = {
    "unsignedByte": ">u1",
    "short": ">i2",
    "int": ">i4",
    "long": ">i8",
    "float": ">f4",
    "double": ">f8",
    "floatComplex": ">f4",
    "doubleComplex": ">f8",
}


@dataclass
class _Place:
    """Where a column's values are: the byte each begins at, and its elements where they are counted."""

    column: Column
    starts: list[int] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    @property
    def declared(self) -> Datatype:
        return votable_type(self.column)

    @property
    def fixed(self) -> int | None:
        """The bytes of every value; None where they are counted."""
        size = self.declared.size
        return None if size is None else stored_bytes(self.declared, size)


def stored_bytes(declared: Datatype, count: int) -> int:
    """Return the bytes of so many elements; bits are packed."""
    return (count + 7) // 8 if declared.datatype == "bit" else count * element_bytes(declared)


def read_rows(columns: Sequence[Column], data: bytes, limits: UploadLimits, *, flags: bool) -> list[pa.Array]:
    """Return the columns of a stream of rows; with ``flags`` as BINARY2 has it.

    Raises
    ------
    Unreadable
        When the stream does not end with a row, or has too many.
    """
    places = [_Place(column) for column in columns]
    flagged = (len(columns) + 7) // 8 if flags else 0
    rows = _walk(places, memoryview(data), flagged, limits)
    raw = np.frombuffer(data, np.uint8)
    missing = np.zeros((len(rows), len(columns)), bool)
    if flags and rows:
        packed = raw[np.asarray(rows)[:, None] + np.arange(flagged)]
        missing = np.unpackbits(packed, axis=1)[:, : len(columns)].astype(bool)
    return [_array(place, raw, missing[:, at], flags=flags) for at, place in enumerate(places)]


def _walk(places: Sequence[_Place], data: memoryview, flagged: int, limits: UploadLimits) -> list[int]:
    """Find where rows and values begin; return the former."""
    rows: list[int] = []
    at, end = 0, len(data)
    known = [(place, place.fixed) for place in places]
    widths = [size for _, size in known if size is not None]
    if len(widths) == len(known):
        return _regular(places, widths, flagged, end, limits)
    while at < end:
        if len(rows) >= limits.rows:
            limits.check_rows(len(rows) + 1)
        rows.append(at)
        begun = at
        at += flagged
        for place, size in known:
            if size is None:
                place.counts.append(count := int.from_bytes(data[at : at + 4], "big"))
                at += 4
                size = stored_bytes(place.declared, count)  # noqa: PLW2901
            place.starts.append(at)
            at += size
            if at > end:
                raise Unreadable(f"row {len(rows)} is longer than what is left of its stream")
        if at == begun:
            raise Unreadable("its rows have no bytes")
    return rows


def _regular(
    places: Sequence[_Place], widths: Sequence[int], flagged: int, end: int, limits: UploadLimits
) -> list[int]:
    """Find rows that all have the same bytes."""
    width = flagged + sum(widths)
    if not width:
        raise Unreadable("its rows have no bytes")
    limits.check_rows(end // width)
    if end % width:
        raise Unreadable(f"row {end // width + 1} is longer than what is left of its stream")
    rows = np.arange(0, end, width)
    at = flagged
    for place, size in zip(places, widths, strict=True):
        place.starts = (rows + at).tolist()
        at += size
    return list(rows.tolist())


def _array(place: _Place, raw: Bytes, missing: NDArray[np.bool_], *, flags: bool) -> pa.Array:
    starts, size = np.asarray(place.starts, np.int64), place.declared.size
    counts = np.asarray(place.counts, np.int64) if size is None else np.full(len(starts), size, np.int64)
    return values_at(place.column, raw, (starts, counts), missing, flags=flags)


def values_at(
    column: Column,
    raw: Bytes,
    at: tuple[NDArray[np.int64], NDArray[np.int64]],
    missing: NDArray[np.bool_],
    *,
    flags: bool,
) -> pa.Array:
    """Return values that begin at some bytes and have some elements.

    Without ``flags`` values that are written in place of missing ones are taken for these.
    """
    declared, (starts, counts) = votable_type(column), at
    if is_text(column):
        return _texts(declared, raw, starts, counts, missing, flags=flags)
    values = _elements(declared, raw, starts, counts)
    if not declared.is_list:
        found = _scalars(column, values, arrow_type(column), missing)
        return found if flags else _nan_is_missing(found)
    kind = arrow_type(column).value_type
    if not flags and declared.size is None:
        missing = counts == 0
    found = _scalars(column, values, kind, np.zeros(len(values), bool))
    if flags:
        return _flagged(column, counts * declared.width, found, missing)
    return lists_of(column, (counts * declared.width).tolist(), found, missing.tolist())


def _flagged(column: Column, lengths: NDArray[np.int64], values: pa.Array, missing: Any) -> pa.Array:
    """Return lists that are missing where a flag says so, and only there."""
    kind = arrow_type(column)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    lists = pa.ListArray.from_arrays(pa.array(offsets), values)
    if missing.any():
        gone = pa.array(missing)
        rest = lists.filter(pa.array(~missing))
        places = np.where(missing, 0, np.cumsum(~missing) - 1)
        taken = pa.array(places, mask=missing) if len(rest) else pa.nulls(len(gone), pa.int64())
        lists = rest.take(taken)
    return lists.cast(kind)


def _nan_is_missing(array: pa.Array) -> pa.Array:
    """Return numbers with NULL for NaN, which is all that BINARY has for a missing one."""
    if not pa.types.is_floating(array.type):
        return array
    return pa.array(array.to_numpy(zero_copy_only=False), array.type, from_pandas=True)


def _elements(
    declared: Datatype, raw: Bytes, starts: NDArray[np.int64], counts: NDArray[np.int64]
) -> NDArray[Any]:
    """Return all elements, one after the other."""
    if declared.datatype == "bit":
        sizes = (counts + 7) // 8
        bits = np.unpackbits(_gather(raw, starts, sizes))
        if not declared.is_list:
            # One reader in wide use writes the fifth bit, not the first.
            return np.asarray(bits.reshape(-1, 8).any(axis=1))
        first = 8 * np.concatenate([[0], np.cumsum(sizes)])[:-1]
        return bits[_spread(first, counts)].astype(bool)
    found = _gather(raw, starts, counts * element_bytes(declared))
    return found if declared.datatype == "boolean" else found.view(_NUMBERS[declared.datatype])


def _spread(starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places start, start + 1, ... of each run."""
    before = np.concatenate([[0], np.cumsum(sizes)])[:-1]
    return np.repeat(starts - before, sizes) + np.arange(int(sizes.sum()))


def _gather(raw: Bytes, starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> Bytes:
    found: Bytes = np.ascontiguousarray(raw[_spread(starts, sizes)])
    return found


def _scalars(column: Column, values: NDArray[Any], kind: pa.DataType, missing: NDArray[np.bool_]) -> pa.Array:
    declared = votable_type(column)
    if declared.datatype == "boolean":
        true, false = np.isin(values, list(b"Tt1")), np.isin(values, list(b"Ff0"))
        unknown = ~(true | false | np.isin(values, list(b"? \0")))
        if (unknown & ~missing[: len(values)]).any():
            raise Unreadable(f"column {column.name!r} has a byte that is no boolean")
        return pa.array(true, kind, mask=~(true | false) | missing)
    native = values.astype(values.dtype.newbyteorder("=")) if values.dtype.byteorder == ">" else values
    return without(pa.array(native, mask=missing).cast(kind), column.null)


def _texts(
    declared: Datatype,
    raw: Bytes,
    starts: NDArray[np.int64],
    counts: NDArray[np.int64],
    missing: NDArray[np.bool_],
    *,
    flags: bool,
) -> pa.Array:
    """Return texts up to their first zero; without flags an empty one is missing."""
    wide = element_bytes(declared)
    code, zero = ("utf-16-be", b"\0\0") if wide == 2 else ("utf-8", b"\0")
    data = raw.tobytes()
    found: list[str | None] = []
    strings = declared.arraysize is not None and "x" in declared.arraysize
    for start, count, lost in zip(starts.tolist(), counts.tolist(), missing.tolist(), strict=True):
        text = data[start : start + wide * count]
        text = _without_zeros(text, zero) if strings else _before_zero(text, zero)
        said = text.decode(code, "replace")
        found.append(None if lost or not (said or flags) else said)
    return pa.array(found, pa.string())


def _before_zero(text: bytes, zero: bytes) -> bytes:
    at = text.find(zero)
    while at % len(zero) and at >= 0:
        at = text.find(zero, at + 1)
    return text if at < 0 else text[:at]


def _without_zeros(text: bytes, zero: bytes) -> bytes:
    """Return texts of one length side by side, filled with spaces."""
    if len(zero) == 1:
        return text.rstrip(zero).replace(zero, b" ")
    units = [text[at : at + 2] for at in range(0, len(text), 2)]
    while units and units[-1] == zero:
        units.pop()
    return b"".join(b"\0 " if unit == zero else unit for unit in units)
