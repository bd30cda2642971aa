"""Write an answer as a VOTable while its rows arrive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum

import pyarrow as pa
import pyarrow.compute as pc
import pybase64

from vo.cells.text import Alphabet, Style, replaced, row_texts
from vo.dali.rows import Rows
from vo.votable.binary import encode
from vo.votable.document import Head, Info, closing_info, envelope


class Serialization(StrEnum):
    """How VOTable holds the rows."""

    TABLEDATA = "TABLEDATA"
    BINARY = "BINARY"
    BINARY2 = "BINARY2"


_ENTITIES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\r", "&#13;"))

_CONTROL = Alphabet(bytes(range(9)) + b"\x0b\x0c" + bytes(range(0x0E, 0x20)) + b"\xef")
"""Bytes that XML cannot hold; 0xEF begins U+FFFE and U+FFFF."""

_SPECIAL = _CONTROL | Alphabet(b"&<>\r")
"""Bytes of texts that need care in XML."""


def escape_xml(array: pa.Array) -> pa.Array:
    """Return texts as XML character data; what XML cannot hold is left out."""
    if not _SPECIAL.in_any(array):
        return array
    array = replaced(array, _ENTITIES)
    if not _CONTROL.in_any(array):
        return array
    return pc.replace_substring_regex(array, r"[\x00-\x08\x0B\x0C\x0E-\x1F\x{FFFE}\x{FFFF}]", "")


_STYLE = Style(
    escape=escape_xml,
    true="T",
    false="F",
    missing="?",
    nan="NaN",
    infinity="+Inf",
    minus_infinity="-Inf",
    fill_lists=True,
)


def write(rows: Rows, head: Head, serialization: Serialization) -> Iterator[bytes]:
    """Yield the document: its head at once, each batch as it comes, and how the rows ended."""
    data: list[tuple[str, dict[str, str]]] = [(serialization.value, {})]
    if serialization is not Serialization.TABLEDATA:
        data.append(("STREAM", {"encoding": "base64"}))
    infos = (Info("QUERY_STATUS", "OK"), *head.infos, *(Info("WARNING", "", note) for note in rows.notes))
    full = replace(head, infos=infos)
    declare_null = serialization is Serialization.BINARY
    before, between, after = envelope(rows.columns, full, data, declare_null=declare_null)
    yield before
    if serialization is Serialization.TABLEDATA:
        for batch in rows:
            yield row_texts(
                rows.columns, batch, _STYLE, before="<TR><TD>", between="</TD><TD>", after="</TD></TR>\n"
            )
    else:
        yield from _base64(_stream(rows, flags=serialization is Serialization.BINARY2))
    yield between
    ending = rows.ending
    if ending is not None and ending.status != "OK":
        yield closing_info(Info("QUERY_STATUS", ending.status, ending.text))
    yield after


def _stream(rows: Rows, *, flags: bool) -> Iterator[memoryview]:
    for batch in rows:
        yield from encode(rows.columns, batch, flags=flags)


def _base64(pieces: Iterator[memoryview]) -> Iterator[bytes]:
    """Yield base64 lines; what does not fill three bytes waits for the next piece."""
    rest = b""
    for piece in pieces:
        data = rest + piece if rest else piece
        whole = len(data) - len(data) % 3
        rest = bytes(data[whole:])
        yield pybase64.b64encode(data[:whole]) + b"\n"
    if rest:
        yield pybase64.b64encode(rest) + b"\n"
