"""Publish a catalogue: a declaration made from its file, and its rows, in one batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from indexer.checks import Problems, check_rows
from indexer.columns import SourceColumn, convert
from indexer.errors import IngestError, in_words
from indexer.naming import ID_UCDS, ROW_ID, Described, describe, find_key, find_position, in_degrees
from indexer.reader import VERSION
from indexer.spherical import with_spherical_columns
from indexer.summary import Outcome, Summary
from indexer.tables import TableFile, open_table
from schemas import Column, Kind, Table, UnknownTableError
from schemas.arrow import MADE_BY
from schemas.model import REGULAR_IDENTIFIER
from schemas.words import RESERVED
from store.lake import Incompatible, Lake, LakeError

_OURS: Final = frozenset({"ivoa", "dbo", "phase3v2", "archive", "tap_schema", "tap_upload", "_lake"})
"""Schemas that hold no catalogues."""

Notes = Mapping[str, Mapping[str, str]]
"""What a file does not say of its columns itself: ``{column: {unit, ucd, utype, description, name}}``."""


def publish(
    path: str | Path,
    table_name: str,
    *,
    lake: Lake,
    title: str = "",
    version: str = "",
    description: str = "",
    source_table: str | None = None,
    columns: Notes | None = None,
) -> Summary:
    """Publish a VOTable, FITS, Parquet, CSV or SQLite table; one of the same name is replaced at once.

    Names become regular identifiers; units, UCDs and descriptions are kept. The position columns are found
    by UCD or name and kept in degrees. Rows are identified by the main id column if its values differ,
    else by a number.

    Parameters
    ----------
    table_name : ``schema.name`` of the catalogue.
    source_table : which table of a file that holds several.
    columns : what the file does not say of its columns.

    Raises
    ------
    IngestError
        When the file cannot be read or published, the name is not free, or the lake cannot be written.
    """
    schema_name, local_name = _checked_name(table_name)
    source = open_table(Path(path), source_table=source_table)
    noted = replace(source, columns=_noted(source.columns, columns or {}))
    table, described = declare(noted, schema_name, local_name)
    told = {"title": title, "version": version, "description": description or source.description or title}
    table = table.model_copy(update=told)
    summary = Summary()
    try:
        _write(lake, table, described, noted, summary)
    except Incompatible as error:
        raise IngestError("name", f"{error}.") from error
    except LakeError as error:
        raise IngestError("lake", in_words(error)) from error
    if table.position is None:
        summary.note(f"{table.name} has no position columns; it is not searched by position.")
    return summary


def unpublish(table_name: str, *, lake: Lake) -> Summary:
    """Take a published catalogue back, rows and declaration.

    Raises
    ------
    IngestError
        When no catalogue of that name is published.
    """
    summary = Summary()
    try:
        with lake.writer("unpublish") as writer:
            writer.undeclare(table_name)
            summary.version = writer.commit({"table": table_name})
    except UnknownTableError:
        raise IngestError("name", f"No catalogue {table_name} is published.") from None
    except LakeError as error:
        raise IngestError("lake", in_words(error)) from error
    return summary


def _checked_name(name: str) -> tuple[str, str]:
    parts = name.split(".")
    if len(parts) != 2 or not all(REGULAR_IDENTIFIER.match(part) for part in parts):
        raise IngestError("name", f"{name} is no name of the form schema.table, of letters, digits and _.")
    reserved = [part for part in parts if part.upper() in RESERVED]
    if reserved:
        raise IngestError("name", f"{reserved[0]} is a reserved word of ADQL; choose another name.")
    if parts[0].lower() in _OURS:
        raise IngestError("name", f"{parts[0]} is one of the archive's own schemas; choose another.")
    return parts[0], parts[1]


def _noted(columns: Sequence[SourceColumn], notes: Notes) -> tuple[SourceColumn, ...]:
    known = {column.name for column in columns}
    unknown = [name for name in notes if name not in known]
    if unknown:
        raise IngestError("columns", f"The file has no column {', '.join(unknown)}.")
    return tuple(replace(c, **{k: v for k, v in notes.get(c.name, {}).items() if v}) for c in columns)


def declare(source: TableFile, schema_name: str, local_name: str) -> tuple[Table, list[Described]]:
    """Make the declaration of a catalogue from its file.

    Raises
    ------
    IngestError
        When it has columns of types that cannot be published, or two of one name.
    """
    twice = [name for name, count in Counter(c.name for c in source.columns).items() if count > 1]
    if twice:
        raise IngestError("columns", f"The file has the column {twice[0]} twice.")
    described = describe(source.columns, next(source.batches()).schema)
    position = find_position(described)
    if position is not None:
        described = in_degrees(described, position)
    key = find_key(described, _unique(source, described))
    columns = tuple(_declared(d.column, key) for d in described)
    if key is None:
        columns = (_ROW_NUMBER, *columns)
    table = Table(
        schema_name=schema_name,
        local_name=local_name,
        key=(key or ROW_ID,),
        position=position,
        columns=columns,
    )
    return table, described


_ROW_NUMBER: Final = Column(
    name=ROW_ID,
    kind=Kind.LONG,
    ucd="meta.record",
    required=True,
    description="Number of the row in the published file, counted from 1",
)


def _declared(column: Column, key: str | None) -> Column:
    return column.model_copy(update={"required": True, "indexed": True}) if column.name == key else column


def _unique(source: TableFile, described: Sequence[Described]) -> dict[str, bool]:
    """Tell which main id columns have a value of their own in every row."""
    ids = [d.source.name for d in described if (d.source.ucd or "").lower() in ID_UCDS]
    found = {}
    for name in ids:
        values = pa.chunked_array([chunk for rows in source.batches() for chunk in rows[name].chunks])
        found[name] = values.null_count == 0 and pc.count_distinct(values).as_py() == len(values)
    return found


def _write(
    lake: Lake, table: Table, described: Sequence[Described], source: TableFile, summary: Summary
) -> None:
    with lake.writer("publish") as writer:
        if table.name.lower() in lake.published():
            # Undeclared first, it starts empty whatever its columns were; readers see one change.
            writer.undeclare(table.name)
        writer.declare(table)
        for rows in _ready(table, described, source, summary):
            writer.append(table.name, rows)
        summary.version = writer.commit({"table": table.name, "accepted": summary.accepted})


def _ready(
    table: Table, described: Sequence[Described], source: TableFile, summary: Summary
) -> Iterator[pa.Table]:
    first = 1
    for found in source.batches():
        problems = Problems()
        columns: dict[str, Any] = {
            d.column.name: convert(d.column, found[d.source.name], d.factor, problems) for d in described
        }
        if table.key == (ROW_ID,):
            columns[ROW_ID] = pa.array(np.arange(first, first + found.num_rows))
        rows = check_rows(table, pa.table(columns), problems)
        rows = with_spherical_columns(table, rows, problems)
        rows = rows.append_column(MADE_BY, pa.repeat(f"publish onedfs={VERSION}", found.num_rows))
        for row, reason in sorted(problems.refused.items()):
            text = f"Row {row + first}: {reason.message}"
            summary.quarantine(f"row {row + first}", reason.code, text)
        kept = rows.filter(pa.array(problems.kept(found.num_rows)))
        summary.count(Outcome.ACCEPTED, kept.num_rows)
        first += found.num_rows
        yield kept
    for line in source.bad_lines:
        summary.quarantine(f"row {line.row}", "fields", f"Row {line.row}: {line.message}.")
