"""What changed between two versions of the lake, netted row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

import schemas
from store.lake.errors import FeedIncomplete
from store.lake.log import Commit, Log
from store.lake.rows import keys_of
from store.lake.tables import REMOVED_KEYS, RESTORED

CHANGE_TYPE = "_change_type"
"""Column of Delta's change files."""

REMOVALS = pa.array(["delete", "update_preimage"])
"""Change types that say how a row was before."""


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to one table: delete ``removed_keys``, then insert ``inserted``.

    A replaced row is in both. ``inserted`` has the columns asked for (all of the lake, by default);
    ``removed_keys`` those of the key.
    """

    table: str
    inserted: pa.Table
    removed_keys: pa.Table


@dataclass(frozen=True, slots=True)
class Step:
    """One version of the lake, against the one before.

    Apply in this order: forget the ``dropped`` tables, take over the ``declared`` ones (empty when they are
    new), apply ``changes``. A version that only rearranged files, or repaired the lake, has none of these.
    """

    version: int
    kind: str
    dropped: tuple[str, ...] = ()
    declared: tuple[schemas.Table, ...] = ()
    changes: tuple[Change, ...] = ()


def net_change(log: Log, table: schemas.Table, schema: pa.Schema, after: int, upto: int) -> Change | None:
    """Return what the commits after one version up to another did to a table; None when nothing.

    ``after`` is -1 for a table that was not there; ``schema`` holds at least the key columns.

    Raises
    ------
    FeedIncomplete
        When commits or files that are needed were cleaned away.
    """
    try:
        events = [event for commit in _commits(log, after, upto) for event in _events(log, commit, schema)]
    except FileNotFoundError as error:
        message = f"{table.name}: changes {after + 1} to {upto} were cleaned away ({error})"
        raise FeedIncomplete(message) from error
    inserted = [(code, rows) for code, rows in events if code % 2]
    removed = [(code, rows) for code, rows in events if not code % 2]
    keys = list(table.key)
    if not removed:
        added = _concatenated([rows for _, rows in inserted], schema)
        return _change(table, added, added.select(keys).slice(0, 0))
    return _change(table, *_netted(inserted, removed, schema, keys))


def change_size(log: Log, after: int, upto: int) -> int:
    """Return about how many rows ``net_change`` reads, from the footers of the files alone.

    Raises
    ------
    FeedIncomplete
        When commits or files that are needed were cleaned away.
    """
    try:
        paths = [path for commit in _commits(log, after, upto) for path in _paths(commit)]
        return sum(pq.read_metadata(log.table / path).num_rows for path in paths)
    except FileNotFoundError as error:
        raise FeedIncomplete(f"{log.table.name}: changes {after + 1} to {upto} were cleaned away") from error


def _change(table: schemas.Table, inserted: pa.Table, removed: pa.Table) -> Change | None:
    if not inserted.num_rows and not removed.num_rows:
        return None
    return Change(table=table.name, inserted=inserted, removed_keys=removed)


def _commits(log: Log, after: int, upto: int) -> list[Commit]:
    """Read commits without those that a later one took back."""
    found: list[Commit] = []
    for version in range(after + 1, upto + 1):
        commit = log.commit(version)
        target = commit.info.get(RESTORED)
        if target is None:
            found.append(commit)
            continue
        if int(target) < after:
            raise FeedIncomplete(f"{log.table.name}: version {after} was taken back")
        found = [earlier for earlier in found if earlier.version <= int(target)]
    return found


def _paths(commit: Commit) -> Sequence[str]:
    """Return the files that tell what a commit changed."""
    if not commit.changes_rows and not commit.changes:
        return ()
    if REMOVED_KEYS in commit.info:
        return (commit.info[REMOVED_KEYS],)
    return commit.changes or (*commit.removes, *commit.adds)


def _events(log: Log, commit: Commit, schema: pa.Schema) -> list[tuple[int, pa.Table]]:
    """Return a commit's rows with a code: twice its version, plus one for rows that came."""
    if not commit.changes_rows and not commit.changes:
        return []
    gone, came = 2 * commit.version, 2 * commit.version + 1
    if REMOVED_KEYS in commit.info:
        return [(gone, _rows(log, [commit.info[REMOVED_KEYS]], schema))]
    if commit.changes:
        marked = schema.append(pa.field(CHANGE_TYPE, pa.string()))
        rows = _rows(log, commit.changes, marked)
        is_gone = pc.is_in(rows[CHANGE_TYPE], value_set=REMOVALS)
        rows = rows.drop_columns([CHANGE_TYPE])
        return [(gone, rows.filter(is_gone)), (came, rows.filter(pc.invert(is_gone)))]
    events = [(gone, _rows(log, commit.removes, schema))] if commit.removes else []
    return [*events, (came, _rows(log, tuple(commit.adds), schema))] if commit.adds else events


def _rows(log: Log, paths: Sequence[str], schema: pa.Schema) -> pa.Table:
    files = [str(log.table / path) for path in paths]
    return ds.dataset(files, schema=schema, format="parquet").to_table()


def _concatenated(tables: Sequence[pa.Table], schema: pa.Schema) -> pa.Table:
    return pa.concat_tables(tables) if tables else schema.empty_table()


def _netted(
    inserted: Sequence[tuple[int, pa.Table]],
    removed: Sequence[tuple[int, pa.Table]],
    schema: pa.Schema,
    keys: list[str],
) -> tuple[pa.Table, pa.Table]:
    """Keep what came last of each key, and the keys that were there at first."""
    came, gone = _coded(inserted, schema), _coded([(c, rows.select(keys)) for c, rows in removed], schema)
    events = pa.concat_tables([came.select([*keys, _CODE]), gone.select([*keys, _CODE])])
    spans = (
        pa.table({"key": keys_of(events, keys), "code": events[_CODE]})
        .group_by("key")
        .aggregate([("code", "min"), ("code", "max")])
    )
    span_of = pc.index_in(keys_of(came, keys), value_set=spans["key"])
    is_last = pc.equal(spans["code_max"].take(span_of), came[_CODE])
    was_there = spans.filter(pc.equal(pc.bit_wise_and(spans["code_min"], 1), 0))["key"]
    at_first = gone.sort_by(_CODE)
    at_first = at_first.filter(pc.is_in(keys_of(at_first, keys), value_set=was_there))
    once = at_first.select(keys).group_by(keys).aggregate([])
    return came.filter(is_last).drop_columns([_CODE]), once.select(keys)


_CODE = "\x00code"
"""Column that orders events; no declared column can have its name."""


def _coded(events: Sequence[tuple[int, pa.Table]], schema: pa.Schema) -> pa.Table:
    coded = [rows.append_column(_CODE, pa.repeat(pa.scalar(c, pa.int64()), len(rows))) for c, rows in events]
    return (
        pa.concat_tables(coded)
        if coded
        else schema.empty_table().append_column(_CODE, pa.array([], pa.int64()))
    )
