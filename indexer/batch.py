"""A batch of files that were read: their rows made ready, then settled and committed under the lease."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from indexer.checks import Problems, check_rows
from indexer.discovery import Found
from indexer.errors import FileRefused
from indexer.holdings import Incoming, location_of
from indexer.reader import ReadFile
from indexer.releases import DATES, RIGHTS, held_back, rights_of, rows_held_back
from indexer.settle import ALIASES, FILES, OBSERVATIONS, Claim, Decision, OnRecord, Record, decide
from indexer.spherical import with_spherical_columns
from indexer.summary import Outcome
from schemas import Schemas, Table
from schemas.arrow import MADE_BY, arrow_schema
from store.lake import Lake, Writer
from store.served import PROPRIETARY

HEADERS: Final = "archive.headers"
PRODUCTS: Final = "phase3v2.files"

_CHANGED: Final = "last_mod_date"
_NUMBER: Final = "_file"
"""Temporary column: the number of the row's file in the batch."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A file that was read, and where it belongs; ``needs_date`` withholds it until it has a release date."""

    found: Found
    collection: str
    read: ReadFile
    needs_date: bool = False


@dataclass(slots=True)
class Batch:
    """Files whose rows are ready.

    Attributes
    ----------
    tables : rows by table with the number of their file, without ids.
    refused : files whose rows contradict the declarations.
    """

    files: Sequence[Taken]
    tables: Mapping[str, pa.Table] = field(default_factory=dict)
    refused: dict[int, FileRefused] = field(default_factory=dict)
    mis_wound: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one file of a batch."""

    taken: Taken
    decision: Decision


def prepare(files: Sequence[Taken], schemas: Schemas) -> Batch:
    """Turn what was read into checked rows with their cells; the heavy part, done without the lease."""
    batch = Batch(files)
    when = datetime.now(UTC).replace(tzinfo=None)
    made: dict[str, list[dict[str, Any]]] = {}
    for number, taken in enumerate(files):
        for name, row in _rows_of(taken, schemas, when):
            made.setdefault(name, []).append({**row, _NUMBER: number, MADE_BY: taken.read.made_by})
    batch.tables = {name: _ready(schemas.table(name), rows, batch) for name, rows in made.items()}
    return batch


def _rows_of(taken: Taken, schemas: Schemas, when: datetime) -> Iterable[tuple[str, Mapping[str, Any]]]:
    read = taken.read
    for name, rows in read.rows.items():
        changed = {_CHANGED: when} if _CHANGED in schemas.table(name).by_name else {}
        for row in rows:
            yield schemas.table(name).name, {**row, **changed}
    yield HEADERS, {"cards": read.cards}
    yield (
        PRODUCTS,
        {
            "collection": taken.collection,
            "name": taken.found.path.name,
            "origfile": read.origfile,
            "category": read.category,
            "file_size": read.file_size,
            "checksum": read.checksum,
            "content_type": read.content_type,
            "ingested": when,
        },
    )


def _ready(table: Table, rows: list[dict[str, Any]], batch: Batch) -> pa.Table:
    # Ids and revisions are settled under the lease; until then any value stands for them.
    settled = {"dp_id": "-", "revision": 0}
    declared = arrow_schema(column for column in table.columns if column.name not in settled)
    try:
        found = pa.Table.from_pylist(rows, schema=declared)
    except (pa.ArrowException, OverflowError) as error:
        raise TypeError(f"{table.name}: a mapping gave a value of a wrong type: {error}") from error
    problems = Problems()
    provisional = {
        name: pa.repeat(value, len(rows)) for name, value in settled.items() if name in table.by_name
    }
    checked = check_rows(table, _with_columns(found, provisional), problems)
    checked = with_spherical_columns(table, checked, problems).drop_columns(list(provisional))
    numbers = [row[_NUMBER] for row in rows]
    for row, refusal in problems.refused.items():
        reason = FileRefused(refusal.code, f"{table.name}: {refusal.message}")
        batch.refused.setdefault(numbers[row], reason)
    batch.mis_wound = max(batch.mis_wound, problems.mis_wound)
    made_by = pa.array([row[MADE_BY] for row in rows], pa.string())
    return _with_columns(checked, {_NUMBER: pa.array(numbers, pa.int64()), MADE_BY: made_by})


def _with_columns(rows: pa.Table, columns: Mapping[str, pa.Array]) -> pa.Table:
    for name, values in columns.items():
        rows = rows.append_column(name, values)
    return rows


def commit(
    batch: Batch, lake: Lake, incoming: Incoming | None, kind: str = "ingest"
) -> tuple[list[Result], int]:
    """Settle ids and write the batch; it exists once this returns.

    Returns
    -------
    What became of each file, and the lake version.

    Raises
    ------
    IngestError
        When the file store cannot be written.
    store.lake.LakeError
        When the lake cannot be written.
    """
    with lake.writer(kind) as writer:
        claims = [_claim(taken) for taken in batch.files]
        known = OnRecord.look_up(writer, claims)
        decisions = [
            Decision(Outcome.QUARANTINED, refusal=batch.refused[number])
            if number in batch.refused
            else decide(claim, known)
            for number, claim in enumerate(claims)
        ]
        if incoming is not None:
            incoming.settle(_copies(batch, decisions, incoming))
        _write(writer, batch, claims, decisions)
        counts = {str(o): sum(d.outcome is o for d in decisions) for o in Outcome}
        version = writer.commit(counts)
    results = [Result(taken, decision) for taken, decision in zip(batch.files, decisions, strict=True)]
    return results, version


def _claim(taken: Taken) -> Claim:
    read, found = taken.read, taken.found
    managed = read.copy is not None
    return Claim(
        place=(taken.collection, found.relative),
        location=location_of(read.checksum) if managed else str(found.path),
        holding="managed" if managed else "reference",
        size=read.file_size,
        mtime=found.mtime,
        checksum=read.checksum,
        own_id=read.own_id,
        content_type=read.content_type,
        file_name=found.path.name,
        release_date=read.release_date,
        rights=rights_of(read.release_date, read.rows.get(OBSERVATIONS, ()), needs_date=taken.needs_date),
    )


def _copies(batch: Batch, decisions: Sequence[Decision], incoming: Incoming) -> dict[str, Path]:
    """Return the copies that records name and the file store lacks, by checksum."""
    return {
        taken.read.checksum: taken.read.copy
        for taken, decision in zip(batch.files, decisions, strict=True)
        if taken.read.copy is not None
        and decision.outcome is not Outcome.QUARANTINED
        and not incoming.holds(taken.read.checksum)
    }


def _write(writer: Writer, batch: Batch, claims: Sequence[Claim], decisions: Sequence[Decision]) -> None:
    """Write details first, ``archive.files`` last."""
    # A batch may bring a file and, later on, touch or replace it: the last record of an id counts.
    records = {d.dp_id: d.record for d in decisions if d.record is not None}
    details = _Details(writer, batch, decisions)
    records = {dp_id: held_back(record, details.old.get(dp_id)) for dp_id, record in records.items()}
    details.write({dp_id for dp_id, record in records.items() if record[RIGHTS[FILES]] == PROPRIETARY})
    aliases = [decision.alias for decision in decisions if decision.alias is not None]
    stale = [claims[i].place for i, decision in enumerate(decisions) if decision.stale_alias]
    if stale:
        collections, paths = zip(*stale, strict=True)
        writer.delete(ALIASES, pa.table({"collection": list(collections), "path": list(paths)}))
    _put(writer, ALIASES, aliases)
    new = {d.dp_id for d in decisions if d.outcome is Outcome.ACCEPTED}
    writer.append(FILES, _table(writer, FILES, [row for dp_id, row in records.items() if dp_id in new]))
    _put(writer, FILES, [row for dp_id, row in records.items() if dp_id not in new])


def _put(writer: Writer, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        writer.replace(name, _table(writer, name, rows))


def _table(writer: Writer, name: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=arrow_schema(writer.schemas.table(name).columns))


class _Details:
    """Rows of every table but those of the files themselves."""

    def __init__(self, writer: Writer, batch: Batch, decisions: Sequence[Decision]) -> None:
        self._writer = writer
        self._batch = batch
        self._ids = pa.array([decision.dp_id for decision in decisions], pa.string())
        self._revisions = pa.array([decision.revision for decision in decisions], pa.int32())
        # Of several revisions of an id in one batch only the last one counts.
        last = {
            d.dp_id: i for i, d in enumerate(decisions) if d.outcome in (Outcome.ACCEPTED, Outcome.REPLACED)
        }
        self._written = np.zeros(len(decisions), np.bool_)
        self._written[list(last.values())] = True
        self._replaced = [dp_id for dp_id, i in last.items() if decisions[i].outcome is Outcome.REPLACED]
        self.old = self._old_records()

    def _old_records(self) -> dict[str, Record]:
        """Look up when the replaced files become public; new content must not become so any earlier."""
        if not self._replaced:
            return {}
        said = [DATES[FILES], RIGHTS[FILES]]
        rows = self._writer.lookup(FILES, "dp_id", self._replaced, said).to_pylist()
        return {row["dp_id"]: row for row in rows}

    def write(self, withheld: Collection[str]) -> None:
        """Append rows of new files; take back the old rows of replaced ones first.

        ``withheld`` are the ids of files that are withheld for want of a release date.
        """
        for table in self._tables() if self._replaced else ():
            self._take_back(table)
        for name, rows in self._batch.tables.items():
            settled = self._settled(self._writer.schemas.table(name), rows)
            self._writer.append(name, rows_held_back(name, settled, self.old, withheld))

    def _tables(self) -> list[Table]:
        details = {"ivoa.ObsCore", "dbo.raw", "phase3v2.provenance", HEADERS, PRODUCTS}
        return [table for table in self._writer.schemas if table.name in details | set(self._batch.tables)]

    def _take_back(self, table: Table) -> None:
        old = self._writer.lookup(table.name, "dp_id", self._replaced)
        if old.num_rows:
            self._writer.delete(table.name, old)

    def _settled(self, table: Table, rows: pa.Table) -> pa.Table:
        numbers = rows[_NUMBER]
        rows = rows.filter(pa.array(self._written[numbers.to_numpy()]))
        numbers = rows[_NUMBER]
        rows = rows.drop_columns([_NUMBER]).append_column("dp_id", pc.take(self._ids, numbers))
        if "revision" in table.by_name:
            rows = rows.append_column("revision", pc.take(self._revisions, numbers))
        return rows
