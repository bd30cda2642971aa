"""Read tables from files, whatever the format, as Arrow tables with the columns' descriptions."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from indexer.astrotables import fits_table, votable_columns, votable_table
from indexer.columns import SourceColumn
from indexer.errors import IngestError

BATCH_ROWS: Final = 100_000
"""Rows of one batch at most."""

_CSV_BLOCK: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line of a text table that has not as many fields as there are columns."""

    row: int
    message: str


@dataclass(frozen=True, slots=True)
class TableFile:
    """A table in a file.

    Attributes
    ----------
    columns : in the order of the file.
    rows : how many there are, None when only reading tells.
    batches : reads it from the start; a table without rows is one batch without rows.
    bad_lines : filled while reading: lines that are no rows.
    """

    columns: tuple[SourceColumn, ...]
    batches: Callable[[], Iterator[pa.Table]]
    rows: int | None = None
    description: str = ""
    bad_lines: list[BadLine] = field(default_factory=list)


def open_table(path: Path, *, source_table: str | None = None, as_text: bool = False) -> TableFile:
    """Open a Parquet, CSV, TSV, VOTable, FITS or SQLite file; its first bytes tell which.

    Parameters
    ----------
    path : the file.
    source_table : which of several tables: an extension name, an SQLite table; by default the first.
    as_text : leave the values of CSV as text instead of guessing their types.

    Raises
    ------
    IngestError
        When it cannot be read, or is none of these.
    """
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except OSError as error:
        raise IngestError("unreadable", f"{path} cannot be read: {error.strerror}.") from error
    with _as_ingest_error(path):
        found = _opener(path, start, source_table, as_text=as_text)()
    return replace(found, batches=partial(_batches, path, found.batches))


@contextmanager
def _as_ingest_error(path: Path) -> Iterator[None]:
    try:
        yield
    except IngestError:
        raise
    except Exception as error:
        # Every reader has exceptions of its own; all of them mean that the file is not what it seems.
        raise IngestError("unreadable", f"{path} cannot be read as a table: {error}") from error


def _batches(path: Path, read: Callable[[], Iterator[pa.Table]]) -> Iterator[pa.Table]:
    """Read a table; what is wrong further on in the file is found only here."""
    with _as_ingest_error(path):
        batches = read()
    while True:
        with _as_ingest_error(path):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


def _opener(path: Path, start: bytes, name: str | None, *, as_text: bool) -> Callable[[], TableFile]:
    if start.startswith(b"PAR1"):
        return partial(_parquet, path)
    if start.startswith(b"SQLite format 3\0"):
        return partial(_sqlite, path, name)
    if start.startswith(b"SIMPLE  ="):
        return partial(_whole, lambda: fits_table(path, name))
    head = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if head.startswith(b"<") or {".vot", ".votable", ".xml"} & set(suffixes):
        return partial(_whole, lambda: votable_table(path, name))
    if {".csv", ".tsv", ".txt", ".tab"} & set(suffixes):
        return partial(_csv, path, "\t" if {".tsv", ".tab"} & set(suffixes) else ",", as_text=as_text)
    raise IngestError("format", f"{path} is no Parquet, CSV, TSV, VOTable, FITS or SQLite file.")


def _parquet(path: Path) -> TableFile:
    with pq.ParquetFile(path) as file:
        schema, rows = file.schema_arrow, file.metadata.num_rows
    described = votable_columns((schema.metadata or {}).get(b"IVOA.VOTable-Parquet.content", b""))
    columns = tuple(described.get(field.name) or _of_field(field) for field in schema)
    return TableFile(columns, partial(_parquet_batches, path), rows)


def _of_field(field: pa.Field) -> SourceColumn:
    said = {key.decode().lower(): value.decode() for key, value in (field.metadata or {}).items()}
    return SourceColumn(
        field.name, said.get("unit"), said.get("ucd"), said.get("utype"), said.get("description", "")
    )


def _parquet_batches(path: Path) -> Iterator[pa.Table]:
    with pq.ParquetFile(path) as file:
        if not file.metadata.num_rows:
            yield file.schema_arrow.empty_table()
        for batch in file.iter_batches(batch_size=BATCH_ROWS):
            yield pa.Table.from_batches([batch])


