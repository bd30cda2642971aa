"""Deleting rows: files that hold some are written anew without them, one at a time, in bounded memory.

``deltalake``'s own delete and merge hold all files at once (gigabytes for a million wide rows) and
``delete`` overflows its stack on long key lists. The commit is an ordinary Delta commit that removes and adds
files; a note in it names a small file of the deleted keys, so that our feed need not compare whole files.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from deltalake.transaction import AddAction, RemoveAction

from store.lake.actions import add, new_name, remove
from store.lake.groups import GroupWriter
from store.lake.log import Log
from store.lake.rows import keys_of

ROWS_AT_ONCE = 32_768
"""Rows of a file in memory at a time."""

CHANGE_FOLDER = "_change_data"
"""Folder of files that only the change feed reads."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """Actions of one commit, and the file (below the table) of the keys that they delete."""

    actions: list[AddAction | RemoveAction]
    removed_keys: str


def prepare_deletion(log: Log, version: int, key: Sequence[str], keys: pa.Table) -> Deletion:
    """Write what a version's files become without the rows of some keys; nothing is committed.

    ``keys`` are of the table's types, each once.
    """
    actions: list[AddAction | RemoveAction] = []
    unwanted = keys_of(keys, key)
    for path in _touched(log, version, key, keys):
        actions.append(remove(log.table, path, changes_rows=True))
        kept = _rewritten(log.table, path, key, unwanted)
        if kept is not None:
            actions.append(kept)
    removed = f"{CHANGE_FOLDER}/removed-{uuid.uuid4()}.parquet"
    (log.table / CHANGE_FOLDER).mkdir(exist_ok=True)
    pq.write_table(keys, log.table / removed, compression="zstd")
    return Deletion(actions, removed)


def _touched(log: Log, version: int, key: Sequence[str], keys: pa.Table) -> list[str]:
    """Return the files that hold one of the keys."""
    paths = {str(log.table / path): path for path in log.files(version)}
    unwanted = keys_of(keys, key)
    scanner = ds.dataset(list(paths), schema=keys.schema, format="parquet").scanner(
        columns=list(key), filter=ds.field(key[0]).isin(pc.unique(keys[key[0]]))
    )
    found: set[str] = set()
    for tagged in scanner.scan_batches():
        held = keys_of(pa.Table.from_batches([tagged.record_batch]), key)
        if tagged.fragment.path not in found and pc.any(pc.is_in(held, value_set=unwanted)).as_py():
            found.add(tagged.fragment.path)
    return [path for name, path in paths.items() if name in found]


def _rewritten(table: Path, path: str, key: Sequence[str], unwanted: pa.ChunkedArray) -> AddAction | None:
    """Copy a file without some rows, in their order; None when nothing would be left."""
    name = new_name()
    with pq.ParquetFile(table / path) as file, GroupWriter(table / name, file.schema_arrow) as writer:
        for batch in file.iter_batches(ROWS_AT_ONCE):
            rows = pa.Table.from_batches([batch])
            writer.write(rows.filter(pc.invert(pc.is_in(keys_of(rows, key), value_set=unwanted))))
    if not writer.rows:
        (table / name).unlink()
        return None
    return add(table, name, key, changes_rows=True)
