"""Bring loaded rows into a table: new ones are appended, changed ones replaced, equal ones left alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

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

MOST_WAITING: Final = 200_000
"""Rows to be replaced that are kept in memory."""


@dataclass(slots=True)
class Merged:
    """What became of rows; ``refused`` is by their number in the file."""

    version: int
    accepted: int = 0
    unchanged: int = 0
    replaced: int = 0
    refused: dict[int, RowRefused] = field(default_factory=dict)

    def add(self, other: Merged) -> None:
        """Add what became of more rows."""
        self.version = max(self.version, other.version)
        self.accepted += other.accepted
        self.unchanged += other.unchanged
        self.replaced += other.replaced
        self.refused |= other.refused


@dataclass(slots=True)
class _Waiting:
    """The newest row of a key to be replaced: where it is kept, and how many there were of it."""

    batch: int
    row: int
    number: int
    times: int = 1


class Merge:
    """Rows of one file on their way into a table.

    New rows are appended batch by batch. Rows that differ from what is on record wait until the file ends,
    or until there are many of them: a later row of the same key counts more, so that a file that holds a
    key twice leaves the same state each time, and replacing, which is slow, is done once.
    """

    def __init__(self, lake: Lake, table: Table, kind: str = "load") -> None:
        self._lake = lake
        self._table = table
        self._kind = kind
        self._batches: list[pa.Table] = []
        self._waiting: dict[str, _Waiting] = {}

    def take(self, rows: pa.Table, numbers: Numbers) -> Merged:
        """Settle and commit one batch under the lease; ``numbers`` are those of its rows in the file.

        Raises
        ------
        store.lake.LakeError
            When the lake cannot be written.
        """
        merged = Merged(self._lake.version())
        for chosen in _rounds(_keys(self._table, rows)):
            some = rows if len(chosen) == rows.num_rows else rows.take(pa.array(chosen))
            with self._lake.writer(self._kind) as writer:
                settled = _Settling(self._lake, writer, self._table, some, numbers[chosen])
                settled.refuse(merged)
                settled.append_new(merged)
                self._put_back(settled, merged)
                self._wait(settled, merged)
                merged.version = self._commit(writer, some)
        if len(self._waiting) > MOST_WAITING:
            merged.add(self.finish())
        return merged

    def finish(self) -> Merged:
        """Replace what waits.

        Raises
        ------
        store.lake.LakeError
            When the lake cannot be written.
        """
        merged = Merged(self._lake.version())
        if not self._waiting:
            return merged
        rows, numbers = self._last_rows()
        with self._lake.writer(self._kind) as writer:
            settled = _Settling(self._lake, writer, self._table, rows, numbers)
            settled.refuse(merged)
            settled.append_new(merged)
            settled.replace_changed(merged)
            merged.unchanged += int(settled.same.sum())
            merged.version = self._commit(writer, rows)
        merged.replaced += sum(waiting.times - 1 for waiting in self._waiting.values())
        self._waiting.clear()
        self._batches.clear()
        return merged

    def _commit(self, writer: Writer, rows: pa.Table) -> int:
        return writer.commit({"table": self._table.name, "rows": rows.num_rows})

    def _put_back(self, settled: _Settling, merged: Merged) -> None:
        """Drop what waits for keys whose newest row is as recorded."""
        merged.unchanged += int(settled.same.sum())
        if self._waiting:
            for key in settled.keys.filter(pa.array(settled.same)).to_pylist():
                dropped = self._waiting.pop(key, None)
                merged.unchanged += dropped.times if dropped else 0

    def _wait(self, settled: _Settling, merged: Merged) -> None:
        places = np.flatnonzero(settled.changed)
        if not len(places):
            return
        keys = settled.keys.take(pa.array(places)).to_pylist()
        self._batches.append(settled.rows.take(pa.array(places)))
        for row, (key, number) in enumerate(zip(keys, settled.numbers[places].tolist(), strict=True)):
            earlier, waiting = self._waiting.get(key), _Waiting(len(self._batches) - 1, row, number)
            if earlier is None:
                self._waiting[key] = waiting
            elif _content(self._row(earlier)) == _content(self._row(waiting)):
                merged.unchanged += 1
            else:
                waiting.times += earlier.times
                self._waiting[key] = waiting

    def _row(self, waiting: _Waiting) -> dict[str, Any]:
        row: dict[str, Any] = self._batches[waiting.batch].slice(waiting.row, 1).to_pylist()[0]
        return row

    def _last_rows(self) -> tuple[pa.Table, Numbers]:
        chosen: dict[int, list[_Waiting]] = {}
        for waiting in self._waiting.values():
            chosen.setdefault(waiting.batch, []).append(waiting)
        tables = [self._batches[b].take(pa.array([w.row for w in found])) for b, found in chosen.items()]
        numbers = [w.number for found in chosen.values() for w in found]
        return pa.concat_tables(tables, promote_options="default"), np.array(numbers, np.int64)


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
    """Rows whose keys differ from each other, compared with what is on record.

    Attributes
    ----------
    new, changed, same : marks of the rows that are not refused.
    """

    def __init__(self, lake: Lake, writer: Writer, table: Table, rows: pa.Table, numbers: Numbers) -> None:
        self._lake = lake
        self._writer = writer
        self._table = table
        self.rows = rows
        self.numbers = numbers
        self.keys = _keys(table, rows)
        known = self._known()
        place = pc.index_in(self.keys, value_set=_keys(table, known))
        held: Mask = pc.is_valid(place).to_numpy(zero_copy_only=False)
        self._files = self._claimed_by_files()
        self._aligned = known.take(place) if held.any() else known
        none = np.zeros(len(self.keys), np.bool_)
        self._others = held & ~_equal(rows, self._aligned, _DID) if held.any() else none
        equal = held & self._same_content(self._aligned) if held.any() else none
        kept = ~self._files & ~self._others
        self.new, self.changed, self.same = ~held & kept, held & ~equal & kept, equal & kept

    def refuse(self, merged: Merged) -> None:
        """Say which rows have an id that belongs to something else."""
        for row in np.flatnonzero(self._files).tolist():
            text = f"Its id {self.keys[row].as_py()} belongs to a file of this archive."
            merged.refused[int(self.numbers[row])] = RowRefused("id-taken", text)
        for row in np.flatnonzero(self._others & ~self._files).tolist():
            ours, theirs = (_value(table, _DID, row) for table in (self.rows, self._aligned))
            key, theirs = self.keys[row].as_py(), theirs or "a row without a DID"
            text = f"Its id {key} belongs to {theirs}, not to {ours}."
            merged.refused[int(self.numbers[row])] = RowRefused("id-taken", text)

    def append_new(self, merged: Merged) -> None:
        """Write the rows whose keys are new."""
        if self.new.any():
            chosen = self.rows if self.new.all() else self.rows.filter(pa.array(self.new))
            self._writer.append(self._table.name, chosen)
        merged.accepted += int(self.new.sum())

    def replace_changed(self, merged: Merged) -> None:
        """Write the rows that differ from what is on record."""
        if self.changed.any():
            self._writer.replace(self._table.name, self.rows.filter(pa.array(self.changed)))
        merged.replaced += int(self.changed.sum())

    def _known(self) -> pa.Table:
        """Return the rows that the table has of these keys."""
        first = self._table.key[0]
        wanted = pc.unique(self.rows[first])
        found = self._writer.lookup(self._table.name, first, wanted.to_pylist())
        if not found.num_rows:
            return found
        chosen = pc.field(first).isin(pc.unique(found[first]).to_pylist())
        content = [column.name for column in self._table.columns if column.name not in _NOT_CONTENT]
        return self._lake.read(self._table.name, self._writer.version, content, filter=chosen)

    def _claimed_by_files(self) -> Mask:
        """Mark rows whose id is that of a file: such rows come from the file's headers alone."""
        if self._table.key != ("dp_id",):
            return np.zeros(len(self.keys), np.bool_)
        found = self._writer.lookup(_FILES, "dp_id", self.keys.to_pylist())["dp_id"]
        claimed: Mask = pc.is_in(self.keys, value_set=found).to_numpy(zero_copy_only=False)
        return claimed

    def _same_content(self, aligned: pa.Table) -> Mask:
        same = np.ones(len(self.keys), np.bool_)
        for column in self._table.columns:
            if column.name not in _NOT_CONTENT:
                same &= _equal(self.rows, aligned, column.name)
        return same


def _content(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in _NOT_CONTENT}


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
