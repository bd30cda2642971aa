"""When the follower folds the delta, to the row, the version and the second."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import schemas
from schemas import Kind
from schemas.arrow import arrow_schema
from store.duckdb import Policy
from store.duckdb.generation import build_generation
from store.duckdb.index import most_delta
from store.duckdb.layout import generations
from store.duckdb.wanted import WANTED, ask_for_generation, is_wanted, refuse

Put = Callable[[int], int]

FOLLOWER = "store.duckdb.follower"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def builds_after(follower: Any, clock: Clock, seconds: float, version: int, early: float = 0.5) -> None:
    """The follower builds that version when so many seconds have passed, and not earlier."""
    assert follower.step() is None
    clock.now += seconds - early
    assert follower.step() is None
    clock.now += early
    assert follower.step() == version


@pytest.fixture
def put(world: Any) -> Put:
    """Write so many new rows as the next version."""
    first = 0

    def more(count: int) -> int:
        nonlocal first
        rows = [{"a": i, "b": "x", "v": None} for i in range(first, first + count)]
        first += count
        return int(world.put("sky.plain", rows))

    return more


def test_unless_told_otherwise_a_thousand_rows_wait_for_half_a_minute_of_quiet(
    world: Any, put: Put, clock: Clock
) -> None:
    follower = world.follower(clock=clock)
    follower.step()
    put(999)
    assert follower.step() is None
    clock.now += 10_000
    assert follower.step() is None, "999 rows can wait"
    put(1)
    builds_after(follower, clock, 30, 2)


def test_unless_told_otherwise_fifty_versions_are_folded_however_small(
    world: Any, put: Put, clock: Clock
) -> None:
    follower = world.follower(clock=clock)
    follower.step()
    for _ in range(49):
        put(1)
    follower.step()
    clock.now += 1000
    assert follower.step() is None
    put(1)
    follower.step()
    clock.now += 30
    assert follower.step() == 50


def test_each_new_version_begins_the_quiet_anew(world: Any, put: Put, clock: Clock) -> None:
    follower = world.follower(policy=Policy(quiet=30, least_rows=2), clock=clock)
    follower.step()
    for _ in range(3):
        put(1)
        assert follower.step() is None
        clock.now += 20
    assert follower.step() is None
    clock.now += 10
    assert follower.step() == 3


def test_the_quiet_is_counted_from_when_a_version_is_seen(world: Any, put: Put, clock: Clock) -> None:
    put(5)
    world.fold()
    put(5)
    follower = world.follower(policy=Policy(quiet=30, least_rows=1), clock=clock)
    assert follower.step() is None
    clock.now += 30
    assert follower.step() == 2


def test_a_delta_at_its_bound_waits_and_one_beyond_it_does_not(
    world: Any, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.duckdb.index.LEAST_DELTA", 10)
    follower = world.follower()
    follower.step()
    put(10)
    assert follower.step() is None
    put(1)
    assert follower.step() == 2


def test_the_bound_grows_with_the_rows_there_were(
    world: Any, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.duckdb.index.LEAST_DELTA", 1)
    put(200)
    follower = world.follower()
    assert follower.step() == 1
    put(10)
    assert follower.step() is None, "a twentieth of the rows"
    put(1)
    assert follower.step() == 3


def test_a_delta_may_have_twenty_thousand_rows_or_a_twentieth_of_all() -> None:
    assert [most_delta(rows) for rows in (0, 400_000, 400_020, 1_000_000)] == [20_000, 20_000, 20_001, 50_000]


def test_rows_that_went_do_not_hide_rows_that_came(
    world: Any, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.duckdb.index.LEAST_DELTA", 10)
    world.put("sky.stars", [{"star": i, "ra": 1.0, "dec": 1.0, "radius": 0.0} for i in range(50)])
    follower = world.follower()
    follower.step()
    world.delete("sky.stars", [(i,) for i in range(50)])
    assert follower.step() is None
    put(11)
    assert follower.step() == 3


def table(name: str, *, indexed: bool = True) -> schemas.Table:
    return schemas.Table(
        schema_name="cat",
        local_name=name,
        key=("k",),
        version="1",
        indexed=indexed,
        columns=(schemas.Column(name="k", kind=Kind.LONG),),
    )


def publish(world: Any, declared: schemas.Table, count: int) -> None:
    with world.lake.writer("publish") as writer:
        writer.declare(declared)
        writer.append(declared.name, pa.table({"k": range(count)}, schema=arrow_schema(declared.columns)))
        writer.commit()


def test_a_new_table_counts_with_all_its_rows(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.duckdb.index.LEAST_DELTA", 10)
    follower = world.follower()
    follower.step()
    publish(world, table("small"), 10)
    assert follower.step() is None
    publish(world, table("large"), 1)
    assert follower.step() == 2


def test_tables_that_are_not_indexed_make_nothing_due_and_are_not_stored(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.duckdb.index.LEAST_DELTA", 10)
    follower = world.follower()
    follower.step()
    publish(world, table("apart", indexed=False), 15)
    assert follower.step() is None
    index = world.index()
    assert index.refresh() == 1
    assert index.status().details["delta_rows"] == 0
    assert follower.rebuild() == 1
    assert '"cat.apart"' not in (world.index_folder / "1" / "manifest.json").read_text()
    assert '"TAP_SCHEMA.' not in (world.index_folder / "1" / "manifest.json").read_text()


def test_a_wish_that_is_fulfilled_already_is_forgotten(world: Any, put: Put) -> None:
    follower = world.follower()
    follower.step()
    ask_for_generation(world.index_folder)
    assert follower.step() is None
    assert not is_wanted(world.index_folder)
    put(1)
    assert follower.step() is None


def test_a_wish_made_before_a_build_is_answered_and_one_made_during_it_is_kept(
    world: Any, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = world.follower()
    ask_for_generation(world.index_folder)
    follower.rebuild()
    assert not (world.index_folder / WANTED).exists()

    def and_more(*words: Any, **named: Any) -> Path:
        ask_for_generation(world.index_folder)
        return build_generation(*words, **named)

    put(1)
    monkeypatch.setattr(f"{FOLLOWER}.build_generation", and_more)
    assert follower.rebuild() == 1
    monkeypatch.undo()
    put(1)
    assert follower.step() == 2


def test_a_refused_generation_is_written_again_once(world: Any, put: Put) -> None:
    put(1)
    follower = world.follower()
    follower.step()
    (world.index_folder / "1" / "mine").touch()
    refuse(world.index_folder, world.index_folder / "1")
    refuse(world.index_folder, world.index_folder / "99")
    assert follower.step() == 1
    assert not (world.index_folder / "1" / "mine").exists()
    assert not list(world.index_folder.glob("refused-*"))
    assert follower.step() is None


def test_the_load_s_end_is_awaited_four_times_as_long_as_the_last_build_took(
    world: Any, put: Put, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(*words: Any, **named: Any) -> Path:
        clock.now += 100
        return build_generation(*words, **named)

    follower = world.follower(policy=Policy(patience=60), clock=clock)
    monkeypatch.setattr(f"{FOLLOWER}.build_generation", slowly)
    follower.step()
    with world.lake.loading():
        put(1)
        ask_for_generation(world.index_folder)
        builds_after(follower, clock, 400, 1)


def test_before_the_first_build_the_patience_alone_counts(world: Any, put: Put, clock: Clock) -> None:
    world.fold()
    follower = world.follower(policy=Policy(patience=0.5), clock=clock)
    with world.lake.loading():
        put(1)
        ask_for_generation(world.index_folder)
        builds_after(follower, clock, 0.5, 1, early=0.25)


def test_unless_told_otherwise_a_load_s_end_is_awaited_for_a_minute(
    world: Any, put: Put, clock: Clock
) -> None:
    follower = world.follower(clock=clock)
    follower.step()
    with world.lake.loading():
        put(1)
        ask_for_generation(world.index_folder)
        builds_after(follower, clock, 60, 1)


def test_the_two_newest_generations_are_kept(world: Any, put: Put) -> None:
    follower = world.follower()
    for version in range(1, 5):
        put(1)
        assert follower.rebuild() == version
    assert [version for version, _ in generations(world.index_folder)] == [3, 4]


class Stop(threading.Event):
    """Ends the run after some steps, and notes how long was waited after each."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.pauses: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.pauses.append(timeout)
        if len(self.pauses) == self.steps:
            self.set()
        return self.is_set()