def _csv(path: Path, delimiter: str, *, as_text: bool) -> TableFile:
    bad: list[BadLine] = []
    with path.open("rb") as file:
        names = _csv_reader(path, delimiter, {}, bad).schema.names if file.read(1) else []
    if not names:
        raise IngestError("empty", f"{path} has no header line.")
    types = {name: pa.string() for name in names} if as_text else _csv_types(path, delimiter)
    bad.clear()

    def batches() -> Iterator[pa.Table]:
        reader = _csv_reader(path, delimiter, types, bad)
        empty = iter([reader.schema.empty_table()])
        yield from _regrouped(chain(empty, (pa.Table.from_batches([batch]) for batch in reader)))

    return TableFile(tuple(SourceColumn(name) for name in names), batches, bad_lines=bad)


def _csv_types(path: Path, delimiter: str) -> Mapping[str, pa.DataType]:
    """Return the narrowest type that all values of each column have."""
    table = pacsv.read_csv(
        path, parse_options=pacsv.ParseOptions(delimiter=delimiter, invalid_row_handler=lambda _: "skip")
    )
    return {field.name: pa.string() if pa.types.is_null(field.type) else field.type for field in table.schema}


def _csv_reader(
    path: Path, delimiter: str, types: Mapping[str, pa.DataType], bad: list[BadLine]
) -> pacsv.CSVStreamingReader:
    def skip(row: pacsv.InvalidRow) -> str:
        number = (row.number or 2) - 1
        bad.append(BadLine(number, f"it has {row.actual_columns} fields instead of {row.expected_columns}"))
        return "skip"

    return pacsv.open_csv(
        path,
        read_options=pacsv.ReadOptions(block_size=_CSV_BLOCK, use_threads=False),
        parse_options=pacsv.ParseOptions(
            delimiter=delimiter, newlines_in_values=True, invalid_row_handler=skip
        ),
        convert_options=pacsv.ConvertOptions(
            column_types=dict(types), strings_can_be_null=True, null_values=[""] if types else None
        ),
    )


def _regrouped(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Yield tables of ``BATCH_ROWS`` rows, the last one of fewer, one at least."""
    waiting: list[pa.Table] = []
    count, total = 0, 0
    for table in tables:
        total += table.num_rows
        waiting.append(table)
        count += table.num_rows
        while count >= BATCH_ROWS:
            joined = pa.concat_tables(waiting)
            yield joined.slice(0, BATCH_ROWS)
            waiting = [joined.slice(BATCH_ROWS)]
            count -= BATCH_ROWS
    if count or not total:
        yield pa.concat_tables(waiting)


def _whole(read: Callable[[], tuple[Sequence[SourceColumn], pa.Table, str]]) -> TableFile:
    columns, table, description = read()
    return TableFile(
        tuple(columns), lambda: _regrouped(iter([table])), table.num_rows, description=description
    )


def _sqlite(path: Path, name: str | None) -> TableFile:
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    with connection:
        known = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        if name is None and len(known) != 1:
            raise IngestError("table", f"{path} holds {', '.join(known) or 'no tables'}: name one of them.")
        chosen = name or known[0]
        if chosen not in known:
            raise IngestError("table", f"{path} has no table {chosen}; it holds {', '.join(known)}.")
        quoted = '"' + chosen.replace('"', '""') + '"'
        cursor = connection.execute(f"SELECT * FROM {quoted}")  # noqa: S608 - a quoted name that exists
        names = [column[0] for column in cursor.description]
        values = list(zip(*cursor.fetchall(), strict=True)) or [()] * len(names)
    connection.close()
    table = pa.table([_sqlite_array(column) for column in values], names=names)
    return _whole(lambda: ([SourceColumn(column) for column in names], table, ""))


def _sqlite_array(values: Sequence[Any]) -> pa.Array:
    """Return a column whose values may be of any types: integers, else numbers, else text."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int}:
        return pa.array(values, pa.int64())
    if kinds <= {int, float}:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    return pa.array([None if value is None else _text(value) for value in values], pa.string())


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
