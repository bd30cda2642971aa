"""A Delta table's log, read by the published protocol.

The log says which Parquet files make up a version and which rows a commit changed. Reading it here
rather than through an engine makes polling cost two file look-ups, and tells exactly when a part
of the change feed is gone.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable

COMMIT = re.compile(r"(\d{20})\.json\Z")
"""File name of one commit."""

CHECKPOINT = re.compile(r"\d{20}\.checkpoint\..*parquet\Z")
"""File name of one checkpoint, whole or in parts."""

LAST_CHECKPOINT = "_last_checkpoint"
"""Name of the file that says which checkpoint is the newest."""

SNAPSHOTS_KEPT = 64
"""File lists remembered per process."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit: data files added and removed (path below the table to row count), change files, notes.

    ``changes_rows`` is false when files were only rearranged.
    """

    version: int
    adds: Mapping[str, int]
    removes: tuple[str, ...]
    changes: tuple[str, ...]
    info: Mapping[str, Any]
    changes_rows: bool


class Log:
    """The log of one Delta table in a local folder."""

    def __init__(self, table: Path) -> None:
        self.table = table
        self.folder = table / "_delta_log"
        self._tip = -1
        self._files: OrderedDict[int, Mapping[str, int]] = OrderedDict()
        self._lock = Lock()

    def commit_path(self, version: int) -> Path:
        """Return where a commit is written."""
        return self.folder / f"{version:020d}.json"

    def checkpoint_path(self, version: int) -> Path:
        """Return where a version is written down as a whole."""
        return self.folder / f"{version:020d}.checkpoint.parquet"

    def tip(self) -> int:
        """Return the newest version, -1 when there is no table; two look-ups when nothing changed."""
        tip = self._tip
        while self.commit_path(tip + 1).exists():
            tip += 1
        # Clean-up removes the oldest commits first, so a tip that is still there is a real one.
        if tip < 0 or not self.commit_path(tip).exists():
            tip = max(self.commits(), default=-1)
        self._tip = tip
        return tip

    def commits(self) -> list[int]:
        """Return the versions whose commits are still in the log, ascending."""
        if not self.folder.is_dir():
            return []
        found = (COMMIT.match(path.name) for path in self.folder.iterdir())
        return sorted(int(match[1]) for match in found if match)

    def commit(self, version: int) -> Commit:
        """Read one commit.

        Raises
        ------
        FileNotFoundError
            When it was cleaned away or never written.
        """
        lines = self.commit_path(version).read_text(encoding="utf-8").splitlines()
        actions = [json.loads(line) for line in lines if line]
        adds = [action["add"] for action in actions if "add" in action]
        removes = [action["remove"] for action in actions if "remove" in action]
        return Commit(
            version=version,
            adds={unquote(add["path"]): _row_count(add) for add in adds},
            removes=tuple(unquote(remove["path"]) for remove in removes),
            changes=tuple(unquote(action["cdc"]["path"]) for action in actions if "cdc" in action),
            info=next((action["commitInfo"] for action in actions if "commitInfo" in action), {}),
            changes_rows=any(action["dataChange"] for action in (*adds, *removes)),
        )

    def is_whole(self, version: int) -> bool:
        """Whether a commit and what it added are there in full; a loss of power leaves files without an end.

        A file that is not there at all was lost in another way, which reading it will tell.
        """
        try:
            lines = self.commit_path(version).read_text(encoding="utf-8").splitlines()
            adds = [action["add"] for action in map(json.loads, filter(None, lines)) if "add" in action]
        except ValueError:
            return False
        files = [(self.table / unquote(add["path"]), add["size"]) for add in adds]
        return bool(lines) and all(path.stat().st_size == size for path, size in files if path.exists())

    def drop(self, first: int) -> None:
        """Take a commit and all after it out of the log; they must be such that nobody reads."""
        for version in range(first, self.tip() + 1):
            self.checkpoint_path(version).unlink(missing_ok=True)
            (self.folder / LAST_CHECKPOINT).unlink(missing_ok=True)
        # The newest first: whatever is left is a log without gaps.
        for version in range(self.tip(), first - 1, -1):
            self.commit_path(version).unlink()
        self._tip = -1

    def written(self, after: int, upto: int) -> Iterator[Path]:
        """Yield the files that commits after one version up to another wrote, and the commits themselves.

        Raises
        ------
        FileNotFoundError
            When a commit was cleaned away.
        """
        for version in range(after + 1, upto + 1):
            commit = self.commit(version)
            yield from (self.table / path for path in (*commit.adds, *commit.changes))
            yield self.commit_path(version)
            checkpoint = self.checkpoint_path(version)
            if checkpoint.exists():
                yield from (checkpoint, self.folder / LAST_CHECKPOINT)

    def files(self, version: int) -> Mapping[str, int]:
        """Return the data files of a version: path below the table, and row count.

        Raises
        ------
        FileNotFoundError
            When the version was cleaned away.
        deltalake.exceptions.DeltaError
            When the log is broken.
        """
        with self._lock:
            known = self._files.get(version)
            if known is None:
                known = self._advance(version) or self._load(version)
                self._files[version] = known
                while len(self._files) > SNAPSHOTS_KEPT:
                    self._files.popitem(last=False)
            else:
                self._files.move_to_end(version)
            return known

    def checkpoint(self, version: int) -> None:
        """Write a version down as a whole, so that it can be read without older commits."""
        if not self.checkpoint_path(version).exists():
            DeltaTable(self.table, version=version).create_checkpoint()

    def _advance(self, version: int) -> Mapping[str, int] | None:
        """Play commits on top of the nearest older file list; None when there is none near."""
        base = max((known for known in self._files if known < version), default=-1)
        if not 0 <= version - base <= SNAPSHOTS_KEPT or base < 0:
            return None
        files = dict(self._files[base])
        try:
            for step in range(base + 1, version + 1):
                commit = self.commit(step)
                for path in commit.removes:
                    files.pop(path, None)
                files.update(commit.adds)
        except FileNotFoundError:
            return None
        return files

    def _load(self, version: int) -> Mapping[str, int]:
        if not self.commit_path(version).exists():
            raise FileNotFoundError(self.commit_path(version))
        adds = pa.table(DeltaTable(self.table, version=version).get_add_actions(flatten=True))
        paths = (unquote(path) for path in adds["path"].to_pylist())
        return dict(zip(paths, adds["num_records"].to_pylist(), strict=True))


def _row_count(add: Mapping[str, Any]) -> int:
    return int(json.loads(add["stats"])["numRecords"]) if add.get("stats") else 0
