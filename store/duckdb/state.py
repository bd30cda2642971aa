"""What one version of the index is: the generation's rows, the delta's, and which of them are gone.

Delta tables in the engine only ever grow, and rows are numbered in the order they come; a state therefore
sees its version by two numbers (how many rows, how many removals) while later changes are being applied.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import schemas
from store.duckdb.layout import Manifest, StoredColumn, StoredTable
from store.duckdb.packed import PackedRows, load_packed
from store.duckdb.texts import TextIndex, file_name
from store.spherical import CoverIndex, PositionIndex, ShapeStore

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class RowIndex:
    """What finds some rows by sky and by text, and reads them by number.

    ``first_row`` is the number of the first shape's row; ``texts`` has those of ``StoredTable.text_indexes``.
    """

    positions: PositionIndex | None = None
    cover: CoverIndex | None = None
    shapes: ShapeStore | None = None
    first_row: int = 0
    texts: Mapping[str, TextIndex] = field(default_factory=dict)
    packed: PackedRows = field(default_factory=PackedRows)

    @classmethod
    def load(cls, folder: Path, table: StoredTable) -> RowIndex:
        """Map the index of a generation's table into memory."""
        stem = folder / table.stored_as
        return cls(
            PositionIndex.load(stem) if table.position else None,
            CoverIndex.load(stem) if table.region else None,
            ShapeStore.load(stem) if table.region else None,
            texts={
                name: TextIndex.load(stem, file_name(name, column.stored_as))
                for name, column in table.text_indexes.items()
            },
            packed=load_packed(stem, table),
        )


@dataclass(frozen=True)
class TableState:
    """The rows of one table at one version.

    Rows below ``base_rows`` are those of ``base``, the rest stand in the delta table ``stored``; ``gone`` are
    removed ones of both, sorted, ``removals`` how many entries of the engine's list of them count.
    """

    stored: StoredTable
    base: StoredTable | None = None
    base_index: RowIndex = field(default_factory=RowIndex)
    delta_rows: int = 0
    delta_index: RowIndex = field(default_factory=RowIndex)
    gone: IntArray = field(default_factory=lambda: np.empty(0, np.int64))
    removals: int = 0

    @property
    def base_rows(self) -> int:
        """How many rows the generation has."""
        return self.base.rows if self.base is not None else 0

    @property
    def end(self) -> int:
        """One above the highest row number."""
        return self.base_rows + self.delta_rows

    @property
    def count(self) -> int:
        """How many rows there are."""
        return self.end - len(self.gone)

    @property
    def columns(self) -> Mapping[str, str]:
        """The SQL name of each column by lower-case name."""
        return self.stored.sql_names

    def size(self, rows: IntArray) -> int:
        """Return how many bytes rows whose numbers are sorted have, packed."""
        return sum(index.packed.size(rows) for index in (self.base_index, self.delta_index))

    def read(self, rows: IntArray, wanted: AbstractSet[str]) -> pa.Table:
        """Return columns, by lower-case name, of rows whose numbers are sorted, removed ones too.

        Columns that no row has are left out, and so are arrays.
        """
        # A run may be older than all columns that are wanted; its rows have keys at least.
        columns = wanted | {name.lower() for name in self.stored.key}
        found = [
            table
            for index in (self.base_index, self.delta_index)
            for table in index.packed.tables(rows, columns)
        ]
        return pa.concat_tables(found, promote_options="default") if found else pa.table({})

    @cached_property
    def base_gone(self) -> IntArray:
        """Removed rows of the generation."""
        return self.gone[: np.searchsorted(self.gone, self.base_rows)]

    @cached_property
    def delta_gone(self) -> IntArray:
        """Removed rows of the delta."""
        return self.gone[np.searchsorted(self.gone, self.base_rows) :]

    @property
    def delta_name(self) -> str:
        """The SQL name of the delta table."""
        return f"d_{self.stored.stored_as}"

    @property
    def gone_name(self) -> str:
        """The SQL name of the list of removed rows."""
        return f"gone_{self.stored.stored_as}"


@dataclass(frozen=True)
class State:
    """All tables at one version, by lower-case name; ``virtual`` names the tables that hold TAP_SCHEMA."""

    version: int
    declared: schemas.Schemas
    tables: Mapping[str, TableState]
    virtual: Mapping[str, str]

    @property
    def delta_size(self) -> int:
        """How many rows the delta added or removed."""
        return sum(table.delta_rows + len(table.gone) for table in self.tables.values())

    @property
    def rows(self) -> int:
        """How many rows there are in all."""
        return sum(table.count for table in self.tables.values())


def base_tables(manifest: Manifest, folder: Path) -> dict[str, TableState]:
    """Return the tables of a generation as they stand."""
    return {
        name: TableState(table, table, RowIndex.load(folder, table))
        for name, table in manifest.by_name.items()
    }


def with_columns(table: TableState, declared: schemas.Table) -> TableState:
    """Return a table with the columns that its declaration has gained."""
    known = table.stored.by_name
    added = [column for column in declared.columns if column.name.lower() not in known]
    first = len(table.stored.columns)
    columns = tuple(_stored(column, f"c{first + place}") for place, column in enumerate(added))
    if not columns:
        return table
    return replace(table, stored=replace(table.stored, columns=(*table.stored.columns, *columns)))


def _stored(column: schemas.Column, name: str) -> StoredColumn:
    return StoredColumn(column.name, column.kind.value, column.array is not None, name)
