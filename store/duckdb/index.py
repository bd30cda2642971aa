"""The embedded index as one process sees it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from store.compare import differences_in_counts
from store.duckdb.delta import Delta, NeedsGenerationError
from store.duckdb.engine import Hold, open_engine
from store.duckdb.layout import BadGenerationError, Manifest, generations
from store.duckdb.snapshot import DuckSnapshot
from store.duckdb.state import State, base_tables
from store.duckdb.wanted import ask_for_generation, refuse
from store.follower import Polling
from store.lake import FeedIncomplete, Lake, LakeError
from store.port import Difference, IndexNotReady, IndexStatus, Site
from store.sql.instance import Limits

LOG = logging.getLogger(__name__)

LEAST_DELTA = 20_000
"""Rows that a delta may always have."""

DELTA_SHARE = 0.05
"""Part of all rows that a delta may have beyond that."""

MOST_GONE = 2_000
"""Removed rows beyond which the follower is asked to fold them early, because every query pays for them."""


def most_delta(rows: int) -> int:
    """Return how many rows the delta of an index of so many rows may have."""
    return max(LEAST_DELTA, int(DELTA_SHARE * rows))


class _Instance:
    """One generation opened, its delta, and who uses them."""

    def __init__(self, folder: Path, lake: Lake, limits: Limits) -> None:
        self._hold = Hold(folder)
        try:
            manifest = self._hold.manifest()
            _require_all(manifest, lake)
            self.engine = open_engine(folder, limits)
            try:
                self.base_version = manifest.version
                tables = base_tables(manifest, folder)
                self.delta = Delta(self.engine, len(manifest.tables))
                self.state: State = self.delta.start(manifest.version, lake.schemas(manifest.version), tables)
            except BaseException:
                self.engine.close()
                raise
        except (OSError, ValueError) as error:
            self._hold.close()
            raise BadGenerationError(f"{folder.name}: {error}") from error
        except BaseException:
            self._hold.close()
            raise
        self._users = 1
        self._lock = threading.Lock()

    def use(self) -> None:
        """Keep it open."""
        with self._lock:
            self._users += 1

    def release(self) -> None:
        """Close it when nobody else uses it."""
        with self._lock:
            self._users -= 1
            last = self._users == 0
        if last:
            self.engine.close()
            self._hold.close()

    def cursor(self) -> tuple[duckdb.DuckDBPyConnection, Callable[[], None]]:
        """Open a cursor of its own for a query, and say how to give it back."""
        self.use()
        return self.engine.cursor(), self.release


class DuckIndex:
    """An :class:`store.port.Index` over the generations in a folder and the changes since.

    A thread looks for new versions every ``poll`` seconds (None: only ``refresh`` does). It never writes
    generations; a :class:`store.duckdb.follower.Follower` does, here or in another process.
    """

    def __init__(
        self, lake: Lake, folder: Path, site: Site, *, limits: Limits | None = None, poll: float | None = 0.2
    ) -> None:
        self._lake = lake
        self._folder = folder
        self._site = site
        self._limits = limits or Limits()
        self._current: _Instance | None = None
        self._reason: str | None = "nothing has been indexed yet"
        self._pointer = threading.Lock()
        self._refreshing = threading.Lock()
        self._seen: object = None
        self._refused: set[str] = set()
        self.refresh()
        self._polling = Polling(self._poll, poll)

    @contextmanager
    def snapshot(self) -> Iterator[DuckSnapshot]:
        """Pin the newest applied version for as long as the context lasts."""
        with self._pointer:
            instance = self._current
            if instance is None:
                raise IndexNotReady(f"the index is not ready: {self._reason}")
            instance.use()
            state = instance.state
        try:
            yield DuckSnapshot(state, self._site, instance.cursor)
        finally:
            instance.release()

    def refresh(self) -> int | None:
        """Move to the newest generation and apply what came since; return the version that is shown."""
        with self._refreshing:
            try:
                self._move()
                self._advance()
            except LakeError as error:
                # The lake may be away for a while; what is shown stays true for its version.
                self._reason = str(error)
            return None if self._current is None else self._current.state.version

    def status(self) -> IndexStatus:
        """Say how far it is."""
        lake_version = self._lake.version()
        with self._pointer:
            instance = self._current
            if instance is None:
                return IndexStatus("duckdb", None, lake_version, self._reason)
            state = instance.state
        details = {
            "generation": instance.base_version,
            "rows": state.rows,
            "delta_rows": state.delta_size,
        }
        return IndexStatus("duckdb", state.version, lake_version, self._reason, details)

    def differences(self, *, thorough: bool) -> Iterator[Difference]:
        """Count the rows of each table; see :class:`store.port.Index`."""
        del thorough
        return differences_in_counts(self, self._lake)

    def close(self) -> None:
        """Release files and memory."""
        self._polling.close()
        with self._pointer:
            instance, self._current = self._current, None
            self._reason = "the index is closed"
        if instance is not None:
            instance.release()

    def _poll(self) -> None:
        seen = (self._lake.version(), _identities(self._folder))
        if seen != self._seen:
            self.refresh()
            self._seen = seen

    def _move(self) -> None:
        """Open the newest generation that can be read, when it is newer than ours."""
        for version, folder in reversed(generations(self._folder)):
            if self._current is not None and version <= self._current.base_version:
                return
            try:
                instance = _Instance(folder, self._lake, self._limits)
            except (BadGenerationError, NeedsGenerationError) as error:
                LOG.warning("generation %s cannot be used: %s", folder.name, error)
                self._reason = str(error)
                self._refuse(folder)
                continue
            if self._caught_up(instance):
                with self._pointer:
                    old, self._current = self._current, instance
                    self._reason = None
                if old is not None:
                    old.release()
            else:
                instance.release()
            return

    def _refuse(self, folder: Path) -> None:
        """Have a generation written again; once, lest a process that is behind the others asks forever."""
        if folder.name not in self._refused:
            self._refused.add(folder.name)
            refuse(self._folder, folder)

    def _caught_up(self, instance: _Instance) -> bool:
        """Bring a new instance to what is shown already, so that nobody sees time run backwards."""
        if self._current is None:
            return True
        shown = self._current.state.version
        while instance.state.version < shown:
            if not self._step(instance, shown):
                return False
        return True

    def _advance(self) -> None:
        if self._current is not None:
            newest = self._lake.version()
            if self._current.state.version >= newest or self._step(self._current, newest):
                self._reason = None

    def _step(self, instance: _Instance, version: int) -> bool:
        """Apply the changes up to a version; False when a new generation must come first."""
        state = instance.state
        room = most_delta(state.rows) - state.delta_size
        declared = self._lake.schemas(version)
        aside = {table.name for table in declared if not table.indexed}
        try:
            _check_room(self._growth(state, version), room)
            step = self._lake.difference(state.version, version, without=aside)
            _check_room(sum(c.inserted.num_rows + c.removed_keys.num_rows for c in step.changes), 2 * room)
            new = instance.delta.apply(state, step, declared)
        except (NeedsGenerationError, FeedIncomplete) as error:
            self._reason = str(error)
            ask_for_generation(self._folder)
            return False
        with self._pointer:
            instance.state = new
        if sum(len(table.gone) for table in new.tables.values()) > MOST_GONE:
            ask_for_generation(self._folder)
        return True

    def _growth(self, state: State, version: int) -> int:
        """Return by how many rows tables grew, which the log tells without reading any."""
        grown = 0
        for name in state.tables:
            with suppress(LookupError):
                grown += max(
                    0, self._lake.row_count(name, version) - self._lake.row_count(name, state.version)
                )
        return grown


def _require_all(manifest: Manifest, lake: Lake) -> None:
    """Refuse a generation of a process that knew fewer tables than this one, such as those of a site."""
    for name, table in lake.schemas(manifest.version).indexed.items():
        if name not in manifest.by_name and lake.row_count(table.name, manifest.version):
            raise BadGenerationError(f"{manifest.version}: the rows of {table.name} are not in it")


def _check_room(rows: int, room: int) -> None:
    if rows > room:
        raise NeedsGenerationError("too much has changed; waiting for the next generation")


def _identities(folder: Path) -> tuple[tuple[int, int], ...]:
    """Tell generations apart, also one that was written again under its number."""
    found = []
    for version, generation in generations(folder):
        with suppress(OSError):
            found.append((version, generation.stat().st_ino))
    return tuple(found)
