"""Write a generation: all indexed tables of the lake at one version, sorted for the sky."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

import schemas
from schemas.arrow import BORDER, HEALPIX, INNER
from sky.footprints import Footprints
from store.duckdb.layout import DATABASE, IN_USE, ROW, Manifest, StoredTable, stored_table
from store.duckdb.packed import save_packed
from store.duckdb.rows import stored_rows
from store.duckdb.texts import HashArray, TextIndex, file_name, index_hashes
from store.spherical import CoverIndex, PositionIndex, ShapeStore
from store.spherical.shapes import joined

IntArray = NDArray[np.int64]


class Source(Protocol):
    """The lake as a generation needs it."""

    def schemas(self, version: int | None = None) -> schemas.Schemas:
        """Return the declarations in force at a version."""
        ...

    def batches(self, table: str, version: int | None = None) -> Iterable[pa.RecordBatch]:
        """Read a table's rows at a version, with the lake's own columns."""
        ...


def build_generation(
    source: Source, version: int, folder: Path, *, threads: int = 2, memory_limit: str = "1GB"
) -> Path:
    """Write the generation of a version below the index folder and return its own folder.

    It is written beside and renamed when it is complete, so that a half-written one is never seen. One of the
    same version makes way; who reads it keeps its files open.
    """
    target = folder / str(version)
    draft = folder / f"draft-{os.getpid()}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        tables = _write_tables(source, version, draft, threads, memory_limit)
        Manifest(version, tuple(tables)).write(draft)
        (draft / IN_USE).touch()
        _flush(draft)
        if target.exists():
            set_aside(target)
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    _flush_folder(folder)
    return target


def remove_drafts(folder: Path) -> None:
    """Remove what interrupted builds and removals left; only for who holds the follower's lease."""
    for pattern in ("draft-*", "gone-*"):
        for left in folder.glob(pattern):
            shutil.rmtree(left, ignore_errors=True)


def set_aside(generation: Path) -> None:
    """Take a generation away; under its own name it is there entirely or not at all."""
    gone = generation.with_name(f"gone-{generation.name}")
    shutil.rmtree(gone, ignore_errors=True)
    generation.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _write_tables(source: Source, version: int, draft: Path, threads: int, memory: str) -> list[StoredTable]:
    spill = draft / "spill"
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": threads,
        "memory_limit": memory,
        "temp_directory": str(spill),
    }
    with duckdb.connect(str(draft / DATABASE), config=config) as database:
        written = [
            _write_table(
                source, version, draft, database=database, stored=stored_table(table, number), table=table
            )
            for number, table in enumerate(source.schemas(version).indexed.values())
        ]
        database.execute("CHECKPOINT")
    shutil.rmtree(spill, ignore_errors=True)
    return written


def _write_table(
    source: Source,
    version: int,
    draft: Path,
    *,
    database: duckdb.DuckDBPyConnection,
    stored: StoredTable,
    table: schemas.Table,
) -> StoredTable:
    watched = _IndexedColumns(table, stored)
    rows = stored_rows(stored, watched.watch(source.batches(table.name, version)), extra=(_SEQUENCE,))
    order = [HEALPIX] if table.position else []
    order += [stored.by_name[name.lower()].stored_as for name in table.key]
    database.register("incoming", rows)
    # The engine sorts on disk where memory is short; the row number is the place in that order.
    database.execute(
        f"CREATE TABLE {stored.stored_as} AS SELECT *, row_number() OVER () - 1 AS {ROW} "
        f"FROM (SELECT * FROM incoming ORDER BY {', '.join(order)})"
    )
    database.unregister("incoming")
    placed = database.execute(
        f"SELECT {', '.join([_SEQUENCE, *([HEALPIX] if table.position else [])])} "
        f"FROM {stored.stored_as} ORDER BY {ROW}"
    ).fetchnumpy()
    watched.write(draft / stored.stored_as, placed)
    save_packed(draft / stored.stored_as, stored, _in_order(database, stored))
    database.execute(f"ALTER TABLE {stored.stored_as} DROP COLUMN {_SEQUENCE}")
    return replace(stored, rows=len(placed[_SEQUENCE]))


