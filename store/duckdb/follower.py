"""The one process that writes generations."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from store.duckdb.generation import build_generation, remove_drafts, set_aside
from store.duckdb.index import most_delta
from store.duckdb.layout import IN_USE, BadGenerationError, Manifest, generations
from store.duckdb.wanted import answered, ask_for_generation, is_wanted, refuse, refused
from store.follower import awaited, step_until
from store.lake import Lake, LakeError

LOG = logging.getLogger(__name__)

LEASE = "follower"
"""Name of the file below the index folder that is locked by the one follower."""

KEPT = 2
"""Newest generations that are never removed."""


@dataclass(frozen=True)
class Policy:
    """When to fold the delta into a new generation.

    At once when it grew beyond its bound or a reader asks; after ``quiet`` seconds without a new version
    when it has ``least_rows`` more rows or is ``least_versions`` versions behind. While a large load runs,
    all this waits for its end, but no longer than ``patience`` seconds or four times what the last build
    took. A failed build is tried again after ``pause`` seconds.
    """

    quiet: float = 30.0
    least_rows: int = 1_000
    least_versions: int = 50
    patience: float = 60.0
    pause: float = 5.0


class Follower:
    """Writes generations below an index folder for as long as it holds the folder's lease.

    ``reason`` says why the last step failed, None when it did not.
    """

    def __init__(
        self,
        lake: Lake,
        folder: Path,
        *,
        policy: Policy | None = None,
        threads: int = 2,
        memory_limit: str = "1GB",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.reason: str | None = None
        self._lake = lake
        self._folder = folder
        self._policy = policy or Policy()
        self._resources = (threads, memory_limit)
        self._clock = clock
        self._lease: int | None = None
        self._last: tuple[int, float] | None = None
        self._due_since: float | None = None
        self._took = 0.0

    @property
    def leads(self) -> bool:
        """Whether this process holds the folder's lease."""
        return self._lease is not None

    def step(self) -> int | None:
        """Do what is due now; return the version of the generation that was written, if one was."""
        if not self._hold_lease():
            return None
        self._set_bad_ones_aside()
        reason = self._due()
        if reason is None or self._waits_for_load():
            return None
        LOG.info("writing a generation: %s", reason)
        return self._build()

    def rebuild(self, *, patience: float = 600.0) -> int:
        """Write the generation of the newest version from a snapshot of the lake, whatever there is.

        Who holds the lease does it; when that is another process, it has ``patience`` seconds.

        Raises
        ------
        IndexStalled
            When the other process does not do it in time.
        LakeError, OSError
            When the lake cannot be read or the folder not be written.
        """
        return self._build() if self._hold_lease() else self._ask_for_it(patience)

    def _ask_for_it(self, patience: float) -> int:
        version, before = self._lake.version(), _newest(self._folder)
        if before is not None:
            refuse(self._folder, before[1])
        ask_for_generation(self._folder)

        def built() -> int | None:
            found = _newest(self._folder)
            return None if found is None or found[0] < version or found == before else found[0]

        return awaited(built, patience)

    def _build(self) -> int:
        answered(self._folder)
        version = self._lake.version()
        threads, memory = self._resources
        started = self._clock()
        build_generation(self._lake, version, self._folder, threads=threads, memory_limit=memory)
        self._took, self._due_since = self._clock() - started, None
        LOG.info("generation %d written in %.1f s", version, self._took)
        for newer, folder in generations(self._folder):
            if newer > version:
                set_aside(folder)
        self._remove_old()
        return version

    def run_forever(self, stop: threading.Event, *, poll: float = 0.5) -> None:
        """Step until told to stop; a failure is logged and tried again."""
        step_until(stop, self, poll=poll, pause=self._policy.pause)

    def close(self) -> None:
        """Give the lease back."""
        if self._lease is not None:
            os.close(self._lease)
            self._lease = None

    def _hold_lease(self) -> bool:
        if self._lease is not None:
            return True
        self._folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._folder / LEASE, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._lease = handle
        remove_drafts(self._folder)
        return True

    def _set_bad_ones_aside(self) -> None:
        for mark, folder in refused(self._folder):
            if folder.is_dir():
                LOG.warning("a reader could not use generation %s; it is written again", folder.name)
                set_aside(folder)
            mark.unlink(missing_ok=True)
        newest, found = self._lake.version(), generations(self._folder)
        if found and found[-1][0] > newest == 0:
            # A folder that is not mounted looks like that.
            raise LakeError(f"the lake is empty or away, and the index is of version {found[-1][0]}")
        for version, folder in found:
            trouble = _trouble(folder) if version <= newest else f"{version} is newer than the lake"
            if trouble:
                LOG.warning("a generation cannot be used and is written again: %s", trouble)
                set_aside(folder)

    def _due(self) -> str | None:
        """Say why a generation is due now."""
        found = generations(self._folder)
        if not found:
            return "there is none"
        newest, version = found[-1][0], self._lake.version()
        if version <= newest:
            answered(self._folder)
            return None
        grown, rows = self._growth(newest, version)
        if grown > most_delta(rows):
            return f"{grown} more rows"
        if is_wanted(self._folder):
            return "a reader asks for it"
        now = self._clock()
        if self._last is None or version != self._last[0]:
            self._last = (version, now)
        quiet = now - self._last[1] >= self._policy.quiet
        behind = version - newest
        if quiet and (grown >= self._policy.least_rows or behind >= self._policy.least_versions):
            return f"{grown} more rows in {behind} versions"
        return None

    def _waits_for_load(self) -> bool:
        """Whether what is due now had better wait: each batch of a large load would make it due again."""
        now = self._clock()
        if self._due_since is None:
            self._due_since = now
        patience = max(self._policy.patience, 4 * self._took)
        waited = now - self._due_since
        return bool(generations(self._folder)) and waited < patience and self._lake.is_loading()

    def _growth(self, old: int, new: int) -> tuple[int, int]:
        """Return by how many rows tables grew, and how many rows there were."""
        grown = total = 0
        before = self._lake.schemas(old).indexed
        for name in self._lake.schemas(new).indexed:
            was = self._lake.row_count(name, old) if name in before else 0
            grown += max(0, self._lake.row_count(name, new) - was)
            total += was
        return grown, total

    def _remove_old(self) -> None:
        for _, folder in generations(self._folder)[:-KEPT]:
            _remove_unused(folder)


def _trouble(generation: Path) -> str | None:
    """Say why a generation cannot be read."""
    try:
        Manifest.read(generation)
    except BadGenerationError as error:
        return str(error)
    return None


def _newest(folder: Path) -> tuple[int, Path, int, int] | None:
    """Return the newest generation: its version, its folder, and what tells it from another one there."""
    with suppress(FileNotFoundError):
        for version, generation in reversed(generations(folder)):
            found = generation.stat()
            return version, generation, found.st_ino, found.st_mtime_ns
    return None


def _remove_unused(folder: Path) -> None:
    """Remove a generation that no process reads."""
    try:
        with (folder / IN_USE).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Still locked: a reader that waits for it finds the folder gone.
            set_aside(folder)
    except BlockingIOError:
        return
