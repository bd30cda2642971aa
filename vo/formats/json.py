"""JSON: one document with metadata, or one object per line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import orjson
import pyarrow as pa

from schemas import Column
from schemas.votable import votable_type
from vo.cells.buffers import table_bytes
from vo.cells.text import Alphabet, Style, cells, joined, replaced
from vo.dali.rows import Rows
from vo.formats.ending import check_ending
from vo.votable.document import Head

_SPECIAL = Alphabet(b'"\\' + bytes(range(32)))
_PAIRS = (
    ("\\", "\\\\"),
    ('"', '\\"'),
    ("\n", "\\n"),
    ("\t", "\\t"),
    *((chr(code), f"\\u{code:04x}") for code in range(32) if chr(code) not in "\n\t"),
)


def _escape(array: pa.Array) -> pa.Array:
    return replaced(array, _PAIRS) if _SPECIAL.in_any(array) else array


_STYLE = Style(
    escape=_escape,
    nan=None,
    infinity=None,
    minus_infinity=None,
    quote='"',
    list_open="[",
    list_separator=",",
    list_close="]",
)


def objects(columns: Sequence[Column], batch: pa.RecordBatch, separator: str = "\n") -> bytes:
    """Return a JSON object per row, each followed by ``separator``; NaN and infinities are null."""
    texts = _texts(columns, batch)
    names = [orjson.dumps(column.name).decode() for column in columns]
    keys = [("{" if first == 0 else ",") + name + ":" for first, name in enumerate(names)]
    parts = chain.from_iterable(zip(keys, texts, strict=True))
    return _ended(parts, "}" + separator)


def _arrays(columns: Sequence[Column], batch: pa.RecordBatch) -> bytes:
    texts = _texts(columns, batch)
    openings = ["[", *("," for _ in texts[1:])]
    return _ended(chain.from_iterable(zip(openings, texts, strict=True)), "],\n")


def _texts(columns: Sequence[Column], batch: pa.RecordBatch) -> list[pa.Array]:
    return [cells(column, array, _STYLE) for column, array in zip(columns, batch.columns, strict=True)]


def _ended(parts: Iterable[pa.Array | str], end: str) -> bytes:
    return bytes(table_bytes(joined([*parts, end], missing="null")))


def describe(column: Column) -> dict[str, Any]:
    """Return a column's description; what it does not say is left out."""
    declared = votable_type(column)
    found = {
        "name": column.name,
        "datatype": declared.datatype,
        "arraysize": declared.arraysize,
        "xtype": declared.xtype,
        "unit": column.unit,
        "ucd": column.ucd,
        "utype": column.utype,
        "description": column.description or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def write_json(rows: Rows, head: Head) -> Iterator[bytes]:
    """Yield ``{"metadata": [...], "data": [[...], ...], "status": ..., "message": ...}``."""
    infos = {info.name: info.value for info in head.infos}
    yield b'{"info":' + orjson.dumps(infos)
    yield b',\n"metadata":' + orjson.dumps([describe(column) for column in rows.columns])
    yield b',\n"data":[\n'
    pending = b""
    for batch in rows:
        text = _arrays(rows.columns, batch)
        yield pending
        # The last comma waits, for it is wrong after the last row.
        yield text[:-2]
        pending = text[-2:]
    ending = rows.ending
    status = "OK" if ending is None else ending.status
    message = "" if ending is None else ending.text
    yield b'\n],\n"status":' + orjson.dumps(status)
    yield b',"message":' + orjson.dumps(message) + b',"warnings":' + orjson.dumps(list(rows.notes)) + b"}\n"


def write_ndjson(rows: Rows, head: Head) -> Iterator[bytes]:
    """Yield one JSON object per line."""
    del head
    for batch in rows:
        yield objects(rows.columns, batch)
    check_ending(rows)
