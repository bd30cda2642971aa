"""Rows as the byte stream of VOTable's BINARY and BINARY2 (VOTable 1.4, sections 5.3 and 5.4).

A batch becomes a few Arrow columns of bytes that one Arrow kernel joins row by row: neighbouring columns of
fixed width are one block, a column of variable width is its lengths (in the block before it) and its bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas import Column
from schemas.datatype import TEXTS, Datatype
from schemas.votable import votable_type
from vo.cells.buffers import (
    Bytes,
    binary_array,
    fixed_lists,
    list_parts,
    null_mask,
    numbers,
    padded,
    table_bytes,
    text_parts,
)
from vo.cells.text import plain_texts

_NULL_INTEGER = {
    "short": -(2**15),
    "int": -(2**31),
    "long": -(2**63),
}
"""The number that stands for a missing integer in BINARY and in integer lists, by VOTable datatype."""

_CHUNK_BYTES = 64 * 2**20
"""Arrow bytes of one piece; the joined bytes must stay below Arrow's 2 GiB."""

_NOTHING = pa.scalar(b"", pa.binary())

_BOOLEANS = np.frombuffer(b"FT?", dtype=np.uint8)


def encode(columns: Sequence[Column], batch: pa.RecordBatch, *, flags: bool) -> Iterator[memoryview]:
    """Yield the bytes of a batch's rows; ``flags`` puts BINARY2's null flags before each row."""
    rows = max(1, batch.num_rows * _CHUNK_BYTES // max(batch.nbytes, _CHUNK_BYTES))
    for start in range(0, batch.num_rows, rows):
        yield _encode(columns, batch.slice(start, rows), flags=flags)


def _encode(columns: Sequence[Column], batch: pa.RecordBatch, *, flags: bool) -> memoryview:
    row = _RowBuilder(batch.num_rows)
    if flags:
        missing = np.stack([null_mask(array) for array in batch.columns], axis=1)
        row.fixed(np.packbits(missing, axis=1))
    for column, array in zip(columns, batch.columns, strict=True):
        _add(row, column, array)
    return row.joined()


class _RowBuilder:
    """Collects columns of bytes, and joins them row by row."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._block: list[Bytes] = []
        self._parts: list[pa.Array] = []

    def fixed(self, values: NDArray[Any]) -> None:
        """Add values of fixed width, already big-endian, shape (rows,) or (rows, n)."""
        values = np.ascontiguousarray(values)
        self._block.append(values.view(np.uint8).reshape(self._rows, -1))

    def variable(self, counts: NDArray[Any], offsets: NDArray[Any], data: Bytes | bytes) -> None:
        """Add values of variable width: their counts of elements, then their bytes."""
        self.fixed(counts.astype(">u4"))
        self._close_block()
        self._parts.append(binary_array(offsets, data))

    def _close_block(self) -> None:
        if self._block:
            block = self._block[0] if len(self._block) == 1 else np.concatenate(self._block, axis=1)
            offsets = np.arange(self._rows + 1, dtype=np.int64) * block.shape[1]
            self._parts.append(binary_array(offsets, np.ascontiguousarray(block).reshape(-1)))
            self._block = []

    def joined(self) -> memoryview:
        """Return all rows' bytes."""
        self._close_block()
        if len(self._parts) == 1:
            return table_bytes(self._parts[0])
        return table_bytes(pc.binary_join_element_wise(*self._parts, _NOTHING))


def _add(row: _RowBuilder, column: Column, array: pa.Array) -> None:
    declared, null = votable_type(column), missing_number(column)
    if declared.datatype in TEXTS:
        _add_text(row, column, array, declared)
    elif declared.datatype == "bit":
        _add_bits(row, array, declared)
    elif not declared.is_list:
        row.fixed(encoded(declared, numbers(array, null)))
    elif declared.numbers is not None:
        row.fixed(encoded(declared, fixed_lists(array, declared.numbers, null)))
    else:
        lengths, values = list_parts(array, null)
        values = encoded(declared, values)
        offsets = np.concatenate([[0], np.cumsum(lengths)]) * values.dtype.itemsize
        row.variable(lengths // declared.width, offsets, values.view(np.uint8))


def encoded(declared: Datatype, values: NDArray[Any]) -> NDArray[Any]:
    """Return numbers as VOTable and FITS store them, in the same shape."""
    if declared.datatype == "boolean":
        found: NDArray[Any] = _BOOLEANS[values]
        return found
    return big_endian(values.astype(np.uint8) if declared.datatype == "unsignedByte" else values)


def _add_bits(row: _RowBuilder, array: pa.Array, declared: Datatype) -> None:
    """Add bits, packed from the most significant one; a missing one is 0."""
    if not declared.is_list:
        # The first bit is the most significant one, but a reader in wide use looks at the fifth.
        row.fixed(numbers(array, 0) * np.uint8(0x88))
    elif declared.numbers is not None:
        row.fixed(np.packbits(fixed_lists(array, declared.numbers, 0), axis=1))
    else:
        lengths, bits = list_parts(array, 0)
        offsets = np.concatenate([[0], np.cumsum(-(-lengths // 8))])
        begin = np.concatenate([[0], np.cumsum(lengths)])[:-1]
        padded = np.zeros(8 * offsets[-1], np.uint8)
        padded[np.repeat(8 * offsets[:-1] - begin, lengths) + np.arange(bits.size)] = bits
        row.variable(lengths, offsets, np.packbits(padded))


def _add_text(row: _RowBuilder, column: Column, array: pa.Array, declared: Datatype) -> None:
    texts = plain_texts(column, array)
    offsets, data = text_parts(texts)
    if data.size and not data.min():
        # A zero byte would end the text for readers that follow C.
        offsets, data = text_parts(pc.replace_substring(texts, "\0", ""))
    wide = 2 if declared.datatype == "unicodeChar" else 1
    if wide == 2:
        offsets, data = _utf16(offsets, data)
    if declared.size is not None:
        row.fixed(padded(offsets, data, wide * declared.size))
    else:
        row.variable(np.diff(offsets) // wide, offsets, data)


def _utf16(offsets: NDArray[np.int64], data: Bytes) -> tuple[NDArray[np.int64], Bytes]:
    """Return UTF-8 texts as big-endian UTF-16."""
    if not data.size or data.max() < 0x80:
        wide = np.zeros(2 * data.size, dtype=np.uint8)
        wide[1::2] = data
        return offsets * 2, wide
    # A first byte of UTF-8 is one unit of UTF-16, and of four bytes two; continuation bytes are none.
    units = ((data & 0xC0) != 0x80).astype(np.int64) + (data >= 0xF0)
    at = np.concatenate([[0], np.cumsum(units)])
    encoded = data.tobytes().decode("utf-8").encode("utf-16-be")
    return at[offsets] * 2, np.frombuffer(encoded, dtype=np.uint8)


def null_integer(column: Column) -> int | None:
    """Return the number that stands for a missing one in BINARY and in lists; None where there is none.

    Of unsigned bytes each is a value, unless the column says which one is not.
    """
    return _NULL_INTEGER.get(votable_type(column).datatype) if column.null is None else column.null


def missing_number(column: Column) -> float:
    """Return what is written for a missing number or boolean of a column."""
    null = null_integer(column)
    if null is not None:
        return null
    return {"boolean": 2, "unsignedByte": 255}.get(votable_type(column).datatype, np.nan)


def big_endian(values: NDArray[Any]) -> NDArray[Any]:
    """Return numbers in network byte order, contiguous."""
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder(">"))
