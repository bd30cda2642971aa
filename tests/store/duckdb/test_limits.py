from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from query import tree
from sky.regions import Circle
from store import limits
from store.duckdb.selection import select
from store.limits import FIRST_CHUNK, BoolArray, IntArray, TimeLimit
from store.planner import narrowings
from store.port import QueryTimeout
from vo.adql import translate

MANY = tuple(Circle(ra, dec, 2.0) for ra in range(0, 360, 30) for dec in range(-80, 90, 20))


def where(relation: str, *circles: Circle) -> str:
    parts = " ".join(f"CIRCLE {circle.ra} {circle.dec} {circle.radius}" for circle in circles)
    text = f"UNION ICRS ({parts})" if len(circles) > 1 else parts
    return "1 = " + relation.format(f"REGION('{text}')")


RELATIONS = {
    "intersects": "INTERSECTS(footprint, {})",
    "within": "CONTAINS(footprint, {})",
    "contains": "CONTAINS({}, footprint)",
    "position": "CONTAINS(POINT(ra, dec), {})",
}


@pytest.mark.parametrize("relation", RELATIONS.values(), ids=list(RELATIONS))
def test_choosing_rows_ends_when_the_time_is_up(sky_world: Any, relation: str) -> None:
    with sky_world.index().snapshot() as snapshot:
        query = translate(f"SELECT id FROM sky.obs WHERE {where(relation, *MANY)}", snapshot.schemas)
        (narrowing,) = narrowings(tree.walk(query))
        table = snapshot._state.tables["sky.obs"]
        assert select(table, narrowing, TimeLimit(60)).count == select(table, narrowing, TimeLimit()).count
        with pytest.raises(QueryTimeout):
            select(table, narrowing, TimeLimit(0))


def test_the_time_that_choosing_rows_takes_counts(sky_world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = _Clock()
    monkeypatch.setattr(limits, "time", clock)
    with sky_world.index().snapshot() as snapshot:
        query = translate(
            f"SELECT id FROM sky.obs WHERE {where(RELATIONS['within'], *MANY)}", snapshot.schemas
        )
        with pytest.raises(QueryTimeout, match=r"longer than allowed \(30 s\); narrow it"):
            snapshot.run(query, timeout=30)
        clock.step = 0.0
        assert snapshot.run(query, timeout=30).table().num_rows >= 0


class _Clock:
    """Each look at it takes ten seconds."""

    now, step = 0.0, 10.0

    def monotonic(self) -> float:
        self.now += self.step
        return self.now


@given(st.integers(0, 5000), st.floats(0, 0.2))
def test_rows_tested_in_chunks_are_tested_once_each_in_order(count: int, slow: float) -> None:
    rows = np.arange(count, dtype=np.int64) * 3
    clock = _Clock()
    clock.step = slow
    seen: list[int] = []

    def even(some: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        seen.extend(some.tolist())
        return np.asarray(some % 2 == 0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "time", clock)
        found = TimeLimit().tested(even, rows)
    assert seen == rows.tolist()
    assert (found == (rows % 2 == 0)).all()


@pytest.mark.parametrize("relation", ["intersects", "position"])
def test_a_union_finds_what_its_parts_find(sky_world: Any, relation: str) -> None:
    with sky_world.index().snapshot() as snapshot:

        def found(*circles: Circle) -> set[str]:
            text = f"SELECT id FROM sky.obs WHERE {where(RELATIONS[relation], *circles)}"
            return set(snapshot.run(translate(text, snapshot.schemas)).table().column("id").to_pylist())

        apart = set[str]().union(*(found(circle) for circle in MANY[::5]))
        assert found(*MANY[::5]) == apart
        assert len(apart) > 5


@pytest.mark.parametrize(
    ("seconds", "sizes"),
    [(0.0, [FIRST_CHUNK, 4 * FIRST_CHUNK]), (10.0, [FIRST_CHUNK, FIRST_CHUNK // 2, FIRST_CHUNK // 4])],
)
def test_chunks_grow_while_they_are_quick_and_shrink_when_they_are_not(
    monkeypatch: pytest.MonkeyPatch, seconds: float, sizes: list[int]
) -> None:
    moment = 1000.0
    found: list[int] = []

    def test(rows: IntArray) -> BoolArray:
        nonlocal moment
        moment += seconds
        found.append(len(rows))
        return rows >= 0

    monkeypatch.setattr(limits, "time", SimpleNamespace(monotonic=lambda: moment))
    assert TimeLimit(1e6).tested(test, np.arange(sum(sizes))).all()
    assert found == sizes