def test_it_steps_until_it_is_stopped_and_waits_longer_after_a_failure(
    world: Any, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower, failures = world.follower(), [OSError("the disk is full")]

    def sometimes(*words: Any, **named: Any) -> Path:
        if failures:
            raise failures.pop()
        return build_generation(*words, **named)

    monkeypatch.setattr(f"{FOLLOWER}.build_generation", sometimes)
    stop = Stop(3)
    follower.run_forever(stop)
    assert stop.pauses == [5.0, 0.5, 0.5]
    assert [version for version, _ in generations(world.index_folder)] == [0]
    put(1)
    assert world.follower().rebuild() == 1, "the lease was given back"


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_who_waits_for_the_lease_opens_no_more_files_each_time(world: Any) -> None:
    assert world.follower().step() == 0
    second = world.follower()
    second.step()
    before = open_files()
    for _ in range(5):
        assert second.step() is None
    assert open_files() == before


def test_what_a_dead_follower_half_removed_goes_too(world: Any) -> None:
    for name in ("draft-1", "gone-7"):
        (world.index_folder / name).mkdir(parents=True)
        (world.index_folder / name / "index.duckdb").write_text("half")
    world.follower().step()
    assert sorted(entry.name for entry in world.index_folder.iterdir()) == ["0", "follower"]
