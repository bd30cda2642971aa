"""Bring loaded rows into a table: new ones are appended, changed ones replaced, equal ones left alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from indexer.errors import RowRefused
from schemas import Table
from schemas.arrow import BATCH, MADE_BY
from store.lake import Lake, Writer

_DID: Final = "obs_publisher_did"
_FILES: Final = "archive.files"
_NOT_CONTENT: Final = frozenset({BATCH, MADE_BY, "last_mod_date"})
"""Columns that say when and how a row was made."""

_SEPARATOR: Final = "\x1f"


@dataclass(slots=True)
class Merged:
    """What became of a batch; ``refused`` is by row of the batch."""

    version: int
    accepted: int = 0
    unchanged: int = 0
    replaced: int = 0
    refused: dict[int, RowRefused] = field(default_factory=dict)


def merge(lake: Lake, table: Table, rows: pa.Table, kind: str = "load") -> Merged:
    """Settle and commit one batch under the lease.

    Raises
    ------
    store.lake.LakeError
        When the lake cannot be written.
    """
    with lake.writer(kind) as writer:
        merged = Merged(writer.version)
        keys = _keys(table, rows)
        held = _held_keys(writer, table, keys)
        simple = pc.count_distinct(keys).as_py() == rows.num_rows and not len(held)
        if simple and not _claimed_by_files(writer, table, keys):
            writer.append(table.name, rows)
            merged.accepted = rows.num_rows
        else:
            settling = _Settling(lake=lake, writer=writer, table=table, rows=rows, keys=keys, merged=merged)
            settling.settle(held)
        merged.version = writer.commit(
            {"accepted": merged.accepted, "replaced": merged.replaced, "table": table.name}
        )
    return merged


def _keys(table: Table, rows: pa.Table) -> pa.Array:
    parts = [rows[name].cast(pa.string()).combine_chunks() for name in table.key]
    return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, _SEPARATOR)


def _held_keys(writer: Writer, table: Table, keys: pa.Array) -> pa.Array:
    first = pc.list_element(pc.split_pattern(keys, _SEPARATOR), 0) if len(table.key) > 1 else keys
    found = writer.lookup(table.name, table.key[0], pc.unique(first).to_pylist())
    return pc.unique(pc.filter(held := _keys(table, found), pc.is_in(held, value_set=keys)))


def _claimed_by_files(writer: Writer, table: Table, keys: pa.Array) -> set[str]:
    """Return the keys that are ids of files; their rows come from their headers alone."""
    if table.key != ("dp_id",):
        return set()
    return set(writer.lookup(_FILES, "dp_id", keys.to_pylist())["dp_id"].to_pylist())


class _Settling:
    """A batch whose keys are not all new."""

    def __init__(
        self, *, lake: Lake, writer: Writer, table: Table, rows: pa.Table, keys: pa.Array, merged: Merged
    ) -> None:
        self._lake = lake
        self._writer = writer
        self._table = table
        self._rows = rows
        self._keys: list[str] = keys.to_pylist()
        self._merged = merged
        self._content = [c.name for c in table.columns if c.name not in _NOT_CONTENT]

    def settle(self, held: pa.Array) -> None:
        """Decide row by row; of several rows of a key the last accepted one is written."""
        claimed = _claimed_by_files(self._writer, self._table, pa.array(self._keys))
        known = self._known(held)
        dids = self._dids(self._rows)
        texts = _fingerprints(self._rows, self._content)
        written: dict[str, int] = {}
        for row, key in enumerate(self._keys):
            if key in claimed:
                self._refuse(row, f"Its id {key} belongs to a file of this archive.")
                continue
            old = known.get(key)
            if old is None:
                self._merged.accepted += 1
            elif old[0] != dids[row]:
                self._refuse(row, f"Its id {key} belongs to {old[0]}, not to {dids[row]}.")
                continue
            elif old[1] == texts[row]:
                self._merged.unchanged += 1
                continue
            else:
                self._merged.replaced += 1
            known[key] = (dids[row], texts[row])
            written[key] = row
        self._write(written, set(held.to_pylist()))

    def _known(self, held: pa.Array) -> dict[str, tuple[str | None, int]]:
        if not len(held):
            return {}
        first = self._table.key[0]
        values = [key.split(_SEPARATOR)[0] for key in held.to_pylist()]
        rows = self._lake.read(
            self._table.name,
            self._writer.version,
            self._content,
            filter=pc.field(first).cast(pa.string()).isin(values),
        )
        texts = _fingerprints(rows, self._content)
        keys = _keys(self._table, rows).to_pylist()
        return dict(zip(keys, zip(self._dids(rows), texts, strict=True), strict=True))

    def _dids(self, rows: pa.Table) -> Sequence[str | None]:
        if _DID not in rows.column_names:
            return [None] * rows.num_rows
        found: Sequence[str | None] = rows[_DID].to_pylist()
        return found

    def _refuse(self, row: int, message: str) -> None:
        self._merged.refused[row] = RowRefused("id-taken", message)

    def _write(self, written: dict[str, int], held: set[str]) -> None:
        new = sorted(row for key, row in written.items() if key not in held)
        old = sorted(row for key, row in written.items() if key in held)
        if new:
            self._writer.append(self._table.name, self._rows.take(pa.array(new)))
        if old:
            self._writer.replace(self._table.name, self._rows.take(pa.array(old)))


def _fingerprints(rows: pa.Table, columns: Sequence[str]) -> list[int]:
    """Return a number for each row's content; equal rows have equal numbers, absent values add nothing."""
    total: NDArray[np.int64] = np.zeros(rows.num_rows, np.int64)
    for place, name in enumerate(columns):
        if name not in rows.column_names or rows[name].null_count == rows.num_rows:
            continue
        hashes = [0 if value is None else hash((place, _hashable(value))) for value in rows[name].to_pylist()]
        total ^= np.array(hashes, np.int64)
    return [int(value) for value in total]


def _hashable(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value
