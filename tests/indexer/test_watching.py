"""A watched folder: what is new is taken once it is complete, and once only."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from indexer import IngestError, Summary
from indexer.discovery import Discovered, Found
from indexer.watching import Watched


def found(items: list[Discovered]) -> list[str]:
    return [item.relative for item in items if isinstance(item, Found)]


def test_a_young_file_is_taken_once_it_stays_as_it_is(night: Path, made: Any) -> None:
    content = made.image((100, 100))
    watched = Watched([night], 0.0)
    (night / "a.fits").write_bytes(content[:2880])
    assert found(watched.look()) == []
    (night / "a.fits").write_bytes(content)
    assert found(watched.look()) == []
    assert found(watched.look()) == ["a.fits"]
    assert watched.look() == []


def test_a_file_must_stay_as_it_is_for_a_while(night: Path, made: Any) -> None:
    (night / "a.fits").write_bytes(made.image())
    watched = Watched([night], 3600.0)
    assert found(watched.look()) == found(watched.look()) == []


def test_an_old_file_is_taken_at_once(night: Path, made: Any) -> None:
    (night / "a.fits").write_bytes(made.image())
    os.utime(night / "a.fits", (1e9, 1e9))
    watched = Watched([night], 3600.0)
    assert found(watched.look()) == ["a.fits"]
    assert found(watched.look()) == []


def test_a_file_that_changes_or_comes_again_is_taken_again(night: Path, made: Any) -> None:
    path = night / "a.fits"
    watched = Watched([night], 0.0)
    for number in range(3):
        path.write_bytes(made.image())
        os.utime(path, (1e9 + number, 1e9 + number))
        assert found(watched.look()) == ["a.fits"]
    path.unlink()
    assert watched.look() == []
    path.write_bytes(made.image())
    os.utime(path, (1e9 + 2, 1e9 + 2))
    assert found(watched.look()) == ["a.fits"]


def test_a_glob_may_match_nothing_for_now_but_a_path_must_exist(night: Path) -> None:
    assert Watched([night / "*.fits"], 0.0).look() == []
    with pytest.raises(IngestError):
        Watched([night / "nothing"], 0.0)


def wait_until(met: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not met():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("holding", ["reference", "move"])
def test_a_run_that_watches_goes_on_until_it_is_stopped(
    archive: Any, night: Path, made: Any, holding: str
) -> None:
    stop, summaries = Event(), list[Summary]()

    def run() -> None:
        summaries.append(archive.ingest(night, stop=stop, watch_seconds=0.05, holding=holding))

    thread = Thread(target=run)
    thread.start()
    try:
        for number in range(3):
            (night / f"{number}.fits").write_bytes(made.image((200, 200), OBJECT=str(number)))
            wait_until(lambda seen=number: archive.lake.version() > seen)
    finally:
        stop.set()
        thread.join(60)
    (summary,) = summaries
    assert summary.line() == "accepted 3, unchanged 0, replaced 0, quarantined 0"
    assert (list(night.iterdir()) == []) is (holding == "move")
