"""Followers say how far they are and why not further; rows that the index does not take are quarantined."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine
from typing_extensions import override

from archive.followers import NOT_INDEXED, Unindexed, beat, running
from archive.settings import Settings
from archive.stores import open_tables
from store.database import QuarantineStore, Refusal
from store.port import EngineAway, RefusedRow


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Engine]:
    engine = open_tables(Settings(data=tmp_path))
    yield engine
    engine.dispose()


@dataclass
class Maintainer:
    """Says what it is told to say."""

    leads: bool = True
    reason: str | None = None

    def step(self) -> int | None:
        return None

    def rebuild(self) -> int:
        return 0

    def run_forever(self, stop: threading.Event, *, poll: float = 0.5) -> None:
        del stop, poll

    def close(self) -> None:
        pass


class Once(threading.Event):
    """Lets one word be said, and looks at what was said."""

    def __init__(self, database: Engine) -> None:
        super().__init__()
        self.database = database
        self.said: tuple[int, str | None] | None = None

    @override
    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        found = running(self.database)
        self.said = None if found is None else (found.version, found.reason)
        return True


def said(database: Engine, maintainer: Maintainer, version: int | None = 7) -> tuple[int, str | None] | None:
    once = Once(database)
    beat(database, maintainer, lambda: version, once)
    assert running(database) is None, "it takes its word back in the end"
    return once.said


def test_who_leads_says_how_far_the_index_is(database: Engine) -> None:
    assert said(database, Maintainer()) == (7, None)
    assert said(database, Maintainer(), None) == (-1, None)


def test_who_does_not_lead_is_silent_unless_it_knows_why_nobody_does(database: Engine) -> None:
    assert said(database, Maintainer(leads=False)) is None
    assert said(database, Maintainer(leads=False, reason="nobody answers")) == (7, "nobody answers")


def test_an_engine_that_is_away_is_no_reason_to_be_silent(database: Engine) -> None:
    def away() -> int:
        raise EngineAway("nobody answers")

    once = Once(database)
    beat(database, Maintainer(reason="nobody answers"), away, once)
    assert once.said == (-1, "nobody answers")


ROWS = [
    RefusedRow("sky.obs", "ID.1", 3, "min is greater than max"),
    RefusedRow("sky.plain", "1\x1fb", 3, "it is too large"),
]


def test_rows_that_the_index_does_not_take_are_in_quarantine_once_with_the_reason(database: Engine) -> None:
    store = QuarantineStore(database)
    unindexed = Unindexed(store)
    unindexed.refused(ROWS)
    unindexed.refused(ROWS[:1])
    one, other = store.list()
    assert (one.collection, one.path, one.code, one.tries) == ("sky.obs", "ID.1", NOT_INDEXED, 2)
    assert "min is greater than max" in one.reason
    assert (other.collection, other.path, other.tries) == ("sky.plain", "1 / b", 1)


def test_rows_that_were_replaced_or_written_anew_leave_the_quarantine(database: Engine) -> None:
    store = QuarantineStore(database)
    file = Refusal(collection="sky.obs", path="a.fits", root="/data", code="fits", reason="it is broken")
    store.put([file])
    unindexed = Unindexed(store)
    unindexed.refused([*ROWS, RefusedRow("sky.obs", "ID.2", 3, "so")])
    unindexed.settled("sky.plain", ["1\x1fb", "2\x1fb"])
    assert [entry.path for entry in store.list()] == ["a.fits", "ID.1", "ID.2"]
    unindexed.settled("sky.obs", None)
    assert [entry.path for entry in store.list()] == ["a.fits"]
