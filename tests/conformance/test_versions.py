"""Every query sees one version of the archive, whatever comes in meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from store.port import IndexNotReady, Snapshot
from tests.conformance.world import Row, State, as_arrow
from tests.support.engines import EngineUnderTest
from vo.adql import translate


def mark(number: int, name: str = "first") -> Row:
    return {"id": f"M.{number}", "k": number, "star": None, "v": None, "name": name}


def star(number: int) -> Row:
    return {"star": number, "ra": 1.0, "dec": 2.0, "radius": None, "name": None, "n": None}


def asked(snapshot: Snapshot, text: str) -> list[tuple[Any, ...]]:
    rows = snapshot.run(translate(text, snapshot.schemas), timeout=60).table()
    return list(zip(*(column.to_pylist() for column in rows.columns), strict=True))


@pytest.fixture
def state(engine: EngineUnderTest, tmp_path: Path) -> Iterator[State]:
    """An index that was built when there were three marks."""
    made = State(engine, tmp_path)
    made.put("lab.marks", [mark(number) for number in range(3)])
    made.engine.rebuild()
    yield made
    made.engine.close()


@pytest.fixture
def names(state: State) -> Callable[[], list[tuple[Any, ...]]]:
    def now() -> list[tuple[Any, ...]]:
        with state.index.snapshot() as snapshot:
            return asked(snapshot, "SELECT k, name FROM lab.marks ORDER BY k")

    return now


def test_an_index_without_anything_applied_says_that_it_is_not_ready(
    engine: EngineUnderTest, tmp_path: Path
) -> None:
    state = State(engine, tmp_path)
    assert not state.engine.index.status().ready
    assert state.engine.index.status().reason
    with pytest.raises(IndexNotReady), state.engine.index.snapshot():
        pass
    state.engine.close()


def test_rows_are_shown_replaced_and_taken_away(state: State, names: Callable[[], Any]) -> None:
    assert names() == [(0, "first"), (1, "first"), (2, "first")]
    state.put("lab.marks", [mark(3)])
    state.put("lab.marks", [mark(1, "again")], known=True)
    state.delete("lab.marks", [mark(0)])
    assert names() == [(1, "again"), (2, "first"), (3, "first")]
    state.engine.rebuild()
    assert names() == [(1, "again"), (2, "first"), (3, "first")]


def test_what_was_deleted_can_come_again(state: State, names: Callable[[], Any]) -> None:
    state.delete("lab.marks", [mark(2)])
    assert names() == [(0, "first"), (1, "first")]
    state.put("lab.marks", [mark(2, "back")])
    assert names() == [(0, "first"), (1, "first"), (2, "back")]


def test_a_snapshot_stays_at_its_version(state: State) -> None:
    text = "SELECT COUNT(*) AS n FROM lab.marks"
    with state.index.snapshot() as old:
        state.put("lab.marks", [mark(3)])
        state.delete("lab.marks", [mark(0), mark(1)])
        with state.index.snapshot() as new:
            assert new.version > old.version
            assert (asked(old, text), asked(new, text)) == ([(3,)], [(2,)])
        state.engine.rebuild()
        with state.index.snapshot() as rebuilt:
            assert (asked(old, text), asked(rebuilt, text)) == ([(3,)], [(2,)])


def test_a_batch_over_two_tables_is_seen_whole(state: State) -> None:
    with state.lake.writer("test") as writer:
        for name, row in (("lab.marks", mark(7)), ("lab.stars", star(7))):
            writer.append(name, as_arrow(state.lake.schemas().table(name), [row]))
        version = writer.commit()
    with state.index.snapshot() as snapshot:
        assert snapshot.version == version
        text = "SELECT m.k, s.star FROM lab.marks AS m JOIN lab.stars AS s ON m.k = s.star"
        assert asked(snapshot, text) == [(7, 7)]


def test_an_answer_and_the_status_name_their_version(state: State) -> None:
    version = state.lake.version()
    with state.index.snapshot() as snapshot:
        query = translate("SELECT k FROM lab.marks", snapshot.schemas)
        assert snapshot.run(query).version == snapshot.version == version
    status = state.index.status()
    assert (status.version, status.lake_version, status.ready) == (version, version, True)


def test_an_answer_that_is_closed_early_leaves_the_index_usable(
    state: State, names: Callable[[], Any]
) -> None:
    with state.index.snapshot() as snapshot:
        answer = snapshot.run(translate("SELECT k FROM lab.marks", snapshot.schemas), limit=1)
        answer.close()
        answer.close()
        assert list(answer.batches) == []
    assert len(names()) == 3
