"""What a cluster holds is held against the lake, whatever the state says of it."""

from __future__ import annotations

from typing import Any

import pytest

from store.elastic.verify import Comparison

pytestmark = pytest.mark.slow


def told(world: Any, *, thorough: bool) -> dict[str, str]:
    compared = Comparison(world.client, world.lake, world.state)
    found = compared.differences(world.lake.schemas(world.state.version), thorough=thorough)
    return {one.table: one.message for one in found}


@pytest.fixture
def followed(world: Any, obs: Any) -> Any:
    """An index with a past: rows were replaced, withdrawn and given again."""
    follower = world.follower()
    world.write("append", "sky.obs", obs(60))
    follower.step()
    world.write("replace", "sky.obs", obs(9, 20, n=1))
    world.write("delete", "sky.obs", obs(3, 7))
    world.write("append", "sky.obs", obs(1, 7, n=2))
    while follower.step() is not None:
        pass
    return world


@pytest.mark.parametrize("thorough", [False, True])
def test_an_index_that_holds_the_lake_s_rows_is_clean(followed: Any, *, thorough: bool) -> None:
    assert told(followed, thorough=thorough) == {}


def test_a_document_that_is_gone_is_missed(followed: Any) -> None:
    entry = followed.state.tables["sky.obs"]
    followed.client.delete(index=entry.index, id="ID.000001@1", refresh=True)
    assert told(followed, thorough=False) == {"sky.obs": "the index shows 57 rows of 58"}


def test_a_value_that_is_not_the_lake_s_is_found_when_all_are_compared(followed: Any) -> None:
    entry = followed.state.tables["sky.obs"]
    followed.client.update(index=entry.index, id="ID.000001@1", doc={"n": 77}, refresh=True)
    assert told(followed, thorough=False) == {}
    assert told(followed, thorough=True) == {"sky.obs": "rows of the index are not as the lake has them"}


def test_a_document_without_its_packed_row_is_found(followed: Any) -> None:
    entry = followed.state.tables["sky.obs"]
    source = followed.client.get(index=entry.index, id="ID.000001@1")["_source"]
    followed.client.index(
        index=entry.index,
        id="ID.000001@1",
        document={name: value for name, value in source.items() if name != "@row"},
        refresh=True,
    )
    assert told(followed, thorough=True) == {"sky.obs": "rows of the index are not as the lake has them"}


def test_rows_that_are_in_quarantine_are_not_missed(world: Any, obs: Any) -> None:
    world.write("append", "sky.obs", obs(20) + obs(1, 20, _border=[10, 5]))
    world.follower().step()
    assert world.state.tables["sky.obs"].refused == 1
    assert told(world, thorough=True) == {}
