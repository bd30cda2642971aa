"""Load ready rows into a declared table: converted, checked and quarantined row by row."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy.exc import SQLAlchemyError

from indexer.checks import Problems, check_rows
from indexer.columns import SourceColumn, convert, unit_factor
from indexer.errors import FileRefused, IngestError, in_words
from indexer.merge import Merge, Merged
from indexer.reader import VERSION
from indexer.readers import ReaderPool, read_here
from indexer.refusals import unwritable
from indexer.spherical import with_spherical_columns
from indexer.summary import Outcome, Progress, Report, Summary
from indexer.tables import BadLine, TableFile, open_table
from schemas import Column, Table, UnknownTableError
from schemas.arrow import MADE_BY
from store.database import QuarantineStore, Refusal
from store.lake import Lake, LakeError

FEW_ROWS: Final = 20_000
"""So few rows are made ready in this process."""

FEW_BYTES: Final = 8 << 20
"""So small a file of unknown length has few rows."""

OUR_URL: Final = "{public_url}"
"""What the addresses begin with that this archive forms itself."""

_DID: Final = "obs_publisher_did"
_ID: Final = "dp_id"
_CHANGED: Final = "last_mod_date"


@dataclass(frozen=True, slots=True)
class Plan:
    """Which column of the file becomes which column of the table, and by what factor."""

    table: Table
    columns: Mapping[str, tuple[str, float]]
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RowsJob:
    """Rows to be made ready, as an Arrow stream; ``first`` is the number of the first row, from 1."""

    first: int
    rows: bytes

    @property
    def seconds(self) -> float:
        """How long it may take."""
        return 3600.0


@dataclass(frozen=True, slots=True)
class ReadyRows:
    """Rows as the lake takes them, their numbers in the file, and what is wrong with the others."""

    rows: bytes
    numbers: bytes
    problems: Problems


def load(
    path: str | Path,
    table_name: str,
    *,
    lake: Lake,
    quarantine: QuarantineStore | None = None,
    progress: Report | None = None,
    workers: int | None = None,
    stop: Event | None = None,
) -> Summary:
    """Load a Parquet, CSV, VOTable or FITS table into a declared table.

    Column names are compared without case; values are converted to the declared types and units. A row
    that is there already as it is, is unchanged; one with other content is replaced. What is wrong with
    a row is said with its number, counted from 1.

    Parameters
    ----------
    path : the file.
    table_name : qualified name of a declared table, in any case.
    quarantine : where refused rows are listed too.
    workers : processes that make rows ready; 0 does it in this one.

    Raises
    ------
    IngestError
        When the file cannot be read, does not fit the table at all, or the lake cannot be written.
    """
    path = Path(path)
    table = _loadable(lake, table_name)
    source = open_table(path, as_text=True)
    plan = plan_columns(source.columns, table)
    run = _Run(lake, table, progress or (lambda _: None), stop or Event())
    if plan.unknown:
        run.summary.note(f"Columns that {table.name} does not have were left out: {', '.join(plan.unknown)}.")
    try:
        few = path.stat().st_size <= FEW_BYTES if source.rows is None else source.rows <= FEW_ROWS
        with nullcontext() if few else lake.loading():
            run.go(source, plan, workers, few=few)
    except (LakeError, IngestError) as error:
        failure = IngestError("lake", in_words(error)) if isinstance(error, LakeError) else error
        failure.summary = run.summary
        with suppress(IngestError):
            _remember(quarantine, path, table, run.summary)
        raise failure from error.__cause__
    _remember(quarantine, path, table, run.summary)
    return run.summary


def _loadable(lake: Lake, name: str) -> Table:
    try:
        table = lake.schemas().table(name)
    except UnknownTableError:
        raise IngestError("table", f"There is no table {name}.") from None
    if table.virtual or not table.public:
        raise IngestError("table", f"{table.name} cannot be loaded; it is the archive's own.")
    return table


def plan_columns(columns: Iterable[SourceColumn], table: Table) -> Plan:
    """Match a file's columns with those of a table.

    Raises
    ------
    IngestError
        When two columns have one name, a required one is missing, or a unit cannot be converted.
    """
    chosen: dict[str, tuple[str, float]] = {}
    unknown = []
    for source in columns:
        column = table.by_name.get(source.name.lower())
        if column is None:
            unknown.append(source.name)
        elif column.name in chosen:
            raise IngestError("columns", f"The file has the column {column.name} twice.")
        else:
            chosen[column.name] = (source.name, unit_factor(source, column))
    given = set(chosen) | ({_ID} if _DID in chosen else set())
    missing = [c.name for c in table.columns if _is_required(table, c) and c.name not in given]
    if missing:
        raise IngestError("columns", f"The file lacks what {table.name} requires: {', '.join(missing)}.")
    return Plan(table, chosen, tuple(unknown))


def _is_required(table: Table, column: Column) -> bool:
    return column.required or column.name in table.key


def prepare_rows(plan: Plan) -> Callable[[RowsJob], ReadyRows]:
    """Return what makes rows ready, for a worker process."""
    return partial(_make_ready, plan)


def _make_ready(plan: Plan, job: RowsJob) -> ReadyRows:
    with pa.ipc.open_stream(job.rows) as stream:
        found = stream.read_all()
    problems = Problems()
    ready = ready_rows(plan, found, problems)
    kept = problems.kept(found.num_rows)
    numbers = np.flatnonzero(kept).astype(np.int64) + job.first
    problems.refused = {row + job.first: reason for row, reason in problems.refused.items()}
    return ReadyRows(_as_stream(ready.filter(pa.array(kept))), numbers.tobytes(), problems)


def ready_rows(plan: Plan, found: pa.Table, problems: Problems) -> pa.Table:
    """Convert and check rows, and compute what the lake keeps beside the declared columns."""
    table = plan.table
    columns = {
        name: convert(table.column(name), found[source], factor, problems)
        for name, (source, factor) in plan.columns.items()
    }
    if _ID in table.key and _DID in columns:
        columns[_ID] = _ids(columns.get(_ID), columns[_DID])
    rows = _elsewhere(table, check_rows(table, pa.table(columns), problems))
    rows = with_spherical_columns(table, rows, problems)
    return rows.append_column(MADE_BY, pa.repeat(f"load onedfs={VERSION}", found.num_rows))


def _elsewhere(table: Table, rows: pa.Table) -> pa.Table:
    """Return rows that do not show our own addresses where they give none: their bytes are not here."""
    for column in table.columns:
        if column.served and OUR_URL in column.served:
            given = rows[column.name] if column.name in rows.column_names else None
            values = pa.repeat("", rows.num_rows) if given is None else pc.fill_null(given, "")
            rows = rows.drop_columns([] if given is None else [column.name])
            rows = rows.append_column(column.name, values)
    return rows


def _ids(given: pa.ChunkedArray | None, dids: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the given ids; where there is none, what follows the ``?`` of the DID, or the DID itself."""
    local = pc.struct_field(pc.extract_regex(dids, r"\?(?P<id>.+)$"), "id")
    derived = pc.coalesce(local, dids)
    return derived if given is None else pc.coalesce(given, derived)


