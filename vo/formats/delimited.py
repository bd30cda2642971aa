"""CSV (RFC 4180) and tab-separated values."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vo.cells.buffers import null_mask, text_parts
from vo.cells.text import Alphabet, Style, joined, replaced, row_texts
from vo.dali.rows import Rows
from vo.formats.ending import check_ending
from vo.votable.document import Head

_CSV_SPECIAL = Alphabet(b'",\r\n\t ')
_TSV_PAIRS = (("\t", " "), ("\n", " "), ("\r", " "))


def _escape_csv(array: pa.Array) -> pa.Array:
    """Quote what needs it; an empty text is quoted as well, which tells it from a missing one."""
    offsets, _ = text_parts(array)
    empty = bool(((np.diff(offsets) == 0) & ~null_mask(array)).any())
    if not empty and not _CSV_SPECIAL.in_any(array):
        return array
    quoted = joined(['"', pc.replace_substring(array, '"', '""'), '"'])
    return pc.if_else(pc.match_substring_regex(array, r'[",\r\n]|^\s|\s$|^$'), quoted, array)


def _escape_tsv(array: pa.Array) -> pa.Array:
    return replaced(array, _TSV_PAIRS)


_CSV = Style(escape=_escape_csv)
_TSV = Style(escape=_escape_tsv)


def write_csv(rows: Rows, head: Head) -> Iterator[bytes]:
    """Yield a line of names, then a line per row; a missing value is nothing, an empty text ``""``."""
    del head
    yield from _write(rows, _CSV, ",", "\r\n")


def write_tsv(rows: Rows, head: Head) -> Iterator[bytes]:
    """Yield a line of names, then a line per row; tabs and line ends within values become spaces."""
    del head
    yield from _write(rows, _TSV, "\t", "\n")


def _write(rows: Rows, style: Style, separator: str, line_end: str) -> Iterator[bytes]:
    names = style.escape(pa.array([column.name for column in rows.columns], pa.string()))
    yield (separator.join(names.to_pylist()) + line_end).encode()
    for batch in rows:
        yield row_texts(rows.columns, batch, style, between=separator, after=line_end)
    check_ending(rows)
