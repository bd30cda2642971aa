"""Rows are found by their identifiers, wherever they stand and whatever the texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.duckdb.texts import TextIndex, hashes
from tests.store.duckdb.conftest import make_obs
from vo.adql import translate

texts = st.lists(st.none() | st.text(max_size=6) | st.sampled_from(["", "a", "a\0", "ADP.1"]), max_size=30)


@given(stored=texts, later=texts, wanted=texts)
def test_every_row_with_a_wanted_text_is_found(
    stored: list[str | None], later: list[str | None], wanted: list[str | None]
) -> None:
    sought = [text for text in wanted if text is not None]
    index = TextIndex.build(hashes(pa.array(stored, pa.string())))
    index = index.with_more(TextIndex.build(hashes(pa.array(later, pa.string())), len(stored)))
    expected = [row for row, text in enumerate([*stored, *later]) if text in set(sought)]
    assert index.rows(sought).tolist() == expected


def test_the_hash_of_a_text_does_not_depend_on_where_it_stands() -> None:
    values = pa.array(["x", None, "ADP.2020-01-01T00:00:00.001", "é", ""], pa.string())
    whole = hashes(values)
    assert hashes(pa.chunked_array([values[:2], values[2:]])).tolist() == whole.tolist()
    assert hashes(values[3:]).tolist() == whole[3:].tolist()
    assert hashes(values.cast(pa.large_string())).tolist() == whole.tolist()


def test_the_hash_is_the_one_on_disk() -> None:
    assert hashes(pa.array(["ADP.1", None])).tolist() == [2434986818069899385, 0]


def test_an_index_is_the_same_after_it_was_saved(tmp_path: Path) -> None:
    index = TextIndex.build(hashes(pa.array(["b", "a", None, "b"])))
    index.save(tmp_path / "t0", "c0")
    found = TextIndex.load(tmp_path / "t0", "c0")
    assert np.array_equal(found.rows(["b"]), [0, 3])
    assert found.rows(["c"]).tolist() == []


def served(row: dict[str, Any]) -> str:
    return row["did"] or f"ivo://onedfs.example/ID?{row['id']}"


def test_identifiers_find_rows_of_the_generation_and_of_later_versions(world: Any) -> None:
    world.put("sky.obs", make_obs(40))
    world.fold()
    index = world.index()
    world.put("sky.obs", make_obs(60, seed=2)[30:])
    world.delete("sky.obs", [("ID.000003",), ("ID.000055",)])
    index.refresh()
    shown = {row["id"]: served(row) for row in world.rows("sky.obs")}
    for number in range(62):
        name = f"ID.{number:06d}"
        did = shown.get(name, f"ivo://onedfs.example/ID?{name}")
        expected = [name] if name in shown else []
        for condition in (f"id = '{name}'", f"did = '{did}'", f"'{did}' = did AND id <> ''"):
            assert ids(index, condition) == expected
    some = ", ".join(f"'{did}'" for did in list(shown.values())[::3])
    assert ids(index, f"did IN ({some}, 'none')") == sorted(list(shown)[::3])
    assert ids(index, "id = 'ID.000001' AND id = 'ID.000002'") == []
    assert ids(index, "id = 'ID.000001' OR x IS NULL OR x IS NOT NULL") == sorted(shown)
    assert ids(index, "NOT id = 'ID.000001'") == sorted(shown.keys() - {"ID.000001"})


def ids(index: Any, condition: str) -> list[str]:
    with index.snapshot() as snapshot:
        query = translate(f"SELECT id FROM sky.obs WHERE {condition}", snapshot.schemas)
        return sorted(row["id"] for row in snapshot.run(query).table().to_pylist())


def test_an_identifier_is_looked_up_and_not_searched_for(world: Any) -> None:
    world.put("sky.obs", make_obs(40))
    world.fold()
    index = world.index()
    with index.snapshot() as snapshot:
        query = translate("SELECT n FROM sky.obs WHERE did = 'ivo://elsewhere/7'", snapshot.schemas)
        assert snapshot.explain(query)["texts"] == [{"texts of": ["did"], "candidates": 1}]


def test_a_pattern_of_identifiers_is_turned_back_to_what_rows_store(world: Any) -> None:
    world.put("sky.obs", make_obs(40))
    world.fold()
    index = world.index()
    pattern = "did LIKE 'ivo://onedfs.example/ID?ID.00001%'"
    with index.snapshot() as snapshot:
        for condition, turned in ((pattern, ["did"]), (f"{pattern} AND id = 'ID.000012'", [])):
            query = translate(f"SELECT id FROM sky.obs WHERE {condition}", snapshot.schemas)
            assert snapshot.explain(query)["served"] == turned, "rows found by their text are few"
    assert ids(index, pattern) == [f"ID.{i:06d}" for i in range(10, 20) if i != 14]


def test_names_are_looked_up_however_they_are_written(world: Any) -> None:
    names = ["NGC 253", "ngc253", "NGC-0253", "NGC 2530", "\uff2eGC 253", None, "-", "M 31"]
    rows = make_obs(80)
    for number, row in enumerate(rows):
        row["name"] = names[number % 8]
    world.put("sky.obs", rows[:40])
    world.fold()
    index = world.index()
    world.put("sky.obs", rows[40:])
    index.refresh()
    wanted = sorted(row["id"] for number, row in enumerate(rows) if number % 8 in (0, 1, 2, 4))
    for condition in (
        "onedfs_name_key(name) = 'ngc253'",
        "onedfs_name_key('NGC_253') = onedfs_name_key(name)",
        "onedfs_name_key(name) IN ('ngc253', 'nothing') AND name IS NOT NULL",
        "(onedfs_name_key(name) = 'ngc253' OR onedfs_name_key(name) = 'ngc253')",
    ):
        assert ids(index, condition) == wanted
        with index.snapshot() as snapshot:
            query = translate(f"SELECT id FROM sky.obs WHERE {condition}", snapshot.schemas)
            told = snapshot.explain(query)["texts"]
        assert told == [{"texts of": ["@name=name"], "candidates": len(wanted)}]


@pytest.mark.parametrize(
    "condition",
    [
        "NOT onedfs_name_key(name) = 'ngc253'",
        "onedfs_name_key(name) <> 'muse'",
        "onedfs_name_key(name) = 'muse' OR n = 3",
        "onedfs_name_key(id) = 'muse'",
        "onedfs_name_key(name) LIKE 'mus%'",
    ],
)
def test_other_conditions_on_names_are_not_looked_up(world: Any, condition: str) -> None:
    world.put("sky.obs", make_obs(40))
    world.fold()
    with world.index().snapshot() as snapshot:
        query = translate(f"SELECT id FROM sky.obs WHERE {condition}", snapshot.schemas)
        assert snapshot.explain(query)["texts"] == []
        snapshot.run(query).table()
