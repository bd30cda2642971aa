"""Cells as text: whole columns at once, in the style of a format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas import Column, Kind
from schemas.votable import votable_type
from vo.cells.buffers import number_type, numbers, table_bytes, text_parts, text_scalar

Escape = Callable[[pa.Array], pa.Array]
"""Makes texts safe for a format; missing values stay missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a format writes values.

    NaN and infinities that are None are written as missing. ``fill_lists`` writes a missing list of fixed
    length as that many missing numbers.
    """

    escape: Escape
    true: str = "true"
    false: str = "false"
    missing: str = "null"
    nan: str | None = "NaN"
    infinity: str | None = "Infinity"
    minus_infinity: str | None = "-Infinity"
    fill_lists: bool = False
    quote: str = ""
    list_open: str = ""
    list_separator: str = " "
    list_close: str = ""


def replaced(array: pa.Array, pairs: Iterable[tuple[str, str]]) -> pa.Array:
    """Return texts with ASCII characters replaced, pair after pair; those that do not occur cost little."""
    _, data = text_parts(array)
    known = data.tobytes()
    for plain, instead in pairs:
        if plain.encode() in known:
            array = pc.replace_substring(array, plain, instead)
    return array


class Alphabet:
    """A set of bytes; tells quickly whether a column of texts has any of them."""

    def __init__(self, members: bytes) -> None:
        self._members = members
        self._table = np.zeros(256, dtype=bool)
        self._table[list(members)] = True

    def __or__(self, other: Alphabet) -> Alphabet:
        return Alphabet(self._members + other._members)

    def in_any(self, array: pa.Array) -> bool:
        """Whether one of the texts has one of the bytes."""
        _, data = text_parts(array)
        return bool(self._table[data].any())


_NOT_ASCII = Alphabet(bytes(range(0x80, 0x100)))


def plain_texts(column: Column, array: pa.Array) -> pa.Array:
    """Return the values of a text, region or timestamp column as text.

    Timestamps are ISO 8601 without a zone and with no more decimals than needed (DALI 1.1, section 3.1.2).
    In columns declared ``char`` what is not ASCII becomes a question mark.
    """
    if column.kind is Kind.TIMESTAMP:
        return _timestamps(array)
    if votable_type(column).datatype == "char" and _NOT_ASCII.in_any(array):
        return pc.replace_substring_regex(array, r"[^\x00-\x7F]", "?")
    return array


def _timestamps(array: pa.Array) -> pa.Array:
    text = pc.replace_substring(array.cast(pa.string()), " ", "T")
    return pc.utf8_rtrim(pc.utf8_rtrim(text, "0"), ".")


def joined(parts: Iterable[pa.Array | str], separator: str = "", missing: str | None = None) -> pa.Array:
    """Join texts row by row; a row with a missing one is missing, or has ``missing`` in its place."""
    arguments = [text_scalar(part) if isinstance(part, str) else part for part in parts]
    if missing is None:
        return pc.binary_join_element_wise(*arguments, text_scalar(separator))
    return pc.binary_join_element_wise(
        *arguments, text_scalar(separator), null_handling="replace", null_replacement=missing
    )


def row_texts(
    columns: Sequence[Column],
    batch: pa.RecordBatch,
    style: Style,
    *,
    before: str = "",
    between: str,
    after: str,
) -> bytes:
    """Return rows as text: what stands before, between and after their cells; missing values are empty."""
    texts = [cells(column, array, style) for column, array in zip(columns, batch.columns, strict=True)]
    rows = joined(texts, between, missing="")
    return bytes(table_bytes(joined([before, rows, after])))


def cells(column: Column, array: pa.Array, style: Style) -> pa.Array:
    """Return a column's values as text in a style; missing values stay missing."""
    kind = column.kind
    if _is_list(array.type):
        return _lists(column, array, style)
    if array.null_count == len(array):
        return pa.nulls(len(array), pa.string())
    if kind is Kind.TIMESTAMP:
        return _quoted(plain_texts(column, array), style)
    if kind in (Kind.TEXT, Kind.REGION):
        return _quoted(style.escape(plain_texts(column, array)), style)
    return _plain(column, array, style)


def _quoted(array: pa.Array, style: Style) -> pa.Array:
    if not style.quote:
        return array
    return joined([style.quote, array, style.quote])


def _numbers(array: pa.Array, style: Style) -> pa.Array:
    text = array.cast(pa.string())
    if pa.types.is_floating(array.type) and not pc.all(pc.is_finite(array)).as_py():
        text = pc.if_else(pc.is_nan(array), text_scalar(style.nan), text)
        text = pc.if_else(pc.equal(array, np.inf), text_scalar(style.infinity), text)
        text = pc.if_else(pc.equal(array, -np.inf), text_scalar(style.minus_infinity), text)
    return text


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind))


def _lists(column: Column, array: pa.Array, style: Style) -> pa.Array:
    declared = votable_type(column)
    if style.fill_lists and declared.numbers is not None:
        array = _filled(array, declared.numbers)
    values = array.flatten()
    elements = _elements(column, values, style)
    lengths = numbers(pc.list_value_length(array), 0)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    text = pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), elements), style.list_separator)
    if style.list_open:
        text = joined([style.list_open, text, style.list_close])
    return pc.if_else(array.is_valid(), text, text_scalar(None))


def _filled(array: pa.Array, size: int) -> pa.Array:
    """Return lists of exactly ``size`` numbers, NULL ones where there are none."""
    kind = array.type.value_type
    array = pc.fill_null(array.cast(pa.list_(kind)), pa.scalar([], pa.list_(kind)))
    return pc.list_slice(array, 0, size, return_fixed_size_list=True)


def _elements(column: Column, values: pa.Array, style: Style) -> pa.Array:
    """Return elements of lists as text, and what stands for missing ones: a list cannot leave them out."""
    if style.nan is None:
        return pc.fill_null(_plain(column, values, style), text_scalar("null"))
    if pa.types.is_boolean(values.type):
        return pc.fill_null(_plain(column, values, style), text_scalar(style.missing))
    if pa.types.is_floating(values.type):
        return pc.fill_null(_plain(column, values, style), text_scalar(style.nan))
    null = np.iinfo(number_type(values.type)).min if column.null is None else column.null
    return pc.fill_null(_plain(column, values, style), text_scalar(str(null)))


def _plain(column: Column, values: pa.Array, style: Style) -> pa.Array:
    """Return numbers or booleans as text; missing ones stay missing."""
    if not pa.types.is_boolean(values.type):
        return _numbers(values, style)
    bits = votable_type(column).datatype == "bit"
    true, false = ("1", "0") if bits else (style.true, style.false)
    return pc.if_else(values, text_scalar(true), text_scalar(false))