def _as_stream(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows)
    return bytes(sink.getvalue())


class _Run:
    def __init__(self, lake: Lake, table: Table, progress: Report, stop: Event) -> None:
        self.summary = Summary(version=lake.version())
        self._table = table
        self._merge = Merge(lake, table)
        self._progress = progress
        self._stop = stop
        self._found = 0
        self._mis_wound = 0
        self._bad_lines: Sequence[BadLine] = ()

    def go(self, source: TableFile, plan: Plan, workers: int | None, *, few: bool) -> None:
        """Make all rows ready and merge them, batch by batch."""
        self._bad_lines = source.bad_lines
        make = partial(prepare_rows, plan)
        count = min(os.cpu_count() or 1, 4) if workers is None else workers
        if workers is None and few:
            count = 0
        with ExitStack() as stack:
            jobs = self._jobs(source)
            if count:
                pool = stack.enter_context(ReaderPool[RowsJob, ReadyRows](make, count, depth=1))
                results = pool.results(jobs, self._stop)
            else:
                results = read_here(make, jobs)
            for _, result in results:
                self._take(result)
            self.summary.stopped = self.summary.stopped or self._stop.is_set()
            self._settled(self._merge.finish())
        for line in source.bad_lines:
            self.summary.quarantine(f"row {line.row}", "fields", f"Row {line.row}: {line.message}.")
        if self._mis_wound:
            self.summary.note(
                f"{self._mis_wound} footprints are wound the wrong way; their smaller side was indexed."
            )

    def _jobs(self, source: TableFile) -> Iterator[RowsJob]:
        for rows in source.batches():
            if self._stop.is_set():
                self.summary.stopped = True
                return
            if rows.num_rows:
                yield RowsJob(self._found + 1, _as_stream(rows))
            self._found += rows.num_rows

    def _take(self, result: ReadyRows | FileRefused) -> None:
        if isinstance(result, FileRefused):
            raise IngestError(result.code, f"Rows could not be made ready: {result.message}")
        with pa.ipc.open_stream(result.rows) as stream:
            rows = stream.read_all()
        numbers = np.frombuffer(result.numbers, np.int64)
        for row, reason in sorted(result.problems.refused.items()):
            self._refuse(row, reason.code, reason.message)
        self._mis_wound += result.problems.mis_wound
        if rows.num_rows:
            self._settled(self._merge.take(self._dated(rows), numbers))
        self._progress(Progress(self._found, self.summary.total))

    def _dated(self, rows: pa.Table) -> pa.Table:
        """Say when rows changed, where they do not say it themselves."""
        if _CHANGED not in self._table.by_name:
            return rows
        now = pa.scalar(datetime.now(UTC).replace(tzinfo=None), pa.timestamp("us"))
        if _CHANGED in rows.column_names:
            place = rows.column_names.index(_CHANGED)
            return rows.set_column(place, _CHANGED, pc.fill_null(rows[_CHANGED], now))
        return rows.append_column(_CHANGED, pa.repeat(now, rows.num_rows))

    def _settled(self, merged: Merged) -> None:
        self.summary.version = max(self.summary.version, merged.version)
        self.summary.count(Outcome.ACCEPTED, merged.accepted)
        self.summary.count(Outcome.UNCHANGED, merged.unchanged)
        self.summary.count(Outcome.REPLACED, merged.replaced)
        for row, reason in merged.refused.items():
            self._refuse(row, reason.code, reason.message)

    def _refuse(self, row: int, code: str, message: str) -> None:
        # Lines that are no rows were left out when the rows were counted.
        bad = self._bad_lines
        row += bisect_right(range(len(bad)), row, key=lambda number: bad[number].row - number)
        self.summary.quarantine(f"row {row}", code, f"Row {row}: {message}")


def _remember(quarantine: QuarantineStore | None, path: Path, table: Table, summary: Summary) -> None:
    """List the refused rows of a file in the place of those that it had before."""
    if quarantine is None:
        return
    prefix, root = f"{path.name} ", str(path.absolute().parent)
    try:
        held = quarantine.list(collection=table.name)
        earlier = [e.path for e in held if e.root == root and e.path.startswith(prefix)]
        quarantine.clear(table.name, earlier, root)
        quarantine.put(
            Refusal(
                collection=table.name,
                path=f"{prefix}{reason.where}",
                root=root,
                code=reason.code,
                reason=reason.message,
                details={"table": table.name, "row": reason.where.removeprefix("row ")},
            )
            for reason in summary.reasons
        )
    except SQLAlchemyError as error:
        summary.counts[Outcome.QUARANTINED] = 0
        failure = unwritable(error)
        failure.summary = summary
        raise failure from error
