"""One follower leads, whatever happens to it, to the lake and to the cluster; a rebuild goes on beside."""

from __future__ import annotations

import itertools
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from elastic_transport import ConnectionTimeout
from elasticsearch import Elasticsearch

import schemas
from store.elastic import ElasticFollower, ElasticIndex, Names, Policy, Requests
from store.elastic import follower as module
from store.elastic.indices import Indices
from store.elastic.state import State
from store.lake import Lake, LakeError
from store.port import IndexStalled
from tests.store.elastic.happenings import (
    CATALOGUE,
    SITE,
    DiedError,
    changed,
    dies,
    keep_up,
    names_of,
    publish,
    several_at_once,
    stars,
    unpublish,
    until,
    version_shown,
)
from tests.support.elasticsearch.cluster import Node

pytestmark = pytest.mark.slow


def test_a_request_that_was_on_its_way_when_its_sender_fell_asleep_changes_nothing(
    world: Any, obs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It arrives after others took over and went on, by more versions at once than the sender knew."""
    one = world.follower(policy=Policy(term=4.0))
    other = world.follower(policy=Policy(term=4.0))
    world.write("append", "sky.obs", obs(60))
    one.step()
    late: list[Callable[[], object]] = []
    bulk = type(one._bulk._client).bulk

    def keep(client: Elasticsearch, **words: Any) -> Any:
        late.append(lambda: bulk(client, **words))
        raise ConnectionTimeout("it fell asleep")

    world.write("append", "sky.obs", obs(5, 100))
    one._bulk._pace = replace(one._bulk._pace, patience=-1.0)
    with monkeypatch.context() as patch:
        patch.setattr(type(one._bulk._client), "bulk", keep)
        with pytest.raises(module.EngineError):
            one.step()
    assert len(late) == 1
    one.close()
    world.write("replace", "sky.obs", obs(5, 100, n=1))
    world.write("delete", "sky.obs", obs(2, 100))
    until(lambda: other.step() is not None)
    keep_up(other)
    world.agrees()
    late.pop()()
    world.client.indices.refresh(index=world.state.tables["sky.obs"].index)
    world.agrees()


def test_a_follower_that_is_told_to_end_ends_within_its_step_and_another_one_leads_at_once(
    world: Any, obs: Any
) -> None:
    one, two = world.follower(policy=Policy(term=600.0)), world.follower(policy=Policy(term=600.0))
    one.step()
    assert two.step() is None
    world.write("append", "sky.obs", obs(300))
    stop = threading.Event()
    create = one._rows._create

    def told(*words: Any) -> Any:
        stop.set()
        return create(*words)

    one._rows._create = told
    one.run_forever(stop)
    assert world.state.version == 0
    assert not one.leads
    two._asked = float("-inf")
    assert two.step() == 1
    world.agrees()


@pytest.fixture
def pair(world: Any, obs: Any) -> tuple[ElasticFollower, ElasticFollower]:
    """A follower that leads and has shown some rows, and one that waits."""
    world.write("append", "sky.obs", obs(100))
    one, two = world.follower(), world.follower()
    one.step()
    return one, two


def test_a_step_that_ends_after_the_first_table_is_finished_by_another(
    world: Any, obs: Any, pair: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    several_at_once(world, obs)
    with monkeypatch.context() as patch:
        patch.setattr(Indices, "refresh", dies)
        with pytest.raises(DiedError):
            one.step()
    one.close()
    until(lambda: two.step() is not None)
    world.agrees()


def test_of_two_followers_one_leads_and_the_other_takes_over(
    world: Any, obs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = world.follower(), world.follower()
    assert one.step() == 0
    world.write("append", "sky.obs", obs(10))
    assert two.step() is None
    assert one.step() == 1
    # It stops as a process does that was killed: its lease is not renewed and not given back.
    one._lease._halt()
    world.write("append", "sky.obs", obs(10, 10))
    until(lambda: two.step() is not None)
    world.agrees()
    assert one.step() is None
    world.write("append", "sky.obs", obs(10, 20))
    assert (one.step(), two.step()) == (None, 3)
    world.agrees()


def test_one_that_slept_while_another_went_on_harms_nothing(
    world: Any, obs: Any, pair: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It still believes in its lease, and repeats a version that others have left behind."""
    one, two = pair
    world.write("replace", "sky.obs", obs(10, 5, n=1))
    asleep = one._states.read()
    one.close()
    until(lambda: two.step() is not None)
    world.write("replace", "sky.obs", obs(10, 10, n=2))
    world.write("delete", "sky.obs", obs(2, 12))
    keep_up(two)
    monkeypatch.setattr(one._lease, "require", lambda: None)
    one._bulk = module.BulkWriter(world.client)
    one._rows._bulk = one._bulk
    with pytest.raises(module.EngineError, match="another process changed"):
        one._keep_up(asleep, asleep.state)
    world.client.indices.refresh(index=world.state.tables["sky.obs"].index)
    world.agrees()


def test_a_column_of_another_type_is_rolled_out_beside(world: Any, obs: Any) -> None:
    """As after an upgrade: another process has other declarations for the same lake."""
    world.write("append", "sky.plain", [{"a": i, "b": "x", "v": 1.5} for i in range(10)])
    old = world.follower()
    old.step()
    old.close()
    before, was = world.state, world.shown()
    table = world.lake.declared.table("sky.plain")
    moved = changed(table, position=("a", "v"))
    text = "SELECT a FROM sky.plain WHERE a > 4"
    old_reader = ElasticIndex(world.lake, world.cluster, SITE, poll=None)
    found = names_of(old_reader, text)
    assert found == [5, 6, 7, 8, 9]
    world.lake = Lake(world.lake.root, world.lake.declared.with_tables([moved]))
    new_reader = ElasticIndex(world.lake, world.cluster, SITE, poll=None)
    follower = world.follower()
    until(lambda: follower.step() is not None)
    after = world.state
    assert [names_of(old_reader, text), names_of(new_reader, text)] == [found, found], "half-way, too"
    for reader in (old_reader, new_reader):
        reader.refresh()
        assert names_of(reader, text) == found
        reader.close()
    assert after.version == before.version
    assert after.tables["sky.obs"] == before.tables["sky.obs"]
    assert after.tables["sky.plain"].index != before.tables["sky.plain"].index
    assert world.shown(before)["sky.plain"] == was["sky.plain"]
    world.agrees()
    assert follower.step() is None


def test_a_lake_that_is_older_than_the_index_is_believed(world: Any, obs: Any, tmp_path: Any) -> None:
    """As one that was restored from a backup."""
    world.write("append", "sky.obs", obs(10))
    backup = shutil.copytree(world.lake.root, tmp_path / "restored")
    world.write("append", "sky.obs", obs(10, 10))
    world.follower().step()
    world.close()
    world.lake = Lake(backup, world.lake.declared)
    follower = world.follower()
    until(lambda: follower.step() is not None)
    world.agrees()


def test_a_lake_that_is_away_empties_no_index(world: Any, obs: Any, tmp_path: Any) -> None:
    follower = world.follower()
    world.write("append", "sky.obs", obs(10))
    follower.step()
    folder = world.lake.root.rename(tmp_path / "unmounted")
    with pytest.raises(module.EngineError, match="empty or away"):
        follower.step()
    assert len(world.shown()["sky.obs"]) == 10
    folder.rename(world.lake.root)
    world.write("append", "sky.obs", obs(1, 10))
    assert follower.step() == 2
    world.agrees()


def test_elasticsearch_may_be_away_for_a_while(world: Any, obs: Any, node: Node) -> None:
    follower = world.follower(policy=Policy(term=4.0, pause=0.2))
    stop = threading.Event()
    thread = threading.Thread(target=follower.run_forever, args=(stop,), kwargs={"poll": 0.05})
    thread.start()
    try:
        until(lambda: version_shown(world) == 0)
        node.stop()
        world.write("append", "sky.obs", obs(10))
        until(lambda: "does not answer" in (follower.reason or ""))
        node.start()
        node.wait()
        until(lambda: follower.reason is None)
        until(lambda: version_shown(world) == 1)
    finally:
        stop.set()
        thread.join(60)
    world.agrees()


def test_anybody_can_ask_for_a_rebuild(world: Any, obs: Any) -> None:
    follower = world.follower()
    world.write("append", "sky.obs", obs(10))
    follower.step()
    before = world.state
    requests = Requests(world.client, Names(world.cluster.prefix))
    requests.ask()
    assert follower.step() == 1
    assert requests.pending() is None
    assert follower.step() is None
    assert world.state.tables["sky.obs"].index != before.tables["sky.obs"].index
    world.agrees()


def test_while_the_index_is_rebuilt_the_present_one_follows_the_lake(
    world: Any, obs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = world.follower(policy=Policy(term=60.0, slice=0.0, stride=1))
    world.write("append", "sky.obs", obs(200))
    follower.step()
    before = world.state
    seen: list[State] = []
    news = iter(
        (
            lambda: world.write("replace", "sky.obs", obs(20, 190, n=1)),
            lambda: publish(world, CATALOGUE, stars(range(9))),
            lambda: world.write("delete", "sky.obs", obs(9, 3)),
            lambda: unpublish(world),
            lambda: world.write("append", "sky.obs", obs(3, 3, n=2)),
            lambda: world.write("append", "sky.plain", [{"a": 1, "b": "x", "v": 1.0}]),
        )
    )
    batches = Lake.batches

    def slowly(lake: Lake, name: str, version: int | None = None) -> Any:
        for batch in batches(lake, name, version):
            for start in range(0, batch.num_rows, 30):
                for happen in itertools.islice(news, 1):
                    happen()
                yield batch.slice(start, 30)
                if name == "sky.obs" and world.state.tables["sky.obs"].index in ours:
                    seen.append(world.state)

    ours = {before.tables["sky.obs"].index}
    monkeypatch.setattr(Lake, "batches", slowly)
    Requests(world.client, Names(world.cluster.prefix)).ask()
    assert follower.step() == world.lake.version() > before.version + 4
    assert next(news, None) is None
    assert [state.version for state in seen] == sorted(state.version for state in seen)
    assert seen[-1].version >= before.version + 4, "the news came while it was written"
    assert world.state.tables["sky.obs"].index not in ours
    world.agrees()
    assert follower.step() is None
    for state in seen[-2:]:
        held = world.held(state.version)
        assert world.shown(state)["sky.obs"] == held["sky.obs"], "who began before goes on"


def test_a_rebuild_whose_news_cannot_be_followed_shows_them_in_the_end(
    world: Any, obs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = world.follower(policy=Policy(term=60.0, slice=0.0))
    world.write("append", "sky.obs", obs(50))
    follower.step()
    build = follower._rows.tables

    def tables(version: int, meanwhile: Callable[[], None]) -> Any:
        found = build(version, meanwhile)
        world.write("replace", "sky.obs", obs(5, n=2))
        with monkeypatch.context() as patch:
            patch.setattr(Indices, "refresh", _fails)
            meanwhile()
        return found

    follower._rows.tables = tables
    assert follower.rebuild() == 1
    assert world.state.version == 1
    keep_up(follower)
    world.agrees()


def _fails(*_: Any) -> None:
    raise module.EngineError("not now")


@pytest.mark.parametrize("changed", [False, True])
def test_a_follower_that_lacks_a_table_of_the_site_harms_it_not(
    world: Any, obs: Any, *, changed: bool
) -> None:
    """It leaves the table's index alone, or leaves the table to the lake when rows of it changed."""
    world.write("append", "sky.obs", obs(20))
    world.write("append", "sky.plain", [{"a": 1, "b": "x", "v": 1.0}])
    right = world.follower()
    keep_up(right)
    before = world.state.tables["sky.plain"]
    right.close()
    reader = ElasticIndex(world.lake, world.cluster, SITE, poll=None)
    ours = next(schema for schema in world.lake.declared.schemas if schema.name == "sky")
    few = ours.model_copy(update={"tables": tuple(t for t in ours.tables if t.local_name != "plain")})
    others = [schema for schema in world.lake.declared.schemas if schema.name != "sky"]
    wrong = ElasticFollower(
        Lake(world.lake.root, schemas.Schemas([few, *others])),
        world.cluster,
        client=world.client,
        policy=Policy(term=4.0, stride=1),
    )
    world.write("append", "sky.obs", obs(20, 20))
    if changed:
        world.write("append", "sky.plain", [{"a": 2, "b": "x", "v": 1.0}])
    until(lambda: wrong.step() is not None)
    keep_up(wrong)
    reader.refresh()
    assert names_of(reader, "SELECT a FROM sky.plain WHERE a > 0") == [1, 2][: 1 + changed]
    assert len(names_of(reader, "SELECT id FROM sky.obs")) == 40
    assert world.state.tables.get("sky.plain") == (None if changed else before)
    alias = world.client.indices.get_alias(index=before.index)[before.index]["aliases"]
    assert bool(alias) is not changed
    wrong.close()
    reader.close()
    until(lambda: (right := world.follower()).step() is not None or right.leads)
    world.agrees()
    assert (world.state.tables["sky.plain"].index == before.index) is not changed


def test_a_rebuild_is_done_by_whoever_leads(world: Any, obs: Any) -> None:
    one, two = world.follower(), world.follower()
    world.write("append", "sky.obs", obs(10))
    one.step()
    before = world.state
    stop = threading.Event()
    thread = threading.Thread(target=one.run_forever, args=(stop,), kwargs={"poll": 0.05})
    thread.start()
    try:
        assert two.rebuild() == 1
        assert one._lease.held
    finally:
        stop.set()
        thread.join(60)
    assert world.state.tables["sky.obs"].index != before.tables["sky.obs"].index
    world.agrees()


def test_a_rebuild_that_nobody_does_is_told(world: Any) -> None:
    one, two = world.follower(), world.follower(policy=Policy(term=60.0, patience=0.5))
    one.step()
    with pytest.raises(IndexStalled):
        two.rebuild()


def test_a_failure_is_told_and_tried_again(world: Any, obs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write("append", "sky.obs", obs(10))
    follower = world.follower(policy=Policy(term=4.0, pause=0.05))
    stop = threading.Event()

    def broken(_: Any) -> int:
        raise LakeError("the disk is away")

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "version", broken)
        thread = threading.Thread(target=follower.run_forever, args=(stop,), kwargs={"poll": 0.05})
        thread.start()
        until(lambda: follower.reason == "the disk is away")
    try:
        until(lambda: version_shown(world) == 1)
        until(lambda: follower.reason is None)
    finally:
        stop.set()
        thread.join(60)
    world.agrees()
    # The lease was given back.
    assert world.follower().rebuild() == 1