def _in_order(database: duckdb.DuckDBPyConnection, stored: StoredTable) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a table as it stores them, in the order of their numbers."""
    columns = {column.name: column.stored_as for column in stored.packed}
    names, count = list(columns), 0
    sql = f"SELECT {', '.join([ROW, *columns.values()])} FROM {stored.stored_as}"
    for batch in database.sql(sql).to_arrow_reader(_PACKED_AT_ONCE):
        if not np.array_equal(batch.column(0), np.arange(count, count + batch.num_rows)):
            raise RuntimeError(f"the rows of {stored.name} are not stored in the order of their numbers")
        count += batch.num_rows
        yield pa.RecordBatch.from_arrays(batch.columns[1:], names)


_PACKED_AT_ONCE = 16_384
"""Rows that are packed at once."""

_SEQUENCE = "_sequence"
"""Place of a row in the stream that the lake delivered."""


@dataclass
class _IndexedColumns:
    """Keeps what the indexes need of rows that stream by."""

    table: schemas.Table
    stored: StoredTable
    count: int = 0
    positions: list[NDArray[np.float64]] = field(default_factory=list)
    shapes: list[ShapeStore] = field(default_factory=list)
    inner: list[pa.Array] = field(default_factory=list)
    border: list[pa.Array] = field(default_factory=list)
    texts: dict[str, list[HashArray]] = field(default_factory=dict)

    def watch(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Pass batches on with the columns that sorting needs."""
        for batch in batches:
            extra = {_SEQUENCE: pa.array(np.arange(self.count, self.count + batch.num_rows, dtype=np.int64))}
            if self.table.position is not None:
                ra, dec = (as_floats(batch.column(name)) for name in self.table.position)
                self.positions.append(np.stack((ra, dec)))
            if self.table.region is not None:
                self.shapes.append(ShapeStore.of(Footprints.from_text(batch.column(self.table.region))))
                self.inner.append(batch.column(INNER))
                self.border.append(batch.column(BORDER))
            for name, column in self.stored.text_indexes.items():
                self.texts.setdefault(name, []).append(index_hashes(name, batch.column(column.name)))
            self.count += batch.num_rows
            for name, values in extra.items():
                batch = batch.append_column(name, values)  # noqa: PLW2901 - each step makes a new batch
            yield batch

    def write(self, stem: Path, placed: Mapping[str, IntArray]) -> None:
        """Write the indexes of rows in the order in which they are ``placed``; once.

        Raises
        ------
        RuntimeError
            When that is not the order of their cells.
        """
        sequence = placed[_SEQUENCE]
        if self.table.position is not None:
            cells = placed[HEALPIX]
            if (np.diff(cells) < 0).any():
                raise RuntimeError(f"the rows of {self.table.name} were not kept in the order of their cells")
            ra, dec = np.concatenate(self.positions, axis=1)[:, sequence] if self.count else np.empty((2, 0))
            self.positions.clear()
            PositionIndex(np.asarray(cells, np.int64), ra, dec).save(stem)
        if self.table.region is not None:
            shapes = joined(self.shapes)
            self.shapes.clear()
            shapes.reordered(sequence).save(stem)
            del shapes
            self._cover(sequence).save(stem)
        for name, column in self.stored.text_indexes.items():
            found = np.concatenate(self.texts.pop(name, []) or [np.empty(0, np.uint64)])
            TextIndex.build(found[sequence]).save(stem, file_name(name, column.stored_as))

    def _cover(self, sequence: IntArray) -> CoverIndex:
        lists = pa.list_(pa.int64())
        inner, border = pa.chunked_array(self.inner, lists), pa.chunked_array(self.border, lists)
        self.inner.clear()
        self.border.clear()
        place = np.empty(self.count, np.int64)
        place[sequence] = np.arange(self.count)
        return CoverIndex.from_lists(inner, border).renumbered(place)


def as_floats(column: pa.Array) -> NDArray[np.float64]:
    """Return a column as doubles, NULL as NaN."""
    return np.asarray(pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False))


def _flush(folder: Path) -> None:
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    _flush_folder(folder)


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
