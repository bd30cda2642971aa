"""Rows as short runs of bytes, many of them decoded at once.

A packed row is a bit for each column that has a value; the numbers, and the lengths of the texts, that there
are; these texts one after the other; and zeros up to whole threes of bytes, so that rows in base64 can be
joined and cut. Where a value lies is said by the columns alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, TypeAlias

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

import schemas
from schemas import Kind
from schemas.arrow import HEALPIX, arrow_type

MOST_BYTES = 2**31 - 1
"""Bytes of all rows that are decoded at once."""

_NUMBERS: Mapping[Kind, str] = {
    Kind.BOOLEAN: "u1",
    Kind.SHORT: "<i2",
    Kind.INT: "<i4",
    Kind.LONG: "<i8",
    Kind.FLOAT: "<f4",
    Kind.DOUBLE: "<f8",
    Kind.TIMESTAMP: "<i8",
}
_LENGTH = "<u4"
_FILL = pa.array([b"", b"\0", b"\0\0"], pa.binary())

Bytes: TypeAlias = NDArray[np.uint8]
Flags: TypeAlias = NDArray[np.bool_]
Whole: TypeAlias = NDArray[np.int64]


class Garbled(Exception):  # noqa: N818 - names the condition
    """Bytes are no packed rows of this layout, or too many."""


@dataclass(frozen=True)
class Packed:
    """Packed rows, one after the other, and how many bytes each has."""

    data: bytes
    sizes: Whole


@dataclass(frozen=True)
class Layout:
    """Where the columns of packed rows are; where ``finite``, a number that is not finite is NULL."""

    columns: tuple[schemas.Column, ...]
    finite: bool = True

    @classmethod
    def of(cls, columns: tuple[tuple[str, Kind, bool], ...], *, finite: bool = True) -> Layout:
        """Return the layout of rows; of each column there is a name, the kind, and whether it is an array."""
        return _layout(columns, finite)

    @cached_property
    def forms(self) -> tuple[np.dtype[Any], ...]:
        """How each number, or the length of each text, is written."""
        forms = (_NUMBERS[each.kind] if _is_number(each) else _LENGTH for each in self.columns)
        return tuple(map(np.dtype, forms))

    @cached_property
    def sizes(self) -> Whole:
        """Bytes of each number or length."""
        return np.array([form.itemsize for form in self.forms], np.int64)

    @cached_property
    def places(self) -> Whole:
        """Where each number or length begins when all are there."""
        return np.cumsum(self.sizes) - self.sizes

    @cached_property
    def owners(self) -> Whole:
        """Whose each byte of all numbers and lengths is."""
        return np.repeat(np.arange(len(self.columns)), self.sizes)

    @cached_property
    def texts(self) -> Whole:
        """Which columns are texts."""
        return np.array([n for n, each in enumerate(self.columns) if not _is_number(each)], np.int64)

    @cached_property
    def length_bytes(self) -> Whole:
        """Where the bytes of the lengths of all texts are when all numbers and lengths are there."""
        return (self.places[self.texts][:, None] + np.arange(np.dtype(_LENGTH).itemsize)).ravel()

    @property
    def bits(self) -> int:
        """Bytes that tell which columns have a value."""
        return -(-len(self.columns) // 8)

    def pack(self, batch: pa.RecordBatch) -> Packed:
        """Pack the rows of a batch of the lake; columns that it lacks are NULL."""
        columns = {name.lower(): batch.column(place) for place, name in enumerate(batch.schema.names)}
        count = batch.num_rows
        known = np.zeros((count, len(self.columns)), np.bool_)
        fixed = np.zeros((count, len(self.owners)), np.uint8)
        texts: list[pa.BinaryArray] = []
        for place, column in enumerate(self.columns):
            array = self._plain(column, columns.get(column.name.lower(), pa.nulls(count)))
            known[:, place] = array.is_valid().to_numpy(zero_copy_only=False)
            if not _is_number(column):
                texts.append(_as_bytes(column, array))
                array = pc.binary_length(texts[-1])
            at, form = self.places[place], self.forms[place]
            fixed[:, at : at + form.itemsize] = _as_numbers(array, form)
        sizes = known @ self.sizes
        bits = np.packbits(known, axis=1, bitorder="little")
        there = fixed[known[:, self.owners]]
        rest = -(bits.shape[1] + sizes + sum((_lengths(text) for text in texts), np.zeros_like(sizes))) % 3
        parts = [_even(bits), _binary(_ends(sizes), pa.py_buffer(there)), *texts, _FILL.take(pa.array(rest))]
        return _written(parts)

    def unpack(self, rows: Packed, wanted: AbstractSet[str]) -> pa.Table:
        """Return some columns of packed rows, by lower-case name, in the lake's types.

        Raises
        ------
        Garbled
            When they are not of this layout.
        """
        data, sizes = rows.data, rows.sizes
        if len(data) != sizes.sum() or len(data) > MOST_BYTES or (sizes < self.bits).any():
            raise Garbled(f"{len(sizes)} packed rows of {len(data)} bytes")
        opened = _Opened.of(self, data, np.cumsum(sizes) - sizes)
        chosen = [place for place, each in enumerate(self.columns) if each.name.lower() in wanted]
        texts = opened.texts([place for place in chosen if not _is_number(self.columns[place])])
        found = {
            self.columns[place].name: texts[place] if place in texts else opened.number(place)
            for place in chosen
        }
        return pa.table(found) if found else pa.table({"": pa.nulls(len(sizes))}).select([])

    def _plain(self, column: schemas.Column, array: pa.Array) -> pa.Array:
        """Return a column of the lake in the type that it declares."""
        kind = arrow_type(column)
        array = array if array.type == kind else array.cast(kind)
        if column.name == HEALPIX:
            return pc.if_else(pc.less(array, 0), None, array)
        if self.finite and pa.types.is_floating(kind):
            return pc.if_else(pc.is_finite(array), array, None)
        return array


@dataclass(frozen=True)
class _Opened:
    """Packed rows whose values can be reached.

    ``known`` tells which values there are, ``fixed`` has the numbers and lengths with zeros for those that
    there are not, and ``parts`` has of each row what comes before its texts, each text, and what fills it up.
    """

    layout: Layout
    known: Flags
    fixed: Bytes
    parts: pa.BinaryArray

    @classmethod
    def of(cls, layout: Layout, data: bytes, starts: Whole) -> _Opened:
        """Find out where everything is; ``starts`` tell where rows begin."""
        count, buffer, bits = len(starts), pa.py_buffer(data), layout.bits
        flags = np.frombuffer(data, np.uint8)[starts[:, None] + np.arange(bits)]
        known = np.unpackbits(flags, axis=1, count=len(layout.columns), bitorder="little").astype(np.bool_)
        there = known @ layout.sizes
        ends = np.append(starts[1:], len(data))
        begins = starts + bits + there
        if (begins > ends).any():
            raise Garbled(f"{count} packed rows of another layout")
        bounds = np.append(np.stack((starts, starts + bits, begins), axis=1).ravel(), len(data))
        numbers = _binary(bounds, buffer).take(pa.array(np.arange(1, 3 * count, 3))).buffers()[2]
        fixed = np.zeros((count, len(layout.owners)), np.uint8)
        fixed[known[:, layout.owners]] = np.frombuffer(numbers or b"", np.uint8, there.sum())
        texts = layout.texts
        bounds = np.empty((count, len(texts) + 2), np.int64)
        bounds[:, 0], bounds[:, 1] = starts, begins
        lengths = np.ascontiguousarray(fixed[:, layout.length_bytes]).view(_LENGTH)
        np.cumsum(lengths.reshape(count, len(texts)), axis=1, out=bounds[:, 2:])
        bounds[:, 2:] += begins[:, None]
        if ((ends - bounds[:, -1]) // 3).any():
            raise Garbled(f"{count} packed rows of another layout")
        return cls(layout, known, fixed, _binary(np.append(bounds.ravel(), len(data)), buffer))

    def number(self, place: int) -> pa.Array:
        """Return a column of numbers, truth values or times."""
        column, there = self.layout.columns[place], self.known[:, place]
        values = _column_of(self.layout, self.fixed, place)
        if column.kind is Kind.BOOLEAN:
            values = values.astype(np.bool_)
        array = pa.array(values, mask=None if there.all() else ~there)
        return array.view(arrow_type(column)) if column.kind is Kind.TIMESTAMP else array

    def texts(self, places: Sequence[int]) -> dict[int, pa.Array]:
        """Return columns of texts or lists by their place."""
        if not places:
            return {}
        all_texts, count = self.layout.texts, len(self.known)
        step = len(all_texts) + 2
        order = np.searchsorted(all_texts, places)[:, None] + 1 + np.arange(0, count * step, step)
        _, offsets, data = self.parts.take(pa.array(order.ravel())).buffers()
        there = pa.py_buffer(np.packbits(self.known[:, list(places)].T.ravel(), bitorder="little"))
        found: dict[int, pa.Array] = {}
        for number, place in enumerate(places):
            buffers = [there, offsets, data or pa.py_buffer(b"")]
            array = pa.Array.from_buffers(pa.string(), count, buffers, offset=number * count)
            column = self.layout.columns[place]
            found[place] = _as_lists(column, array) if _is_list(column) else array
        return found


@lru_cache(maxsize=256)
def _layout(columns: tuple[tuple[str, Kind, bool], ...], finite: bool) -> Layout:  # noqa: FBT001
    return Layout(
        tuple(
            schemas.Column(name=name, kind=kind, array="*" if array else None)
            for name, kind, array in columns
        ),
        finite,
    )


def _column_of(layout: Layout, fixed: Bytes, place: int) -> NDArray[Any]:
    """Return the numbers or lengths of a column."""
    at, form = layout.places[place], layout.forms[place]
    return np.ascontiguousarray(fixed[:, at : at + form.itemsize]).view(form).ravel()


def _written(parts: Sequence[pa.BinaryArray]) -> Packed:
    """Put the parts of each row together."""
    count = len(parts[0])
    order = np.arange(len(parts) * count).reshape(len(parts), count).T.ravel()
    data = pa.concat_arrays(parts).take(pa.array(order)).buffers()[2]
    sizes = sum((_lengths(part) for part in parts), np.zeros(count, np.int64))
    return Packed(data.to_pybytes() if data else b"", sizes)


def _is_number(column: schemas.Column) -> bool:
    return not column.array and column.kind in _NUMBERS


def _is_list(column: schemas.Column) -> bool:
    return bool(pa.types.is_nested(arrow_type(column)))


def _as_numbers(array: pa.Array, form: np.dtype[Any]) -> Bytes:
    if pa.types.is_timestamp(array.type):
        array = array.view(pa.int64())
    filled = array.fill_null(pa.scalar(0).cast(array.type)) if array.null_count else array
    values = filled.to_numpy(zero_copy_only=False)
    return np.ascontiguousarray(values.astype(form)).view(np.uint8).reshape(len(array), form.itemsize)


def _as_bytes(column: schemas.Column, array: pa.Array) -> pa.BinaryArray:
    """Return texts as they are, and lists as JSON."""
    if not _is_list(column):
        return array.cast(pa.binary()).fill_null(b"")
    if column.kind is Kind.TIMESTAMP:
        array = array.cast(pa.list_(pa.int64()))
    values = array.to_pylist()
    return pa.array([b"" if value is None else orjson.dumps(value) for value in values], pa.binary())


def _as_lists(column: schemas.Column, texts: pa.StringArray) -> pa.Array:
    values = orjson.loads(f"[{','.join(texts.fill_null('null').to_pylist())}]")
    kind = arrow_type(column)
    if column.kind is Kind.TIMESTAMP:
        return pa.array(values, pa.list_(pa.int64())).cast(kind)
    return pa.array(values, kind)


def _lengths(array: pa.BinaryArray) -> Whole:
    return np.asarray(pc.binary_length(array).to_numpy(zero_copy_only=False), np.int64)


def _ends(sizes: Whole) -> Whole:
    return np.concatenate(([0], np.cumsum(sizes)))


def _even(rows: Bytes) -> pa.BinaryArray:
    count, width = rows.shape
    return _binary(np.arange(count + 1) * width, pa.py_buffer(np.ascontiguousarray(rows)))


def _binary(offsets: Whole, data: pa.Buffer) -> pa.BinaryArray:
    bounds = pa.py_buffer(np.ascontiguousarray(offsets, dtype=np.int32))
    return pa.Array.from_buffers(pa.binary(), len(offsets) - 1, [None, bounds, data])
