"""Merging the files of a table whose rows have positions: what lies together on the sky is put together.

The merged files follow each other by cell and so do the row groups in each, so that a reader who seeks a part
of the sky finds it in few groups. Rows that do not fit into memory together are first laid out file by file,
by ranges of cells, and then sorted file by file. ``deltalake``'s own way to do so holds them all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from deltalake.transaction import AddAction, RemoveAction
from numpy.typing import NDArray

from schemas.arrow import HEALPIX
from store.lake.actions import add, new_name, remove
from store.lake.groups import GROUP_ROWS, GroupWriter, cell_order, is_ordered
from store.lake.log import Log
from store.lake.room import require_room

IntArray = NDArray[np.int64]

MERGED_ROWS = 262_144
"""Rows of one merged file at most, about; so many are sorted in memory."""

MERGED_BYTES = 512 * 2**20
"""Bytes of columns, before they are compressed, of one merged file at most, about."""

MOST_PARTS = 64
"""Files that are made of others at once; of more, several runs are made."""

ROWS_AT_ONCE = 65_536
"""Rows that are laid out at a time."""


@dataclass(frozen=True, slots=True)
class _File:
    """One data file: its path below the table, its bytes, rows, and bytes before compression."""

    path: str
    size: int
    rows: int
    columns: int
    ordered: bool

    @classmethod
    def of(cls, table: Path, path: str) -> _File:
        with pq.ParquetFile(table / path) as file:
            metadata, schema = file.metadata, file.schema_arrow
            columns = sum(metadata.row_group(each).total_byte_size for each in range(metadata.num_row_groups))
            size = (table / path).stat().st_size
            return cls(path, size, metadata.num_rows, columns, is_ordered(metadata, schema))


def prepare_merge(
    log: Log, version: int, columns: Sequence[str], target_size: int
) -> list[AddAction | RemoveAction]:
    """Write what the files of a version become when they are merged; nothing is committed.

    Parameters
    ----------
    columns
        Those whose least and greatest values are noted in the log.
    target_size
        Bytes that a file should have. Those of half as many, or of half the rows that are merged at most,
        stay as they are when they are ordered by cell.

    Returns
    -------
    Actions of one commit, none when there is nothing to merge.
    """
    files = [_File.of(log.table, path) for path in log.files(version)]
    left = [file for file in files if not (file.ordered and _is_large(file, target_size))]
    actions: list[AddAction | RemoveAction] = []
    for run in _runs(left, target_size):
        parts = _parts(run, target_size)
        if len(run) <= parts and all(file.ordered for file in run):
            continue
        require_room(log.table, 8 * sum(file.size for file in run))
        paths = [log.table / file.path for file in run]
        actions.extend(remove(log.table, file.path, changes_rows=False) for file in run)
        names = _merged(log.table, paths, parts)
        actions.extend(add(log.table, name, columns, changes_rows=False) for name in names)
    return actions


def _is_large(file: _File, target_size: int) -> bool:
    return 2 * file.size >= target_size or 2 * file.rows >= MERGED_ROWS or 2 * file.columns >= MERGED_BYTES


def _parts(files: Sequence[_File], target_size: int) -> int:
    """Return how many files some are merged to."""
    size, rows = sum(file.size for file in files), sum(file.rows for file in files)
    columns = sum(file.columns for file in files)
    return max(1, -(-size // target_size), -(-rows // MERGED_ROWS), -(-columns // MERGED_BYTES))


def _runs(files: Sequence[_File], target_size: int) -> Iterator[list[_File]]:
    """Yield files that are merged with each other."""
    run: list[_File] = []
    for file in files:
        if run and _parts([*run, file], target_size) > MOST_PARTS:
            yield run
            run = []
        run.append(file)
    if run:
        yield run


def _merged(table: Path, paths: Sequence[Path], parts: int) -> list[str]:
    """Write the rows of some files ordered by cell; returns the names of the new files."""
    with ExitStack() as stack:
        schemas = [pq.read_schema(path).remove_metadata() for path in paths]
        schema = pa.unify_schemas(schemas)
        if parts > 1:
            # Vacuum finds what a writer that died leaves here.
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="_merging-", dir=table)))
            sources = [[path] for path in _laid_out(_dataset(paths, schema), parts, folder)]
        else:
            sources = [list(paths)]
        names = []
        for source in sources:
            names.append(new_name())
            _write_sorted(_dataset(source, schema).to_table(), table / names[-1])
        return names


def _dataset(paths: Sequence[Path], schema: pa.Schema) -> ds.Dataset:
    return ds.dataset([str(path) for path in paths], schema=schema, format="parquet")


def _write_sorted(rows: pa.Table, path: Path) -> None:
    order, rows = cell_order(rows), rows.combine_chunks()
    with GroupWriter(path, rows.schema) as writer:
        for first in range(0, rows.num_rows, GROUP_ROWS):
            writer.write(rows.take(order.slice(first, GROUP_ROWS)))


def _laid_out(rows: ds.Dataset, parts: int, folder: Path) -> list[Path]:
    """Write rows in any order to so many files, of equal numbers, that follow each other by cell."""
    bounds = _bounds(rows, parts)
    paths = [folder / f"{number}.parquet" for number in range(parts)]
    with ExitStack() as stack:
        writers = [
            stack.enter_context(pq.ParquetWriter(path, rows.schema, compression="lz4")) for path in paths
        ]
        for batch in rows.to_batches(batch_size=ROWS_AT_ONCE, batch_readahead=1, fragment_readahead=1):
            where = _places(_cells(batch.column(HEALPIX)), bounds)
            order = np.argsort(where, kind="stable")
            ends = np.cumsum(np.bincount(where, minlength=parts))
            some = pa.Table.from_batches([batch]).take(order)
            for writer, first, end in zip(writers, [0, *ends], ends, strict=False):
                if end > first:
                    writer.write_table(some.slice(first, end - first))
    return [path for path in paths if pq.read_metadata(path).num_rows]


def _bounds(rows: ds.Dataset, parts: int) -> IntArray:
    """Return the cells, ascending, that as many parts are divided by."""
    cells = _cells(rows.to_table(columns=[HEALPIX])[HEALPIX])
    places = np.arange(1, parts) * len(cells) // parts
    return np.asarray(np.partition(cells, places)[places])


def _places(cells: IntArray, bounds: IntArray) -> IntArray:
    """Return the part that each cell belongs to; those of many rows, such as of none, belong to several."""
    low, high = (np.searchsorted(bounds, cells, side=side) for side in ("left", "right"))
    return np.asarray(low + np.arange(len(cells)) % (high - low + 1), dtype=np.int64)


def _cells(values: pa.Array | pa.ChunkedArray) -> IntArray:
    """Return cells, those of rows without any last."""
    last = np.iinfo(np.int64).max
    return np.asarray(values.fill_null(last).to_numpy(zero_copy_only=False), dtype=np.int64)
