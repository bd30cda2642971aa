"""FITS binary tables (FITS 4.0, section 7.3)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from astropy.io import fits
from numpy.typing import NDArray

from schemas import Column, Kind
from schemas.arrow import arrow_schema
from schemas.datatype import TEXTS
from schemas.votable import votable_type
from vo.cells.buffers import Bytes, fixed_lists, numbers, padded, text_parts
from vo.cells.text import plain_texts
from vo.dali.rows import Rows
from vo.formats.ending import check_ending
from vo.votable.binary import encoded, missing_number, null_integer
from vo.votable.document import Head

_BLOCK = 2880
_LETTERS = {
    "boolean": "L",
    "bit": "L",
    "unsignedByte": "B",
    "short": "I",
    "int": "J",
    "long": "K",
    "float": "E",
    "double": "D",
    "floatComplex": "C",
    "doubleComplex": "M",
}
_BYTES = {"L": 1, "B": 1, "I": 2, "J": 4, "K": 8, "E": 4, "D": 8, "C": 8, "M": 16}
_LOGICAL = np.frombuffer(b"FT\x00", dtype=np.uint8)


def write_fits(rows: Rows, head: Head) -> Iterator[bytes]:
    """Yield a FITS file with one binary table.

    A FITS header states the number of rows and the width of every text, so rows wait in a temporary file
    until all have come. Texts are ASCII in FITS: any other character becomes a question mark.
    """
    with tempfile.TemporaryFile() as spool:
        count, widths = _spool(rows, spool)
        check_ending(rows)
        yield _primary_header()
        yield _table_header(rows, head, count, widths)
        spool.seek(0)
        written = 0
        with pa.ipc.open_stream(spool) as reader:
            for batch in reader:
                block = _table_rows(rows.columns, batch, widths)
                written += len(block)
                yield block
        yield bytes(-written % _BLOCK)


def _spool(rows: Rows, spool: Any) -> tuple[int, list[int]]:
    """Keep all rows; return their number, and how many elements the widest value of each column has."""
    widths = [1] * len(rows.columns)
    count = 0
    with pa.ipc.new_stream(spool, arrow_schema(rows.columns)) as writer:
        for batch in rows:
            writer.write_batch(batch)
            count += batch.num_rows
            for at, column in enumerate(rows.columns):
                widths[at] = max(widths[at], _width(column, batch.column(at)))
    return count, widths


def _width(column: Column, array: pa.Array) -> int:
    declared = votable_type(column)
    if declared.size is not None:
        return declared.size
    if declared.datatype in TEXTS:
        found = pc.max(pc.utf8_length(plain_texts(column, array))).as_py()
    else:
        found = pc.max(pc.list_value_length(array)).as_py()
    return (found or 0) // declared.width


def _card_bytes(header: fits.Header) -> bytes:
    text: str = header.tostring()
    return text.encode("ascii")


def _primary_header() -> bytes:
    header = fits.Header()
    header["SIMPLE"] = True
    header["BITPIX"] = 8
    header["NAXIS"] = 0
    header["EXTEND"] = True
    return _card_bytes(header)


def _table_header(rows: Rows, head: Head, count: int, widths: Sequence[int]) -> bytes:
    forms = [_form(column, width) for column, width in zip(rows.columns, widths, strict=True)]
    header = fits.Header()
    header["XTENSION"] = "BINTABLE"
    header["BITPIX"] = 8
    header["NAXIS"] = 2
    header["NAXIS1"] = sum(size for _, size in forms)
    header["NAXIS2"] = count
    header["PCOUNT"] = 0
    header["GCOUNT"] = 1
    header["TFIELDS"] = len(forms)
    header["EXTNAME"] = _ascii(head.table_name)
    for number, (column, (form, _)) in enumerate(zip(rows.columns, forms, strict=True), start=1):
        header[f"TTYPE{number}"] = _ascii(column.name)
        header[f"TFORM{number}"] = form
        for key, text in (("TUNIT", column.unit), ("TUCD", column.ucd), ("TCOMM", column.description)):
            if text:
                header[f"{key}{number}"] = _ascii(text)
        null = null_integer(column)
        if null is not None:
            header[f"TNULL{number}"] = null
    for info in head.infos:
        header["COMMENT"] = _ascii(f"{info.name}: {info.value} {info.text}")
    if rows.ending is not None and rows.ending.status != "OK":
        header["COMMENT"] = _ascii(f"QUERY_STATUS: {rows.ending.status} {rows.ending.text}")
    return _card_bytes(header)


def _ascii(text: str) -> str:
    return "".join(char if " " <= char <= "~" else "?" for char in text)


def _form(column: Column, width: int) -> tuple[str, int]:
    """Return a column's TFORM and its bytes in a row."""
    datatype = votable_type(column).datatype
    if datatype in TEXTS:
        return f"{width}A", width
    letter = _LETTERS[datatype]
    return (f"{width}{letter}" if width != 1 else letter), width * _BYTES[letter]


def _table_rows(columns: Sequence[Column], batch: pa.RecordBatch, widths: Sequence[int]) -> bytes:
    parts = [
        _bytes(column, array, width)
        for column, array, width in zip(columns, batch.columns, widths, strict=True)
    ]
    return np.concatenate(parts, axis=1).tobytes()


def _bytes(column: Column, array: pa.Array, width: int) -> Bytes:
    """Return a column's bytes, shape (rows, bytes of the column)."""
    declared, logical = votable_type(column), column.kind is Kind.BOOLEAN
    if declared.datatype in TEXTS:
        return padded(
            *text_parts(pc.replace_substring_regex(plain_texts(column, array), r"[^\x20-\x7E]", "?")), width
        )
    null = 2 if logical else missing_number(column)
    values: NDArray[Any] = (
        fixed_lists(array, width * declared.width, null) if declared.is_list else numbers(array, null)
    )
    stored = _LOGICAL[values] if logical else encoded(declared, values)
    return stored.view(np.uint8).reshape(len(array), -1)
