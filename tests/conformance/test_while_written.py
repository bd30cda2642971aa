"""While rows come, change and go, every answer is true of the version that it names."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np
import pytest

from tests.conformance.crowd_rows import make_crowd, make_frame
from tests.conformance.crowds import Crowds
from tests.conformance.expressions import Chooser
from tests.conformance.judge import answered_at, difference, expected
from tests.conformance.world import Row, State, as_arrow
from tests.support.engines import EngineUnderTest

COMMITS = 10
"""Versions that come while others ask."""

AHEAD = 2
"""Versions that may come before one of them was asked about."""

BOUND = 240.0
"""Seconds after which something hangs."""


class Archive:
    """A lake whose rows at every version are known."""

    def __init__(self, engine: EngineUnderTest, folder: Path, seed: int) -> None:
        self.state = State(engine, folder)
        self._rng = np.random.default_rng(seed)
        self._rows = {row["id"]: row for row in make_crowd(120, seed)}
        self._known = threading.Condition()
        self._versions: dict[int, list[Row]] = {}
        self._ended = False
        self.asked: set[int] = set()
        self.state.put("lab.frames", list(self._rows.values()))
        self._remember()

    def _remember(self) -> None:
        with self._known:
            self._versions[self.state.lake.version()] = list(self._rows.values())
            self._known.notify_all()

    def rows(self, version: int) -> list[Row]:
        """Return the rows of a version, which may be seen before its writer could say what is in it."""
        with self._known:
            assert self._known.wait_for(lambda: version in self._versions, BOUND)
            return self._versions[version]

    @property
    def ended(self) -> bool:
        """Whether everybody is to stop."""
        return self._ended

    def end(self) -> None:
        """Tell everybody to stop, who waits among them."""
        with self._known:
            self._ended = True
            self._known.notify_all()

    def was_asked(self, version: int) -> None:
        """Remember that a right answer named a version."""
        with self._known:
            self.asked.add(version)
            self._known.notify_all()

    def wait_asked(self, version: int) -> None:
        """Wait until an answer named a version or a later one."""
        with self._known:
            assert self._known.wait_for(lambda: self._ended or max(self.asked, default=0) >= version, BOUND)

    def change(self) -> None:
        """Bring, replace and withdraw some rows in one version."""
        there, rng = sorted(self._rows), self._rng
        table = self.state.lake.schemas().table("lab.frames")
        gone = [str(key) for key in rng.choice(there, int(rng.integers(0, 12)), replace=False)]
        other = [str(key) for key in rng.choice(there, int(rng.integers(0, 12)), replace=False)]
        changed = [make_frame(rng, key) for key in other if key not in gone]
        free = [key for key in (f"F.{number:04d}" for number in range(160)) if key not in self._rows]
        new = [make_frame(rng, key) for key in free[: int(rng.integers(1, 15))]]
        with self.state.lake.writer("test") as writer:
            if gone:
                writer.delete("lab.frames", as_arrow(table, [self._rows[key] for key in gone]))
            if changed:
                writer.replace("lab.frames", as_arrow(table, changed))
            writer.append("lab.frames", as_arrow(table, new))
            writer.commit()
        for key in gone:
            del self._rows[key]
        self._rows |= {row["id"]: row for row in [*changed, *new]}
        self._remember()


@pytest.fixture
def seed() -> int:
    return 1


@pytest.fixture
def archive(engine: EngineUnderTest, seed: int, tmp_path: Path) -> Iterator[Archive]:
    made = Archive(engine, tmp_path, seed)
    made.state.engine.rebuild()
    made.state.engine.refresh()
    yield made
    made.state.engine.close()


def ask(archive: Archive, seed: int) -> None:
    """Ask until told to stop."""
    index, number = archive.state.engine.index, 0
    while not archive.ended:
        number += 1
        with index.snapshot() as snapshot:
            rows = {"lab.obs": [], "lab.stars": [], "lab.frames": archive.rows(snapshot.version)}
            chooser = Chooser(random.Random(f"{seed} {number}").randrange)
            query = Crowds(chooser, rows).query()
            wanted = expected(query)
            found = answered_at(snapshot, query.text, query.limit)
            wrong = None if wanted is None else difference(query, wanted, found)
            assert wrong is None, f"seed {seed}, query {number} at {snapshot.version}: {wrong}\n{query.text}"
            archive.was_asked(snapshot.version)


def keep_up(archive: Archive) -> None:
    """Bring the index up to date again and again, and build it anew at times."""
    turn = 0
    while not archive.ended:
        turn += 1
        if turn % 4 == 0:
            archive.state.engine.rebuild()
        archive.state.engine.refresh()


def write(archive: Archive) -> None:
    """Bring one version after the other, no faster than they are asked about."""
    lake = archive.state.lake
    for _ in range(COMMITS):
        archive.wait_asked(lake.version() - AHEAD)
        archive.change()
    archive.wait_asked(lake.version())


@pytest.mark.slow
def test_answers_are_true_of_their_version_while_rows_come_change_and_go(archive: Archive, seed: int) -> None:
    with ThreadPoolExecutor(4) as threads:

        def start(what: Callable[..., object], *words: object) -> Future[object]:
            return threads.submit(what, archive, *words)

        others = [start(ask, 10 * seed + reader) for reader in range(2)] + [start(keep_up)]
        writer = start(write)
        try:
            # A reader that fails ends the test at once.
            wait([writer, *others], BOUND, FIRST_COMPLETED)
        finally:
            archive.end()
        for one in (*others, writer):
            one.result(BOUND)
    assert len(archive.asked) > COMMITS // (AHEAD + 1)
