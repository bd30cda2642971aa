"""Cells of TABLEDATA as Arrow arrays (VOTable 1.4, section 5.1)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas import Column
from schemas.arrow import arrow_type
from schemas.datatype import Datatype
from schemas.votable import votable_type
from vo.uploads.fields import is_text
from vo.uploads.limits import Unreadable

_WORDS = {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False, "?": None, "": None}
_FLAGS = re.compile(r"[tfTF01?]+\Z")


def array_of(column: Column, cells: Sequence[str | None]) -> pa.Array:
    """Return the cells of a column; an empty one has no value.

    Raises
    ------
    Unreadable
        When a cell is none of the column's datatype.
    """
    kind = arrow_type(column)
    if is_text(column):
        return pa.array([cell or None for cell in cells], pa.string())
    if not votable_type(column).is_list:
        return elements(column, [cell.strip() if cell else None for cell in cells], kind)
    return _lists(column, cells, kind)


def elements(column: Column, words: Sequence[str | None], kind: pa.DataType) -> pa.Array:
    """Return numbers or booleans from their texts; what stands for a missing one is NULL."""
    if pa.types.is_boolean(kind):
        return pa.array([_flag(column, word) for word in words], kind)
    texts = pa.array([word or None for word in words], pa.string())
    try:
        found = texts.cast(kind)
    except pa.ArrowInvalid:
        found = _one_by_one(column, words, kind)
    if votable_type(column).datatype == "unsignedByte":
        _check_bytes(column, found)
    return without(found, column.null)


def without(array: pa.Array, null: int | None) -> pa.Array:
    """Return numbers with NULL in place of what stands for it."""
    if null is None or not len(array):
        return array
    return pc.if_else(pc.equal(array, pa.scalar(null, array.type)), pa.scalar(None, array.type), array)


def lists_of(column: Column, lengths: Sequence[int], values: pa.Array, missing: Sequence[bool]) -> pa.Array:
    """Return lists of given lengths over their elements, NULL where one is missing.

    A list of declared size whose elements are all missing is how VOTable writes one that is missing.
    """
    kind, declared = arrow_type(column), votable_type(column)
    gone = np.asarray(missing, bool)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    if pa.types.is_fixed_size_list(kind):
        return _fixed(kind.list_size, kind, values, offsets, gone)
    found = pa.ListArray.from_arrays(pa.array(offsets), values)
    if declared.size is not None and declared.datatype != "bit" and len(values):
        gone |= _all_missing(values, offsets)
    found = pc.if_else(pa.array(~gone), found, pa.scalar(None, found.type)) if gone.any() else found
    return found.cast(kind)


def _fixed(size: int, kind: pa.DataType, values: pa.Array, offsets: Any, gone: Any) -> pa.Array:
    """Return positions or circles: NULL where the numbers are."""
    numbers = np.full((len(gone), size), np.nan)
    here = np.flatnonzero(np.diff(offsets) == size)
    flat = values.to_numpy(zero_copy_only=False).astype(float)
    numbers[here] = flat[offsets[here][:, None] + np.arange(size)]
    gone = gone | np.isnan(numbers).all(axis=1)
    return pa.array([None if lost else row for lost, row in zip(gone, numbers.tolist(), strict=True)], kind)


def _all_missing(values: pa.Array, offsets: Any) -> Any:
    lost = values.is_null().to_numpy(zero_copy_only=False)
    if pa.types.is_floating(values.type):
        lost = lost | pc.fill_null(pc.is_nan(values), fill_value=True).to_numpy(zero_copy_only=False)
    counted = np.concatenate([[0], np.cumsum(lost)])
    lengths = np.diff(offsets)
    return (np.diff(counted[offsets]) == lengths) & (lengths > 0)


def _lists(column: Column, cells: Sequence[str | None], kind: pa.DataType) -> pa.Array:
    declared = votable_type(column)
    split = _splitter(declared)
    words: list[str] = []
    lengths, missing = [], []
    for row, cell in enumerate(cells):
        parts = split(cell or "")
        missing.append(not parts and not (declared.arraysize or "").endswith("*"))
        _check_length(column, declared, len(parts), row)
        lengths.append(len(parts))
        words += parts
    if (declared.arraysize or "").endswith("*"):
        # An empty cell is all that TABLEDATA has for a missing list and for one without elements.
        missing = [length == 0 for length in lengths]
    return lists_of(column, lengths, elements(column, words, _element_type(kind)), missing)


def _element_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type


def _check_length(column: Column, declared: Datatype, found: int, row: int) -> None:
    if not found:
        return
    step = declared.numbers or _step(declared)
    wrong = found != step if declared.numbers is not None else found % step
    if wrong:
        wanted = f"{step}" if declared.numbers is not None else f"a multiple of {step}"
        raise Unreadable(f"row {row + 1} of column {column.name!r} has {found} numbers, not {wanted}")


def _step(declared: Datatype) -> int:
    """Return of how many numbers the length of lists of any length is a multiple."""
    fixed = (declared.arraysize or "").split("x")[:-1]
    return math.prod(map(int, fixed)) * declared.width


def _splitter(declared: Datatype) -> Callable[[str], list[str]]:
    if declared.datatype not in ("boolean", "bit"):
        return str.split
    # Flags may stand without spaces between them.
    return lambda cell: [flag for word in cell.split() for flag in (word if _FLAGS.match(word) else [word])]


def _flag(column: Column, word: str | None) -> bool | None:
    try:
        return _WORDS[(word or "").lower()]
    except KeyError:
        raise Unreadable(f"column {column.name!r} has {word!r:.40}, which is no {_named(column)}") from None


def _one_by_one(column: Column, words: Sequence[str | None], kind: pa.DataType) -> pa.Array:
    """Return numbers in the forms that Arrow does not read: signs, hexadecimal, spelled infinities."""
    read: Callable[[str], Any] = _real if pa.types.is_floating(kind) else _integer
    word: str | None = None
    try:
        values = []
        for word in words:
            values.append(read(word) if word else None)
        return pa.array(values, kind)
    except (ValueError, OverflowError):
        raise Unreadable(f"column {column.name!r} has {word!r:.40}, which is no {_named(column)}") from None
    except pa.ArrowInvalid:
        raise Unreadable(
            f"column {column.name!r} has a number that is too large for {_named(column)}"
        ) from None


def _real(word: str) -> float:
    if "_" in word:
        raise ValueError(word)
    return float(word)


def _integer(word: str) -> int:
    if "_" in word or len(word) > 40:
        raise ValueError(word)
    return int(word, 16) if word.lower().startswith("0x") else int(word)


def _check_bytes(column: Column, array: pa.Array) -> None:
    bounds = pc.min_max(array)
    least, greatest = bounds["min"].as_py(), bounds["max"].as_py()
    if least is not None and (least < 0 or greatest > 255):
        raise Unreadable(f"column {column.name!r} has a number that is no unsignedByte")


def _named(column: Column) -> str:
    return votable_type(column).datatype
