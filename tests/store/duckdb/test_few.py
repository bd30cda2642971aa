"""Few rows are read by their number, and show what the engine shows of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from store.duckdb import DuckIndex, few, snapshot
from tests.store.duckdb.conftest import World, make_obs
from vo.adql import translate

ALL = 'id, did, ra, dec, footprint, name, n, big, x, f, "day"'
CONE = "1 = CONTAINS(POINT(ra, dec), CIRCLE(0, 0, 40))"
MEETS = "1 = INTERSECTS(footprint, CIRCLE(10, -5, 30))"


@pytest.fixture(scope="module")
def index(sky_world: World) -> DuckIndex:
    return sky_world.index()


def read(index: DuckIndex, text: str, **options: Any) -> list[dict[str, Any]]:
    with index.snapshot() as shown:
        return shown.run(translate(text, shown.schemas), **options).table().to_pylist()


def told(index: DuckIndex, text: str) -> tuple[str, bool]:
    """Say where the rows of a query are read, and whether the engine is asked for anything."""
    with index.snapshot() as shown:
        how = shown.explain(translate(text, shown.schemas))
    return how["rows read"], how["sql"] is not None


@pytest.mark.parametrize(
    ("condition", "asked"),
    [
        (CONE, False),
        (f"{CONE} AND {MEETS}", False),
        (MEETS, False),
        ("1 = CONTAINS(POINT(ra, dec), POLYGON(0, -40, 80, -40, 80, 40, 0, 40))", False),
        ("id = 'ID.000061'", False),
        ("did IN ('ivo://elsewhere/7', 'ivo://here.example/ID?ID.000008', 'x')", False),
        (f"{CONE} AND name = 'again'", False),
        (f"{CONE} AND n > 3", True),
        ("DISTANCE(POINT(ra, dec), POINT(0, 0)) < 40", True),
        (f"{MEETS} AND (x IS NULL OR UPPER(name) = 'MUSE')", True),
    ],
)
def test_those_of_conditions_that_indexes_tell_are_as_the_engine_has_them(
    index: DuckIndex, monkeypatch: pytest.MonkeyPatch, condition: str, *, asked: bool
) -> None:
    text = f"SELECT {ALL} FROM sky.obs WHERE {condition} ORDER BY id"
    assert told(index, text) == ("by their number", asked)
    found, first = read(index, text), read(index, text, limit=3)
    monkeypatch.setattr(snapshot, "few_rows", lambda _: None)
    assert found == read(index, text)
    assert first == read(index, text, limit=3) == found[:3]
    assert found


@pytest.mark.parametrize(
    "text",
    [
        f"SELECT TOP 7 {ALL} FROM sky.obs ORDER BY n, id",
        f'SELECT TOP 7 {ALL} FROM sky.obs WHERE n > 3 ORDER BY "day" DESC OFFSET 5',
        "SELECT TOP 9 name AS a, name AS b, id FROM sky.obs WHERE x > 0 ORDER BY x, 3",
        f"SELECT TOP 0 {ALL} FROM sky.obs",
    ],
)
def test_so_are_the_first_ones(index: DuckIndex, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    assert told(index, text) == ("by their number", True)
    found = read(index, text)
    monkeypatch.setattr(snapshot, "few_rows", lambda _: None)
    assert found == read(index, text)


@pytest.mark.parametrize(
    "text",
    [
        f"SELECT {ALL} FROM sky.obs",
        "SELECT TOP 5 id, flags FROM sky.obs ORDER BY id",
        "SELECT TOP 5 n * 2 AS m FROM sky.obs ORDER BY id",
        f"SELECT DISTINCT name FROM sky.obs WHERE {CONE}",
        f"SELECT COUNT(*) FROM sky.obs WHERE {CONE}",
        "SELECT TOP 5 a.id FROM sky.obs AS a JOIN sky.stars AS b ON a.n = b.star ORDER BY a.id",
        "SELECT TOP 5 table_name FROM TAP_SCHEMA.tables ORDER BY table_name",
        f"SELECT TOP {few.MOST_ROWS + 1} id FROM sky.obs ORDER BY id",
    ],
)
def test_the_engine_reads_what_is_more_than_rows(index: DuckIndex, text: str) -> None:
    assert told(index, text) == ("by the engine", True)
    assert read(index, text)


def test_many_rows_are_left_to_the_engine(index: DuckIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"SELECT id FROM sky.obs WHERE {CONE} ORDER BY id"
    found = read(index, text)
    assert told(index, text) == ("by their number", False)
    monkeypatch.setattr(few, "MOST_ROWS", len(found) - 1)
    assert told(index, text) == ("by the engine", True)
    assert read(index, text) == found


def test_rows_of_long_texts_are_left_to_the_engine(index: DuckIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"SELECT id, name FROM sky.obs WHERE {CONE} ORDER BY id"
    found = read(index, text)

    def none(*_: Any) -> Any:
        pytest.fail("they are read by number")

    monkeypatch.setattr(few, "plain_rows", none)
    table = index._current.state.tables["sky.obs"]
    monkeypatch.setattr(few, "MOST_BYTES", table.size(np.arange(table.end)) // 100)
    assert read(index, text) == found


def test_numbers_that_are_none_are_shown_and_sorted_as_the_engine_does_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = make_obs(8)
    for row, x in zip(
        rows, (1.0, float("nan"), float("inf"), None, float("-inf"), -0.0, 2.0, 0.5), strict=True
    ):
        row["x"] = x
    world.put("sky.obs", rows[:5])
    world.fold()
    world.put("sky.obs", rows[5:])
    index = world.index()
    for order in ("x, id", "x DESC, id", "id"):
        text = f"SELECT TOP 8 id, x FROM sky.obs ORDER BY {order}"
        found = read(index, text)
        with monkeypatch.context() as patched:
            patched.setattr(snapshot, "few_rows", lambda _: None)
            assert str(found) == str(read(index, text)), order
    assert "nan" in str(found)
    assert "-inf" in str(found)


def test_changes_are_seen_at_once_by_number(world: World) -> None:
    world.put("sky.obs", make_obs(40))
    world.fold()
    index = world.index()
    for first in range(40, 100, 5):
        world.put("sky.obs", make_obs(5, first=first))
        world.put("sky.obs", [row | {"name": f"of {first}"} for row in make_obs(3, first=first - 20)])
        world.delete("sky.obs", [(f"ID.{first - 30:06d}",)])
        index.refresh()
        text = "SELECT TOP 1000 id, name, n FROM sky.obs ORDER BY id"
        assert told(index, text) == ("by their number", True)
        expected = sorted(
            ({k: row[k] for k in ("id", "name", "n")} for row in world.rows("sky.obs")), key=str
        )
        assert sorted(read(index, text), key=str) == expected
