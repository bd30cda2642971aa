"""Arrow arrays as plain numbers and bytes, without a step per cell."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


@cache
def text_scalar(text: str | None) -> pa.Scalar:
    """Return a constant text; Arrow takes ten times as long for a Python one."""
    return pa.scalar(text, pa.string())


_NUMBER_TYPES: dict[pa.DataType, np.dtype[Any]] = {
    pa.uint8(): np.dtype(np.uint8),
    pa.int16(): np.dtype(np.int16),
    pa.int32(): np.dtype(np.int32),
    pa.int64(): np.dtype(np.int64),
    pa.float32(): np.dtype(np.float32),
    pa.float64(): np.dtype(np.float64),
}


def number_type(kind: pa.DataType) -> np.dtype[Any]:
    """Return an Arrow number type as numpy's; KeyError when it is none of ours."""
    return _NUMBER_TYPES[kind]


def null_mask(array: pa.Array) -> NDArray[np.bool_]:
    """Return where an array has no value, shape (n,)."""
    if not array.null_count:
        return np.zeros(len(array), dtype=bool)
    return numbers(array.is_null(), 0).astype(bool)


def numbers(array: pa.Array, null: Any) -> NDArray[Any]:
    """Return an array of fixed-width numbers with ``null`` where there is no value, shape (n,).

    Booleans come as 0 and 1 (uint8).
    """
    if pa.types.is_boolean(array.type):
        array = array.cast(pa.uint8())
    dtype = number_type(array.type)
    found: NDArray[Any] = np.frombuffer(array.buffers()[1], dtype=dtype, count=array.offset + len(array))
    found = found[array.offset :]
    if array.null_count:
        found = np.where(null_mask(array), np.asarray(null, dtype=dtype), found)
    return found


def text_parts(array: pa.Array) -> tuple[NDArray[np.int64], Bytes]:
    """Return a text or binary array as offsets, shape (n + 1,), and the bytes they point into.

    The first offset is 0 and the last the number of bytes. A missing value has no bytes.
    """
    if array.null_count:
        array = pc.fill_null(array, text_scalar(""))
    _, offset_buffer, data_buffer = array.buffers()
    wide = pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type)
    offsets = np.frombuffer(offset_buffer, dtype=np.int64 if wide else np.int32)
    offsets = offsets[array.offset : array.offset + len(array) + 1].astype(np.int64)
    data = np.frombuffer(data_buffer or b"", dtype=np.uint8)[offsets[0] : offsets[-1]]
    return offsets - offsets[0], data


def binary_array(offsets: NDArray[Any], data: Bytes | bytes) -> pa.Array:
    """Return an Arrow binary array over offsets and bytes."""
    at = np.ascontiguousarray(offsets, dtype=np.int32)
    buffers = [None, pa.py_buffer(at), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.binary(), len(at) - 1, buffers)


def table_bytes(array: pa.Array) -> memoryview:
    """Return all bytes of a text or binary array without nulls, one value after the other."""
    _, data = text_parts(array)
    return data.data


def padded(offsets: NDArray[Any], data: Bytes, width: int) -> Bytes:
    """Return texts (``text_parts``) cut and filled with zero bytes to a width, shape (n, width)."""
    lengths = np.diff(offsets)
    found = np.zeros((len(lengths), width), dtype=np.uint8)
    within = np.arange(data.size) - np.repeat(offsets[:-1], lengths)
    at = np.repeat(np.arange(len(lengths)) * width, lengths) + within
    kept = within < width
    found.reshape(-1)[at[kept]] = data[kept]
    return found


def fixed_lists(array: pa.Array, size: int, null: Any) -> NDArray[Any]:
    """Return lists of numbers as a table of ``size`` columns, shape (n, size).

    Short and missing lists are filled with ``null``; longer ones are cut.
    """
    if not pa.types.is_fixed_size_list(array.type):
        array = pc.list_slice(array, 0, size, return_fixed_size_list=True)
    values = array.values.slice(array.offset * size, len(array) * size)
    found = numbers(values, null).reshape(len(array), size)
    if array.null_count:
        found = np.where(null_mask(array)[:, None], np.asarray(null, dtype=found.dtype), found)
    return found


def list_parts(array: pa.Array, null: Any) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return lists of numbers as their lengths, shape (n,), and all numbers; a missing list is empty."""
    lengths = numbers(pc.list_value_length(array), 0).astype(np.int64)
    return lengths, numbers(array.flatten(), null)
