"""What a generation on disk looks like, and how declared columns are named in the engine.

A generation is a folder ``<index>/<version>`` that never changes once it has this name::

    manifest.json      what is in it (:class:`Manifest`)
    index.duckdb       a table per indexed table, opened read-only
    t3.position-cell.npy …  the spherical index of a table with positions or footprints
    t3.text-c4-hash.npy …   the index of a column of texts that name rows
    t3.packed.bin …    its rows by their number, packed (:mod:`store.packed`)
    in-use             locked (shared) by every process that reads it

Names in the engine are made here and nowhere else: tables ``t0``, columns ``c0``; no declared name reaches
SQL.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import schemas
from schemas import Kind
from schemas.names import holds_names, key_column

FORMAT = 7
"""Version of the layout; a generation of another one is rebuilt."""

MANIFEST = "manifest.json"
DATABASE = "index.duckdb"
IN_USE = "in-use"

ROW = "_row"
"""Column with the row number, beside those that ``store.sql`` knows."""


class BadGenerationError(Exception):
    """A generation's folder cannot be read, or is of another format."""


@dataclass(frozen=True)
class StoredColumn:
    """A declared column as a generation stores it."""

    name: str
    kind: str
    array: bool
    stored_as: str


@dataclass(frozen=True)
class StoredTable:
    """A table as a generation stores it."""

    name: str
    stored_as: str
    rows: int
    key: tuple[str, ...]
    position: tuple[str, str] | None
    region: str | None
    columns: tuple[StoredColumn, ...]
    texts: tuple[str, ...] = ()
    """Columns, by lower-case name, whose texts are indexed."""
    names: tuple[str, ...] = ()
    """Columns, by lower-case name, of whose names the keys are indexed."""

    @cached_property
    def by_name(self) -> Mapping[str, StoredColumn]:
        """Columns by lower-case name."""
        return {column.name.lower(): column for column in self.columns}

    @cached_property
    def sql_names(self) -> Mapping[str, str]:
        """The SQL name of each column by lower-case name."""
        return {name: column.stored_as for name, column in self.by_name.items()}

    @cached_property
    def packed(self) -> tuple[StoredColumn, ...]:
        """The columns that packed rows have: all but arrays."""
        return tuple(column for column in self.columns if not column.array)

    @cached_property
    def text_indexes(self) -> Mapping[str, StoredColumn]:
        """The columns whose texts, or the keys of these, are indexed, by what the index is called."""
        keys = {key_column(name): self.by_name[name] for name in self.names}
        return {name: self.by_name[name] for name in self.texts} | keys

    def holds(self, table: schemas.Table) -> bool:
        """Whether rows of a declaration fit here: the same but for columns that were added or dropped."""
        same = (self.key, self.position, self.region) == (table.key, table.position, table.region)
        return same and all(
            (stored.kind, stored.array) == (column.kind.value, column.array is not None)
            for name, stored in self.by_name.items()
            if (column := table.by_name.get(name)) is not None
        )


@dataclass(frozen=True)
class Manifest:
    """What a generation holds: the rows of all indexed tables at one lake version."""

    version: int
    tables: tuple[StoredTable, ...]
    format: int = FORMAT

    @cached_property
    def by_name(self) -> Mapping[str, StoredTable]:
        """Tables by lower-case name."""
        return {table.name.lower(): table for table in self.tables}

    def write(self, folder: Path) -> None:
        """Write it into a generation's folder."""
        (folder / MANIFEST).write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read a generation's manifest.

        Raises
        ------
        BadGenerationError
            When it is missing, damaged or of another format.
        """
        try:
            data = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            if data["format"] != FORMAT:
                raise BadGenerationError(f"{folder.name}: format {data['format']}, not {FORMAT}")
            return cls(data["version"], tuple(_stored_table(table) for table in data["tables"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadGenerationError(f"{folder.name}: {error}") from error


def _stored_table(data: dict[str, Any]) -> StoredTable:
    position = data["position"]
    columns = tuple(StoredColumn(**column) for column in data["columns"])
    fixed = {
        "columns": columns,
        "key": tuple(data["key"]),
        "position": tuple(position) if position else None,
        "texts": tuple(data["texts"]),
        "names": tuple(data["names"]),
    }
    return StoredTable(**(data | fixed))


def stored_table(table: schemas.Table, number: int, rows: int = 0) -> StoredTable:
    """Choose the engine's names for a declared table."""
    columns = tuple(
        StoredColumn(column.name, column.kind.value, column.array is not None, f"c{place}")
        for place, column in enumerate(table.columns)
    )
    key = {name.lower() for name in table.key}
    texts = tuple(
        name
        for name, column in table.by_name.items()
        if column.kind is Kind.TEXT and (column.indexed or name in key)
    )
    names = tuple(name for name, column in table.by_name.items() if holds_names(column))
    return StoredTable(
        table.name, f"t{number}", rows, table.key, table.position, table.region, columns, texts, names
    )


def generations(folder: Path) -> list[tuple[int, Path]]:
    """List the finished generations below the index folder, oldest first."""
    if not folder.is_dir():
        return []
    found = [(int(entry.name), entry) for entry in folder.iterdir() if entry.name.isdigit()]
    return sorted(found)
