"""The first table of a VOTable document, read as it comes (VOTable 1.4).

The parser knows no entities but XML's own, follows no reference, and stops where a limit is passed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, BinaryIO
from xml.parsers import expat

import pyarrow as pa
import pybase64

from schemas import Column
from vo.uploads.binary import read_rows
from vo.uploads.fields import FieldElement, check_names, column_of, row_bytes
from vo.uploads.fits import read_fits
from vo.uploads.found import Found
from vo.uploads.limits import Unreadable, UploadLimits
from vo.uploads.tabledata import array_of

_CHUNK = 2**16
_ROWS = 10_000
"""Rows of text that wait to become Arrow data."""

_MOST_DEPTH = 32
_MOST_SILENT = 16
"""Chunks that may be read within one tag or comment: the parser begins it anew with each of them."""

_MOST_ATTRIBUTES = 64
_LONGEST_TEXT = 10_000
_SPACES = b" \t\r\n"


class _Done(Exception):  # noqa: N818 - names the condition
    """The table has been read."""


def read_votable(file: BinaryIO, limits: UploadLimits) -> Found:
    """Read the first TABLE of a document.

    Raises
    ------
    Unreadable
        When it is no VOTable, or not one that can be read; says where and why.
    """
    reader = _Reader(limits)
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.buffer_size = _CHUNK
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.EntityDeclHandler = _no_entities
    try:
        while chunk := file.read(_CHUNK):
            parser.Parse(chunk, False)  # noqa: FBT003
            reader.check_progress()
        parser.Parse(b"", True)  # noqa: FBT003
    except _Done:
        pass
    except expat.ExpatError as error:
        raise Unreadable(
            f"it is no well-formed XML: {expat.ErrorString(error.code)} in line {error.lineno}"
        ) from None
    except Unreadable as error:
        raise Unreadable(f"{error} (line {parser.CurrentLineNumber})") from None
    return reader.found()


def _no_entities(*_: Any) -> None:
    raise Unreadable("it declares entities, which are not read")


class _Reader:
    """What has been read so far, element by element."""

    def __init__(self, limits: UploadLimits) -> None:
        self._limits = limits
        self._path: list[str] = []
        self._fields: list[dict[str, str]] = []
        self._descriptions: dict[int, str] = {}
        self._nulls: dict[int, str] = {}
        self._columns: tuple[Column, ...] | None = None
        self._row_bytes = 0
        self._count = 0
        self._row: list[str | None] = []
        self._waiting: list[list[str | None]] = []
        self._chunks: list[list[pa.Array]] = []
        self._stream: _Stream | None = None
        self._take: Callable[[str], None] | None = None
        self._parts: list[str] = []
        self._ended = False
        self._moved = False
        self._silent = 0
        self._begin: dict[str, Callable[[dict[str, str]], None]] = {
            "TD": self._begin_cell,
            "TR": self._begin_row,
            "TABLE": self._begin_table,
            "FIELD": self._begin_field,
            "VALUES": self._begin_values,
            "DESCRIPTION": self._begin_description,
            "DATA": self._begin_data,
            "TABLEDATA": self._begin_data,
            "STREAM": self._begin_stream,
        }

    def found(self) -> Found:
        """Return the table.

        Raises
        ------
        Unreadable
            When there was none.
        """
        if not self._ended:
            raise Unreadable("there is no TABLE in it" if self._path == [] else "it ends within its TABLE")
        columns = self._known()
        if not self._chunks:
            return columns, [array_of(column, []) for column in columns]
        return columns, [
            pa.chunked_array([chunk[at] for chunk in self._chunks], self._chunks[0][at].type)
            for at in range(len(columns))
        ]

    def check_progress(self) -> None:
        """Raise ``Unreadable`` where a tag or a comment has no end."""
        self._silent = 0 if self._moved else self._silent + 1
        self._moved = False
        if self._silent > _MOST_SILENT:
            raise Unreadable(f"it has a tag or a comment of more than {_MOST_SILENT * _CHUNK} bytes")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Begin an element."""
        self._moved = True
        tag, path = name.rpartition(" ")[2], self._path
        if not path and tag != "VOTABLE":
            raise Unreadable(f"it is no VOTable but has the element {tag[:40]!r}")
        path.append(tag)
        if len(path) > _MOST_DEPTH:
            raise Unreadable(f"its elements are nested more than {_MOST_DEPTH} deep")
        if len(attributes) > _MOST_ATTRIBUTES:
            raise Unreadable(f"the element {tag[:40]!r} has more than {_MOST_ATTRIBUTES} attributes")
        self._take = None
        begin = self._begin.get(tag)
        if begin is not None:
            begin(attributes)

    def end(self, name: str) -> None:
        """End an element."""
        tag = name.rpartition(" ")[2]
        self._path.pop()
        if tag == "TD":
            self._row.append("".join(self._parts) if self._parts else None)
            self._take = None
        elif tag == "TR":
            self._end_row()
        elif tag == "STREAM" and self._stream is not None:
            self._end_stream(self._stream)
        elif tag == "TABLE":
            self._known()
            self._flush()
            self._ended = True
            raise _Done
        else:
            self._take = None

    def text(self, text: str) -> None:
        """Take characters."""
        self._moved = True
        if self._take is not None:
            self._take(text)

    def _begin_table(self, attributes: dict[str, str]) -> None:
        if "ref" in attributes:
            raise Unreadable("its TABLE refers to another one; write the fields into it")

    def _begin_field(self, attributes: dict[str, str]) -> None:
        if self._path[-2] == "TABLE":
            self._fields.append(attributes)
            self._limits.check_columns(len(self._fields))

    def _begin_values(self, attributes: dict[str, str]) -> None:
        if self._path[-2] == "FIELD" and "null" in attributes:
            self._nulls[len(self._fields) - 1] = attributes["null"]

    def _begin_description(self, _: dict[str, str]) -> None:
        if self._path[-2] == "FIELD":
            self._take = self._describe

    def _begin_data(self, _: dict[str, str]) -> None:
        self._known()

    def _begin_row(self, _: dict[str, str]) -> None:
        self._row = []

    def _begin_cell(self, attributes: dict[str, str]) -> None:
        if "encoding" in attributes:
            raise Unreadable("it has encoded cells, which are not read")
        if len(self._row) >= len(self._known()):
            raise Unreadable(f"row {self._count + 1} has more cells than there are FIELDs")
        self._parts = []
        self._take = self._parts.append

    def _describe(self, text: str) -> None:
        at = len(self._fields) - 1
        known = self._descriptions.get(at, "")
        if len(known) < _LONGEST_TEXT:
            self._descriptions[at] = known + text

    def _known(self) -> tuple[Column, ...]:
        """Return the columns; no more FIELDs are expected."""
        if self._columns is None:
            self._limits.check_columns(len(self._fields))
            self._columns = tuple(
                column_of(
                    FieldElement(
                        field, " ".join(self._descriptions.get(at, "").split()), self._nulls.get(at)
                    ),
                    at,
                )
                for at, field in enumerate(self._fields)
            )
            check_names(self._columns)
            self._row_bytes = row_bytes(self._columns)
            self._limits.check_rows(1, self._row_bytes)
        return self._columns

    def _end_row(self) -> None:
        if len(self._row) != len(self._known()):
            raise Unreadable(
                f"row {self._count + 1} has {len(self._row)} cells for {len(self._known())} FIELDs"
            )
        self._count += 1
        self._waiting.append(self._row)
        if len(self._waiting) >= _ROWS:
            self._flush()

    def _flush(self) -> None:
        """Make Arrow data of the rows that wait."""
        if not self._waiting:
            return
        self._limits.check_rows(self._count, self._row_bytes)
        columns = zip(self._known(), zip(*self._waiting, strict=True), strict=True)
        self._chunks.append([array_of(column, cells) for column, cells in columns])
        self._waiting = []

    def _begin_stream(self, attributes: dict[str, str]) -> None:
        if "href" in attributes:
            raise Unreadable("its STREAM is elsewhere; write the data into the document")
        encoding = attributes.get("encoding", "none")
        if encoding != "base64":
            raise Unreadable(f"its STREAM has the encoding {encoding[:20]!r}; base64 is read")
        self._stream = _Stream()
        self._take = self._stream.add

    def _end_stream(self, stream: _Stream) -> None:
        data, form = stream.end(), self._path[-1]
        self._take = self._stream = None
        if form == "FITS":
            self._columns, arrays = read_fits(data, self._known(), self._limits)
        elif form in ("BINARY", "BINARY2"):
            arrays = read_rows(self._known(), data, self._limits, flags=form == "BINARY2")
        else:
            raise Unreadable(f"it has a STREAM in {form[:40]!r}")
        self._limits.check_rows(len(arrays[0]), self._row_bytes)
        self._chunks.append(list(arrays))


class _Stream:
    """Bytes in base64, decoded as they come."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._rest = b""

    def add(self, text: str) -> None:
        """Take some characters."""
        try:
            coded = self._rest + text.encode("ascii").translate(None, _SPACES)
            whole = len(coded) - len(coded) % 4
            self._data += pybase64.b64decode(coded[:whole], validate=True)
        except ValueError:
            raise Unreadable("its STREAM is not base64") from None
        self._rest = coded[whole:]

    def end(self) -> bytes:
        """Return all bytes."""
        if self._rest:
            raise Unreadable("its STREAM ends within four characters of base64")
        return bytes(self._data)
