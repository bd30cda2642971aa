"""Binary tables of FITS in VOTables (VOTable 1.4, section 5.2; FITS 4.0, section 7.3)."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from astropy.io import fits
from numpy.typing import NDArray

from schemas import Column
from schemas.votable import votable_type
from vo.uploads.binary import stored_bytes, values_at
from vo.uploads.fields import is_text
from vo.uploads.limits import Unreadable, UploadLimits
from vo.uploads.tabledata import without

_BLOCK = 2880
_MOST_BLOCKS = 200
_FORM = re.compile(r"(\d{0,9})([LXBIJKAEDCM])|(\d?)([PQ])([LXBIJKAEDCM])(\(\d*\))?")
_LETTERS = {
    "boolean": "L",
    "bit": "XL",
    "unsignedByte": "B",
    "short": "I",
    "int": "J",
    "long": "K",
    "char": "A",
    "unicodeChar": "A",
    "float": "E",
    "double": "D",
    "floatComplex": "C",
    "doubleComplex": "M",
}


@dataclass(frozen=True, slots=True)
class _Form:
    """How a FITS column is stored: elements in a row, or a descriptor of ``pointer`` bytes per number."""

    letter: str
    count: int
    pointer: int = 0

    @property
    def bytes(self) -> int:
        if self.pointer:
            return 2 * self.pointer
        if self.letter == "X":
            return (self.count + 7) // 8
        return self.count * {"L": 1, "B": 1, "A": 1, "I": 2, "J": 4, "E": 4, "M": 16}.get(self.letter, 8)


def read_fits(
    data: bytes, columns: Sequence[Column], limits: UploadLimits
) -> tuple[tuple[Column, ...], list[pa.Array]]:
    """Return the columns of the first binary table, which are those of the VOTable one by one.

    Raises
    ------
    Unreadable
        When it is none, or its columns are others.
    """
    header, start = _table_header(data)
    width, rows = _integer(header, "NAXIS1"), _integer(header, "NAXIS2")
    limits.check_rows(rows)
    forms = [_form(header, at) for at in range(_integer(header, "TFIELDS"))]
    if len(forms) != len(columns):
        raise Unreadable(f"its FITS table has {len(forms)} columns for {len(columns)} FIELDs")
    if sum(form.bytes for form in forms) != width or start + width * rows > len(data):
        raise Unreadable("its FITS table has another size than its header says")
    raw = np.frombuffer(data, np.uint8)
    begins = start + width * np.arange(rows, dtype=np.int64)
    heap = start + (_integer(header, "THEAP") if "THEAP" in header else width * rows)
    arrays, used = [], 0
    for at, (column, form) in enumerate(zip(columns, forms, strict=True)):
        places = _places(form, raw, begins, heap)
        used += int(places[1].sum())
        if used > 2 * limits.bytes:
            raise Unreadable("its FITS table has values that take more than they may")
        arrays.append(_array(_stored_as(column, form), form, raw, places, header.get(f"TNULL{at + 1}")))
        begins = begins + form.bytes
    return tuple(columns), arrays


def _array(column: Column, form: _Form, raw: NDArray[np.uint8], places: Any, null: Any) -> pa.Array:
    starts, counts = places
    declared = votable_type(column)
    sizes = (counts + 7) // 8 if form.letter == "X" else counts * (stored_bytes(declared, 8) // 8 or 1)
    if len(starts) and (int((starts + sizes).max()) > len(raw) or int(starts.min()) < 0):
        raise Unreadable(f"column {column.name!r} points to bytes that are not there")
    if declared.size is not None and (counts != declared.size).any() and not is_text(column):
        raise Unreadable(f"column {column.name!r} has not as many elements in FITS as its FIELD says")
    found = values_at(column, raw, (starts, counts), np.zeros(len(starts), bool), flags=False)
    if is_text(column):
        trimmed = pc.utf8_rtrim(found, " ")
        return pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)
    return without(found, null) if isinstance(null, int) and not declared.is_list else found


def _stored_as(column: Column, form: _Form) -> Column:
    """Return a column whose bytes are as FITS has them: texts are ASCII."""
    declared = votable_type(column)
    if form.letter not in _LETTERS[declared.datatype]:
        raise Unreadable(
            f"column {column.name!r} is {declared.datatype} in its FIELD but {form.letter} in FITS"
        )
    if declared.datatype == "unicodeChar":
        return column.model_copy(
            update={"votable": type(declared)("char", declared.arraysize, declared.xtype)}
        )
    if declared.datatype == "bit" and form.letter == "L":
        return column.model_copy(update={"votable": type(declared)("boolean", declared.arraysize)})
    return column


def _places(form: _Form, raw: NDArray[np.uint8], begins: NDArray[np.int64], heap: int) -> Any:
    """Return where values begin, and how many elements they have."""
    if not form.pointer:
        return begins, np.full(len(begins), form.count, np.int64)
    kind = ">i4" if form.pointer == 4 else ">i8"
    found = (
        raw[begins[:, None] + np.arange(form.bytes)].reshape(-1).view(kind).reshape(-1, 2).astype(np.int64)
    )
    if (found < 0).any() or (found > len(raw)).any():
        raise Unreadable("its FITS table points to bytes that are not there")
    return heap + found[:, 1], found[:, 0]


def _form(header: fits.Header, at: int) -> _Form:
    text = str(header.get(f"TFORM{at + 1}", "")).strip()
    found = _FORM.fullmatch(text)
    scaled = header.get(f"TSCAL{at + 1}", 1) != 1 or header.get(f"TZERO{at + 1}", 0) != 0
    if found is None or scaled:
        raise Unreadable(
            f"column {at + 1} of its FITS table has the form {text[:20]!r}, or a scale, that is not read"
        )
    if found[4]:
        return _Form(found[5], 0, 4 if found[4] == "P" else 8)
    return _Form(found[2], int(found[1] or 1))


def _table_header(data: bytes) -> tuple[fits.Header, int]:
    """Return the header of the first binary table, and where its data begin."""
    at = 0
    while at < len(data):
        header, at = _header(data, at)
        if header.get("XTENSION", "").strip() == "BINTABLE":
            return header, at
        at += _data_bytes(header)
    raise Unreadable("its FITS file has no binary table")


def _header(data: bytes, at: int) -> tuple[fits.Header, int]:
    text = b""
    for _ in range(_MOST_BLOCKS):
        block = data[at : at + _BLOCK]
        at += _BLOCK
        text += block
        if len(block) < _BLOCK:
            break
        if any(block[card : card + 8] == b"END     " for card in range(0, _BLOCK, 80)):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return fits.Header.fromstring(text), at
    raise Unreadable("its FITS header has no end")


def _data_bytes(header: fits.Header) -> int:
    axes = [_integer(header, f"NAXIS{axis + 1}") for axis in range(min(_integer(header, "NAXIS"), 999))]
    values = math.prod(axes) if axes else 0
    size = abs(int(header.get("BITPIX", 8))) // 8 * (values + int(header.get("PCOUNT", 0)))
    return max(0, -(-size // _BLOCK) * _BLOCK)


def _integer(header: fits.Header, name: str) -> int:
    value = header.get(name, 0)
    if not isinstance(value, int) or not 0 <= value < 2**40:
        raise Unreadable(f"its FITS header has no usable {name}")
    return value
