"""Compaction, vacuum and log clean-up that keep what followers and pinned readers need.

Each takes the lowest lake version, the floor, that must stay readable and from which the change feed must
stay complete. A follower that is further behind finds the feed incomplete and starts again from a snapshot.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from store.lake.durable import flush
from store.lake.errors import told_as_lake_errors
from store.lake.lake import Lake
from store.lake.ledger import FOLDER, now
from store.lake.log import CHECKPOINT, LAST_CHECKPOINT, Log
from store.lake.pins import PINS, kept_by_readers
from store.lake.tables import REMOVED_KEYS

TARGET_BYTES = 128 * 2**20
"""Size that compaction aims for; one file is then a few hundred thousand wide rows."""


@dataclass(frozen=True, slots=True)
class Span:
    """The lowest and highest version of one Delta table that must stay readable."""

    low: int
    high: int


def floor_for(lake: Lake, keep: timedelta, pinned: Iterable[int] = ()) -> int:
    """Return the floor that keeps all versions of the last ``keep``, all ``pinned`` ones and what is read."""
    oldest = now() - keep
    in_force = 0
    for entry in lake.ledger.history():
        if entry.time > oldest:
            break
        in_force = entry.version
    return min([in_force, *pinned, *kept_by_readers(lake.root / PINS)])


def compact(lake: Lake, *, target_size: int = TARGET_BYTES, timeout: float = 60.0) -> int:
    """Merge small files of all tables; ``target_size`` in bytes, ``timeout`` in seconds.

    Rows stay as they are; followers just advance. Returns the version it made, or the present one when
    there was nothing to merge.

    Raises
    ------
    LakeError
        When the lake cannot be written.
    """
    with lake.writer("compact", timeout=timeout) as writer:
        writer.compact(target_size)
        return writer.commit()


def vacuum(lake: Lake, floor: int, *, timeout: float = 60.0) -> int:
    """Delete files that no version from ``floor`` on needs, and tables that none of them has.

    Returns how many files were deleted. ``timeout`` is in seconds.

    Raises
    ------
    LakeError
        When a file cannot be deleted.
    """
    with lake.writer("vacuum", timeout=timeout), told_as_lake_errors("vacuuming the lake"):
        spans = _spans(lake, floor)
        deleted = 0
        for folder in _table_folders(lake.root):
            path = folder.relative_to(lake.root).as_posix()
            if path in spans:
                deleted += _delete_unneeded(lake.table_at(path).log, spans[path])
            else:
                deleted += sum(1 for _ in folder.rglob("*.parquet"))
                lake.forget_table(path)
                shutil.rmtree(folder)
        newest = lake.ledger.log.tip()
        if newest >= 0:
            deleted += _delete_unneeded(lake.ledger.log, Span(newest, newest))
        return deleted


def clean_logs(lake: Lake, floor: int, *, timeout: float = 60.0) -> int:
    """Delete commits of the logs that no version from ``floor`` on needs.

    Returns how many log files were deleted. ``timeout`` is in seconds.

    Raises
    ------
    LakeError
        When a checkpoint cannot be written or a file not deleted.
    """
    with lake.writer("clean-logs", timeout=timeout), told_as_lake_errors("cleaning the logs"):
        deleted = 0
        for path, span in _spans(lake, floor).items():
            deleted += _delete_commits(lake.table_at(path).log, span.low)
        if lake.version():
            deleted += _delete_commits(lake.ledger.log, max(min(floor, lake.version()), 0))
        return deleted


def _spans(lake: Lake, floor: int) -> dict[str, Span]:
    """Return what must stay of each table's folder."""
    newest = lake.version()
    floor = min(max(floor, 0), newest)
    # A table that came after the floor is needed from its creation on.
    spans = {pin.path: Span(pin.version, pin.version) for pin in lake.entry(floor).tables.values()}
    for version in range(floor + 1, newest + 1):
        for pin in lake.entry(version).tables.values():
            spans[pin.path] = Span(spans[pin.path].low if pin.path in spans else 0, pin.version)
    return spans


def _table_folders(root: Path) -> Iterator[Path]:
    logs = sorted(root.glob("*/*/_delta_log"))
    return (log.parent for log in logs if log.parent.parent.name != FOLDER)


def _delete_unneeded(log: Log, span: Span) -> int:
    # An earlier clean-up may have gone further.
    low = max(span.low, log.commits()[0])
    needed = set(log.files(low))
    for version in range(low + 1, span.high + 1):
        commit = log.commit(version)
        needed.update(commit.adds, commit.changes, [commit.info.get(REMOVED_KEYS, "")])
    present = {path.relative_to(log.table).as_posix(): path for path in log.table.rglob("*.parquet")}
    unneeded = [
        path for name, path in present.items() if name not in needed and not name.startswith("_delta_log/")
    ]
    for path in unneeded:
        path.unlink()
    return len(unneeded)


def _delete_commits(log: Log, low: int) -> int:
    """Delete what the log says before a version, once a checkpoint of that version stands."""
    old = [log.commit_path(version) for version in log.commits() if version < low]
    if not old:
        return 0
    log.checkpoint(low)
    flush([log.checkpoint_path(low), log.folder / LAST_CHECKPOINT], up_to=log.folder)
    checkpoints = [path for path in log.folder.iterdir() if CHECKPOINT.match(path.name)]
    stale = sorted(path for path in checkpoints if int(path.name[:20]) < low)
    for path in (*old, *stale):
        path.unlink()
    return len(old) + len(stale)
