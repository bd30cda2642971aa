"""The UPLOAD parameter (TAP 1.1, section 2.7.6): which tables come with a query, and their rows."""

from __future__ import annotations

import gzip
import io
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import pyarrow as pa

import schemas
from schemas.arrow import arrow_schema
from schemas.model import REGULAR_IDENTIFIER
from vo.dali import Parameters, UsageFault
from vo.uploads.apart import read_apart
from vo.uploads.delimited import read_csv
from vo.uploads.found import Found
from vo.uploads.limits import Unreadable, UploadLimits
from vo.uploads.values import settled, with_null
from vo.uploads.votable import read_votable

SCHEMA = "TAP_UPLOAD"
"""The schema that holds them."""

_MOST_TABLES = 20
_LONGEST_NAME = 64
_CHUNK = 2**20

Fetch = Callable[[str], BinaryIO]
"""Opens what a URL names; raises ``Unreadable``."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A table that came with a query."""

    table: schemas.Table
    rows: pa.Table


def read_uploads(params: Parameters, limits: UploadLimits, fetch: Fetch | None = None) -> tuple[Upload, ...]:
    """Read all tables that a request brings.

    ``fetch`` is None where tables are not read from URLs.

    Raises
    ------
    UsageFault
        When one cannot be read; names it, and says why.
    """
    found: list[Upload] = []
    for name, where in _named(params):
        try:
            with _opened(where, params, fetch) as file:
                columns, arrays = _read(file, where, params, limits)
        except Unreadable as error:
            raise UsageFault(f"the table {name} that came with the query cannot be read: {error}") from None
        found.append(_upload(name, columns, arrays))
    return tuple(found)


def _named(params: Parameters) -> Iterator[tuple[str, str]]:
    """Yield the name of each table and where it is; parameters and their parts add up."""
    seen: set[str] = set()
    parts = [part for value in params.many("UPLOAD") for part in value.split(";") if part.strip()]
    if len(parts) > _MOST_TABLES:
        raise UsageFault(f"UPLOAD names {len(parts)} tables; at most {_MOST_TABLES} come with a query")
    for part in parts:
        name, comma, where = (word.strip() for word in part.partition(","))
        if not comma or not where:
            raise UsageFault(f"UPLOAD is a table's name, a comma, and param:... or a URL, not {part[:60]!r}")
        name = name.removeprefix(f"{SCHEMA}.")
        if REGULAR_IDENTIFIER.match(name) is None or len(name) > _LONGEST_NAME:
            raise UsageFault(
                f"UPLOAD names a table {name[:40]!r}; up to {_LONGEST_NAME} letters, digits and _ are a name"
            )
        if name.lower() in seen:
            raise UsageFault(f"UPLOAD names {name} twice")
        seen.add(name.lower())
        yield name, where


@contextmanager
def _opened(where: str, params: Parameters, fetch: Fetch | None) -> Iterator[BinaryIO]:
    scheme, _, rest = where.partition(":")
    if scheme.lower() == "param":
        with _posted(params, rest) as file:
            yield file
        return
    if fetch is None:
        raise Unreadable("this service does not read tables from URLs; send it in the request as param:NAME")
    with fetch(where) as file:
        yield file


@contextmanager
def _posted(params: Parameters, name: str) -> Iterator[BinaryIO]:
    files = params.files(name)
    if len(files) > 1:
        raise Unreadable(f"the request has {len(files)} files named {name[:40]!r}")
    if files:
        files[0].file.seek(0)
        yield files[0].file
        return
    texts = params.many(name) if name in params else []
    if len(texts) != 1:
        raise Unreadable(f"the request has no file named {name[:40]!r}")
    with io.BytesIO(texts[0].encode()) as file:
        yield file


def _read(file: BinaryIO, where: str, params: Parameters, limits: UploadLimits) -> Found:
    """Read a file in the format that its first bytes, or else its media type, tell."""
    head = _head(file)
    if head[:2] == b"\x1f\x8b":
        with _unpacked(file, limits) as whole:
            return _read_plain(whole, limits, csv=_is_csv(where, params))
    return _read_plain(file, limits, csv=_is_csv(where, params))


def _read_plain(file: BinaryIO, limits: UploadLimits, *, csv: bool) -> Found:
    head = _head(file)
    if head[:4] == b"PAR1":
        return read_apart(file, limits)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text and not csv:
        raise Unreadable("it is empty")
    if text[:1] == b"<" or head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return read_votable(file, limits)
    if b"\0" in head:
        raise Unreadable("it is neither a VOTable nor Parquet nor CSV")
    return read_csv(file, limits)


def _head(file: BinaryIO) -> bytes:
    head = file.read(512)
    file.seek(0)
    return head


def _is_csv(where: str, params: Parameters) -> bool:
    files = params.files(where.partition(":")[2])
    return bool(files) and files[0].media_type.startswith("text/csv")


@contextmanager
def _unpacked(file: BinaryIO, limits: UploadLimits) -> Iterator[BinaryIO]:
    """Unpack a compressed file, up to the bytes that a request may have."""
    with tempfile.TemporaryFile() as whole:
        size = 0
        try:
            with gzip.GzipFile(fileobj=file) as packed:
                while chunk := packed.read(_CHUNK):
                    size += whole.write(chunk)
                    limits.check_bytes(size)
        except (OSError, EOFError, zlib.error):
            raise Unreadable("it is compressed, and damaged") from None
        whole.seek(0)
        yield whole


def _upload(name: str, columns: Sequence[schemas.Column], arrays: Sequence[pa.Array]) -> Upload:
    kept = [settled(column, array) for column, array in zip(columns, arrays, strict=True)]
    described = tuple(with_null(column, array) for column, array in kept)
    rows = pa.Table.from_arrays([array for _, array in kept], schema=arrow_schema(described))
    table = schemas.Table(schema_name=SCHEMA, local_name=name, key=(), columns=described, indexed=False)
    return Upload(table, rows)


def rows_of(uploads: Sequence[Upload]) -> Mapping[str, pa.Table]:
    """Return the rows of tables by their lower-case qualified name."""
    return {upload.table.name.lower(): upload.rows for upload in uploads}
