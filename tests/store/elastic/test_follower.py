"""The index shows the lake's rows at one version, whatever happens to the lake, the follower and others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from elasticsearch import ApiError, Elasticsearch

import schemas
from schemas import Column, Kind, Table
from store.elastic import Names, Pace, Policy, StateDocument
from store.elastic.client import Cluster
from store.elastic.indices import Fit, Indices
from store.lake import Lake, clean_logs, compact, vacuum
from tests.store.elastic.happenings import (
    CATALOGUE,
    DiedError,
    changed,
    dies_before_it_shows,
    keep_up,
    publish,
    several_at_once,
    stars,
    unpublish,
)

pytestmark = pytest.mark.slow


def widen(world: Any) -> None:
    table = world.lake.declared.table("sky.plain")
    wide = changed(table, columns=(*table.columns, Column(name="grade", kind=Kind.TEXT)))
    world.lake.declared = world.lake.declared.with_tables([wide])
    world.write("append", "sky.plain", [{"a": 100, "b": "wide", "v": 1.0, "grade": "A"}])


def wider(table: Table) -> Table:
    return changed(table, columns=(*table.columns, Column(name="note", kind=Kind.TEXT)))


def other(table: Table) -> Table:
    """The same name for other rows."""
    mag = Column(name="mag", kind=Kind.TEXT)
    return changed(table, columns=(table.columns[0], mag))


def life(world: Any, obs: Any) -> dict[str, Callable[[], object]]:
    """Everything that can happen to a lake, in order."""
    plain = [{"a": i, "b": "b" * (i % 3), "v": i / 7} for i in range(30)]
    return {
        "append": lambda: world.write("append", "sky.obs", obs(300)),
        "append again": lambda: world.write("append", "sky.obs", obs(20, 300)),
        "another table": lambda: world.write("append", "sky.plain", plain),
        "not indexed": lambda: world.write("append", "sky.hidden", [{"a": 1}]),
        "replace": lambda: world.write("replace", "sky.obs", obs(9, 295, big=5)),
        "replace again": lambda: world.write("replace", "sky.obs", obs(9, 295, big=6)),
        "delete": lambda: world.write("delete", "sky.obs", obs(3, 7)),
        "delete by a key of two columns": lambda: world.write("delete", "sky.plain", plain[3:9]),
        "give again": lambda: world.write("append", "sky.obs", obs(2, 7, n=-1)),
        "several at once": lambda: several_at_once(world, obs),
        "compact": lambda: compact(world.lake),
        "publish": lambda: publish(world, CATALOGUE, stars(range(50))),
        "added column": lambda: widen(world),
        "widen a published table": lambda: publish(world, wider(CATALOGUE), stars(range(50, 60))),
        "publish otherwise": lambda: publish(
            world, other(CATALOGUE), pa.table({"id": [1, 2], "mag": ["a", "b"]})
        ),
        "unpublish": lambda: unpublish(world),
        "vacuum": lambda: vacuum(world.lake, world.lake.version()),
        "replace after vacuum": lambda: world.write("replace", "sky.obs", obs(2, 3, x=1.5)),
        "clean logs": lambda: clean_logs(world.lake, world.lake.version()),
        "append after clean-up": lambda: world.write("append", "sky.obs", obs(5, 800)),
        "publish again": lambda: publish(world, CATALOGUE, stars([3, 4])),
    }


@pytest.mark.parametrize("declared", tuple(schemas.load_schemas()), ids=lambda table: table.name)
def test_every_declared_table_has_a_mapping_that_is_accepted(
    declared: Table, client: Elasticsearch, new_cluster: Callable[[], Cluster]
) -> None:
    indices = Indices(client, new_cluster())
    name = indices.create(declared, 0)
    assert indices.fit(name, declared) is Fit.SAME
    assert indices.finish(name, 1) == 0
    indices.delete(name)


def test_the_first_build_holds_the_lake_s_rows(world: Any, obs: Any) -> None:
    world.write("append", "sky.obs", obs(500))
    world.write("replace", "sky.obs", obs(20, 40, n=1))
    assert world.follower().step() == 2
    world.agrees()


def test_an_empty_lake_is_an_index_too(world: Any) -> None:
    assert world.follower().step() == 0
    assert world.shown() == {"sky.obs": {}, "sky.plain": {}}


def test_the_index_follows_all_that_happens_to_a_lake(world: Any, obs: Any) -> None:
    follower = world.follower()
    follower.step()
    built = world.state.tables["sky.obs"].index
    for name, happen in life(world, obs).items():
        happen()
        keep_up(follower)
        assert world.refused == [], name
        world.agrees()
        assert follower.step() is None, name
    assert world.state.tables["sky.obs"].index == built, "it was never built anew"
    assert world.refused == []


@pytest.mark.parametrize("stride", [2, 100])
def test_a_follower_that_is_behind_takes_several_versions_at_once(world: Any, obs: Any, stride: int) -> None:
    follower = world.follower(policy=Policy(term=4.0, stride=stride))
    follower.step()
    for happen in life(world, obs).values():
        happen()
        if world.lake.version() % 3 == 0:
            keep_up(follower)
            world.agrees()
    keep_up(follower)
    world.agrees()


def test_a_step_holds_no_more_rows_than_it_may(world: Any, obs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes fewer versions at once, and writes a table anew of which one version changed more."""
    held: list[int] = []
    difference = Lake.difference

    def counted(lake: Lake, after: int, upto: int, **options: Any) -> Any:
        step = difference(lake, after, upto, **options)
        held.append(sum(change.inserted.num_rows for change in step.changes))
        return step

    monkeypatch.setattr(Lake, "difference", counted)
    follower = world.follower(policy=Policy(term=4.0, stride=16, rows=50))
    follower.step()
    for first in range(0, 120, 20):
        world.write("append", "sky.obs", obs(20, first))
    before = world.state.tables["sky.obs"].index
    keep_up(follower)
    assert world.state.tables["sky.obs"].index == before
    world.write("append", "sky.obs", obs(80, 200))
    world.write("append", "sky.plain", [{"a": 1, "b": "x", "v": 1.0}])
    world.write("replace", "sky.obs", obs(10, 195, n=5))
    keep_up(follower)
    world.agrees()
    assert world.state.tables["sky.obs"].index != before
    assert max(held) <= 50
    assert len(held) >= 4


