"""Bring loaded rows into a table: new ones are appended, changed ones replaced, equal ones left alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

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

Mask: TypeAlias = NDArray[np.bool_]
Numbers: TypeAlias = NDArray[np.int64]

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
    """Settle and commit one batch under the lease; of several rows of one key each replaces the one before.

    Raises
    ------
    store.lake.LakeError
        When the lake cannot be written.
    """
    merged = Merged(lake.version())
    for numbers in _rounds(_keys(table, rows)):
        chosen = rows if len(numbers) == rows.num_rows else rows.take(pa.array(numbers))
        with lake.writer(kind) as writer:
            _Settling(lake, writer, table, chosen).settle(merged, numbers)
            merged.version = writer.commit({"table": table.name, "rows": len(numbers)})
    return merged


def _rounds(keys: pa.Array) -> Iterator[Numbers]:
    """Yield row numbers so that no key is twice in one round: first all first rows, then the second ones."""
    if pc.count_distinct(keys).as_py() == len(keys):
        yield np.arange(len(keys))
        return
    seen: dict[str, int] = {}
    rounds: dict[int, list[int]] = {}
    for row, key in enumerate(keys.to_pylist()):
        seen[key] = seen.get(key, -1) + 1
        rounds.setdefault(seen[key], []).append(row)
    for number in sorted(rounds):
        yield np.array(rounds[number])


def _keys(table: Table, rows: pa.Table) -> pa.Array:
    parts = [rows[name].cast(pa.string()).combine_chunks() for name in table.key]
    return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, _SEPARATOR)


class _Settling:
    """Rows whose keys differ from each other."""

    def __init__(self, lake: Lake, writer: Writer, table: Table, rows: pa.Table) -> None:
        self._lake = lake
        self._writer = writer
        self._table = table
        self._rows = rows
        self._keys = _keys(table, rows)

    def settle(self, merged: Merged, numbers: Numbers) -> None:
        """Write what is new or changed; ``numbers`` are those of the rows in the batch."""
        known = self._known()
        place = pc.index_in(self._keys, value_set=_keys(self._table, known))
        held: Mask = pc.is_valid(place).to_numpy(zero_copy_only=False)
        refused = self._claimed_by_files()
        same = np.zeros(len(self._keys), np.bool_)
        if held.any():
            aligned = known.take(place)
            other_did = held & ~_equal(self._rows, aligned, _DID)
            same = held & self._same_content(aligned)
            self._name_owners(merged, numbers, np.flatnonzero(other_did & ~refused), aligned)
            refused |= other_did
        self._name_files(merged, numbers, refused)
        self._write(merged, new=~held & ~refused, changed=held & ~same & ~refused)
        merged.unchanged += int((same & ~refused).sum())

    def _known(self) -> pa.Table:
        """Return the rows that the table has of these keys."""
        first = self._table.key[0]
        wanted = pc.unique(self._rows[first])
        found = self._writer.lookup(self._table.name, first, wanted.to_pylist())
        if not found.num_rows:
            return found
        chosen = pc.field(first).isin(pc.unique(found[first]).to_pylist())
        content = [column.name for column in self._table.columns if column.name not in _NOT_CONTENT]
        return self._lake.read(self._table.name, self._writer.version, content, filter=chosen)

    def _claimed_by_files(self) -> Mask:
        """Mark rows whose id is that of a file: such rows come from the file's headers alone."""
        if self._table.key != ("dp_id",):
            return np.zeros(len(self._keys), np.bool_)
        found = self._writer.lookup(_FILES, "dp_id", self._keys.to_pylist())["dp_id"]
        claimed: Mask = pc.is_in(self._keys, value_set=found).to_numpy(zero_copy_only=False)
        return claimed

    def _same_content(self, aligned: pa.Table) -> Mask:
        same = np.ones(len(self._keys), np.bool_)
        for column in self._table.columns:
            if column.name not in _NOT_CONTENT:
                same &= _equal(self._rows, aligned, column.name)
        return same

    def _name_owners(self, merged: Merged, numbers: Numbers, rows: Numbers, aligned: pa.Table) -> None:
        for row in rows.tolist():
            key = self._keys[row].as_py()
            ours, theirs = (_value(table, _DID, row) for table in (self._rows, aligned))
            text = f"Its id {key} belongs to {theirs or 'a row without a DID'}, not to {ours}."
            merged.refused[int(numbers[row])] = RowRefused("id-taken", text)

    def _name_files(self, merged: Merged, numbers: Numbers, refused: Mask) -> None:
        for row in np.flatnonzero(refused).tolist():
            text = f"Its id {self._keys[row].as_py()} belongs to a file of this archive."
            merged.refused.setdefault(int(numbers[row]), RowRefused("id-taken", text))

    def _write(self, merged: Merged, *, new: Mask, changed: Mask) -> None:
        if new.any():
            chosen = self._rows if new.all() else self._rows.filter(pa.array(new))
            self._writer.append(self._table.name, chosen)
        if changed.any():
            self._writer.replace(self._table.name, self._rows.filter(pa.array(changed)))
        merged.accepted += int(new.sum())
        merged.replaced += int(changed.sum())


def _equal(ours: pa.Table, theirs: pa.Table, name: str) -> Mask:
    """Mark the rows whose value in a column is the same on both sides; NULL equals NULL."""
    left, right = (_column(table, name) for table in (ours, theirs))
    if left is None or right is None:
        other = left if right is None else right
        if other is None:
            return np.ones(ours.num_rows, np.bool_)
        absent: Mask = pc.is_null(other).to_numpy(zero_copy_only=False)
        return absent
    if pa.types.is_nested(left.type):
        return np.array([a == b for a, b in zip(left.to_pylist(), right.to_pylist(), strict=True)], np.bool_)
    both_null = pc.and_(pc.is_null(left), pc.is_null(right))
    equal: Mask = pc.or_kleene(pc.equal(left, right), both_null).fill_null(False).to_numpy()  # noqa: FBT003
    return equal


def _column(table: pa.Table, name: str) -> pa.ChunkedArray | None:
    return table[name] if name in table.column_names else None


def _value(table: pa.Table, name: str, row: int) -> object:
    column = _column(table, name)
    return None if column is None else column[row].as_py()