def test_a_follower_whose_feed_was_cleaned_away_builds_anew_beside(world: Any, obs: Any) -> None:
    follower = world.follower()
    world.write("append", "sky.obs", obs(50))
    follower.step()
    before = world.state
    for number in range(3):
        world.write("replace", "sky.obs", obs(5, number))
    clean_logs(world.lake, world.lake.version())
    vacuum(world.lake, world.lake.version())
    was = world.shown(before)
    keep_up(follower)
    world.agrees()
    assert world.state.tables["sky.obs"].index != before.tables["sky.obs"].index
    assert world.shown(before) == was, "who had begun with the old index goes on with it"


def test_an_old_version_stays_as_it_is_while_the_next_is_half_written(
    world: Any, obs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = world.follower()
    world.write("append", "sky.obs", obs(100))
    world.write("append", "sky.plain", [{"a": 1, "b": "x", "v": 1.0}])
    keep_up(follower)
    before, was = world.state, world.shown()
    several_at_once(world, obs)
    monkeypatch.setattr(StateDocument, "write", dies_before_it_shows)
    with pytest.raises(DiedError):
        follower.step()
    everything = {
        name: world.client.count(index=entry.index)["count"] for name, entry in before.tables.items()
    }
    assert everything == {"sky.obs": 103, "sky.plain": 2}, "the next version is written and refreshed"
    assert world.state == before
    assert world.shown() == was == world.held(before.version)


def test_a_step_that_is_repeated_changes_nothing(
    world: Any, obs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = world.follower()
    world.write("append", "sky.obs", obs(100))
    keep_up(follower)
    index = world.state.tables["sky.obs"].index
    for number, happen in enumerate(
        (
            lambda: several_at_once(world, obs),
            lambda: world.write("replace", "sky.obs", obs(30, 20, n=3)),
            lambda: world.write("delete", "sky.obs", obs(10, 30)),
        )
    ):
        happen()
        with monkeypatch.context() as patch:
            patch.setattr(StateDocument, "write", dies_before_it_shows)
            with pytest.raises(DiedError):
                follower.step()
        written = world.client.search(index=index, size=10_000, query={"match_all": {}})["hits"]["hits"]
        assert follower.step() is not None, number
        again = world.client.search(index=index, size=10_000, query={"match_all": {}})["hits"]["hits"]
        by_id = lambda hits: {hit["_id"]: hit["_source"] for hit in hits}  # noqa: E731
        assert by_id(again) == by_id(written)
        world.agrees()


def test_a_step_that_failed_is_repeated_as_it_was_though_more_has_come(
    world: Any, obs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = world.follower(policy=Policy(term=4.0))
    world.write("append", "sky.obs", obs(60))
    keep_up(follower)
    world.write("replace", "sky.obs", obs(10, n=3))
    world.write("append", "sky.obs", obs(5, 100))
    world.write("delete", "sky.obs", obs(5, 20))
    with monkeypatch.context() as patch:
        patch.setattr(StateDocument, "write", dies_before_it_shows)
        with pytest.raises(DiedError):
            follower.step()
    world.write("replace", "sky.obs", obs(10, n=4))
    world.write("delete", "sky.obs", obs(5, 100))
    world.write("append", "sky.obs", obs(5, 20))
    keep_up(follower)
    world.agrees()


def test_changes_that_the_state_does_not_speak_of_are_found(
    world: Any, obs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a snapshot that was taken while a follower wrote: the state in it is older than the rows."""
    follower = world.follower(policy=Policy(term=4.0))
    world.write("append", "sky.obs", obs(60))
    keep_up(follower)
    before = world.state
    world.write("replace", "sky.obs", obs(10, n=3))
    with monkeypatch.context() as patch:
        patch.setattr(StateDocument, "write", dies_before_it_shows)
        with pytest.raises(DiedError):
            follower.step()
    world.states.write(before, world.states.read())
    assert world.state.upto is None
    world.write("replace", "sky.obs", obs(10, n=4))
    keep_up(follower)
    world.agrees()


def test_a_poison_row_is_set_aside_and_the_rest_lands(world: Any, obs: Any) -> None:
    settled: list[tuple[str, Any]] = []
    follower = world.follower(settled=lambda table, keys: settled.append((table, keys)))
    world.write("append", "sky.obs", obs(20) + obs(1, 20, _border=[10, 5]))
    follower.step()
    world.write("append", "sky.obs", obs(3, 30) + obs(1, 40, _inner=[7, 3]))
    keep_up(follower)
    assert [(row.table, row.key, row.version) for row in world.refused] == [
        ("sky.obs", "ID.000020", 1),
        ("sky.obs", "ID.000040", 2),
    ]
    assert all("@" in row.reason and "range" in row.reason for row in world.refused)
    assert settled == [("sky.obs", None), ("sky.plain", None)]
    entry = world.state.tables["sky.obs"]
    assert (entry.rows, entry.refused) == (23, 2)
    held = world.held()["sky.obs"]
    assert world.shown()["sky.obs"] == {k: v for k, v in held.items() if k not in ("ID.000020", "ID.000040")}
    world.write("replace", "sky.obs", obs(1, 20))
    world.write("delete", "sky.obs", obs(1, 40))
    keep_up(follower)
    world.agrees()
    assert world.state.tables["sky.obs"].refused == 0
    assert settled[2:] == [("sky.obs", ["ID.000020"]), ("sky.obs", ["ID.000040"])]


def test_long_texts_and_long_keys_are_no_poison(world: Any, obs: Any) -> None:
    follower = world.follower()
    world.write("append", "sky.obs", obs(1, Name="\U0001f52d" * 40_000, id="k" * 600))
    follower.step()
    world.agrees()
    [ignored] = world.client.search(
        index=world.state.tables["sky.obs"].index, query={"term": {"_ignored": "name"}}
    )["hits"]["hits"]
    assert ignored["_source"]["name"] == "\U0001f52d" * 40_000
    world.write("replace", "sky.obs", obs(1, Name="short", id="k" * 600))
    keep_up(follower)
    world.agrees()
    assert world.refused == []


def test_a_column_that_was_added_is_added_in_place(world: Any, obs: Any) -> None:
    follower = world.follower()
    world.write("append", "sky.plain", [{"a": 1, "b": "x", "v": 1.0}])
    follower.step()
    before = world.state.tables["sky.plain"].index
    widen(world)
    keep_up(follower)
    world.agrees()
    assert world.state.tables["sky.plain"].index == before


def test_an_index_of_another_format_is_built_anew(
    world: Any, obs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("append", "sky.obs", obs(10))
    follower = world.follower()
    with monkeypatch.context() as patch:
        patch.setattr("store.elastic.state.FORMAT", 0)
        follower.step()
    assert world.states.read().state is None
    assert follower.step() == 1
    world.agrees()


def test_an_index_that_somebody_deleted_is_written_again(world: Any, obs: Any) -> None:
    follower = world.follower()
    world.write("append", "sky.obs", obs(10))
    follower.step()
    world.write("append", "sky.obs", obs(10, 10))
    follower.step()
    world.client.indices.delete(index=world.state.tables["sky.obs"].index)
    world.write("replace", "sky.obs", obs(2))
    with pytest.raises(ApiError, match="index_not_found"):
        follower.step()
    keep_up(follower)
    world.agrees()


def test_aliases_name_what_is_shown(world: Any, obs: Any) -> None:
    follower = world.follower()
    follower.step()
    publish(world, CATALOGUE, stars([1]))
    keep_up(follower)
    follower.rebuild()
    found = world.client.indices.get_alias(index=f"{world.cluster.prefix}-*")
    aliases = {alias: name for name, entry in found.items() for alias in entry["aliases"]}
    names = Names(world.cluster.prefix)
    assert aliases == {
        names.alias(world.table(name)): entry.index for name, entry in world.state.tables.items()
    }
    assert f"{world.cluster.prefix}-sky-obs" in aliases


class Hands:
    """A clock that goes only when it is turned."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_what_is_not_shown_any_more_is_deleted_after_the_grace(
    world: Any, obs: Any, client: Elasticsearch
) -> None:
    hands = Hands()
    policy = Policy(term=1e6, grace=900.0, sweep=60.0, stride=1, pace=Pace(threads=1))
    follower = world.follower(policy=policy, clock=hands)
    world.write("append", "sky.obs", obs(50))
    follower.step()
    first = world.state.tables["sky.obs"].index
    world.write("replace", "sky.obs", obs(20))
    keep_up(follower)
    follower.rebuild()
    second = world.state.tables["sky.obs"].index
    world.write("replace", "sky.obs", obs(20))
    world.write("delete", "sky.obs", obs(5))
    keep_up(follower)
    hands.now += 899
    keep_up(follower)
    assert client.count(index=first)["count"] == 70
    assert client.count(index=second)["count"] == 70
    hands.now += 901
    keep_up(follower)
    assert not client.indices.exists(index=first)
    assert client.count(index=second)["count"] == 45
    world.agrees()


def test_indices_of_others_are_left_alone(world: Any, client: Elasticsearch) -> None:
    hands = Hands()
    follower = world.follower(policy=Policy(term=1e6, grace=1.0, sweep=0.0), clock=hands)
    follower.step()
    theirs = f"{world.cluster.prefix}-theirs"
    client.indices.create(index=theirs)
    follower.step()
    hands.now += 100
    follower.step()
    assert client.indices.exists(index=theirs)


def test_no_index_of_ours_comes_into_being_by_a_mere_write(world: Any, client: Elasticsearch) -> None:
    world.follower().step()
    answer = client.bulk(operations=[{"index": {"_index": f"{world.cluster.prefix}-sky-new"}}, {"a": 1}])
    assert answer["errors"]
    assert not client.indices.exists(index=f"{world.cluster.prefix}-sky-new")
