"""The index shows the lake's rows at one version, whatever happens to the lake, the follower and others."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from elastic_transport import ConnectionTimeout
from elasticsearch import ApiError, Elasticsearch

import schemas
from schemas import Column, Kind, Table
from store.elastic import ElasticFollower, ElasticIndex, Names, Pace, Policy, Requests, StateDocument
from store.elastic import follower as module
from store.elastic.client import Cluster
from store.elastic.indices import Fit, Indices
from store.elastic.state import State, Stored
from store.lake import Lake, LakeError, clean_logs, compact, vacuum
from store.port import IndexStalled, Site
from tests.support.elasticsearch.cluster import Node
from vo.adql import translate

pytestmark = pytest.mark.slow

SITE = Site("here.example", "http://here.example")

CATALOGUE = Table(
    schema_name="cat-alogues",
    local_name="Stars & more",
    key=("id",),
    columns=(Column(name="id", kind=Kind.LONG), Column(name="mag", kind=Kind.FLOAT)),
)


def stars(numbers: Any) -> pa.Table:
    numbers = list(numbers)
    return pa.table({"id": numbers, "mag": pa.array([n / 7 for n in numbers], pa.float32())})


def publish(world: Any, table: Table, rows: pa.Table) -> None:
    with world.lake.writer("publish") as writer:
        writer.declare(table)
        writer.append(table.name, rows)
        writer.commit()


def unpublish(world: Any) -> None:
    with world.lake.writer("unpublish") as writer:
        writer.undeclare(CATALOGUE.name)
        writer.commit()


def changed(table: Table, **more: Any) -> Table:
    """Declare a table anew; a copy would remember the columns by name."""
    return Table.model_validate(table.model_dump() | more)


def several_at_once(world: Any, obs: Any) -> None:
    """One batch that appends, replaces, deletes and appends again, in two tables."""
    with world.lake.writer("mixed") as writer:
        writer.append("sky.obs", world.as_lake("sky.obs", obs(2, 500)))
        writer.replace("sky.obs", world.as_lake("sky.obs", obs(1, 500, n=7) + obs(1, 0, n=7)))
        writer.delete("sky.obs", world.as_lake("sky.obs", obs(1, 501) + obs(1, 1)))
        writer.append("sky.obs", world.as_lake("sky.obs", obs(1, 1, n=8)))
        writer.append("sky.plain", world.as_lake("sky.plain", [{"a": 99, "b": "", "v": None}]))
        writer.commit()


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


def keep_up(follower: ElasticFollower) -> None:
    while follower.step() is not None:
        pass


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
    monkeypatch.setattr(StateDocument, "write", _dies_before_it_shows)
    with pytest.raises(_DiedError):
        follower.step()
    everything = {
        name: world.client.count(index=entry.index)["count"] for name, entry in before.tables.items()
    }
    assert everything == {"sky.obs": 103, "sky.plain": 2}, "the next version is written and refreshed"
    assert world.state == before
    assert world.shown() == was == world.held(before.version)


class _DiedError(Exception):
    pass


def _dies(*_: Any) -> None:
    raise _DiedError


_write = StateDocument.write


def _dies_before_it_shows(document: StateDocument, state: State, over: Stored | None) -> Stored:
    """Say which versions are written together, and die when they are."""
    if state.upto is None:
        raise _DiedError
    return _write(document, state, over)


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
            patch.setattr(StateDocument, "write", _dies_before_it_shows)
            with pytest.raises(_DiedError):
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
        patch.setattr(StateDocument, "write", _dies_before_it_shows)
        with pytest.raises(_DiedError):
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
        patch.setattr(StateDocument, "write", _dies_before_it_shows)
        with pytest.raises(_DiedError):
            follower.step()
    world.states.write(before, world.states.read())
    assert world.state.upto is None
    world.write("replace", "sky.obs", obs(10, n=4))
    keep_up(follower)
    world.agrees()


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
    _until(lambda: other.step() is not None)
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


def test_a_step_that_ends_after_the_first_table_is_finished_by_another(
    world: Any, obs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("append", "sky.obs", obs(100))
    one, two = world.follower(), world.follower()
    one.step()
    several_at_once(world, obs)
    with monkeypatch.context() as patch:
        patch.setattr(Indices, "refresh", _dies)
        with pytest.raises(_DiedError):
            one.step()
    one.close()
    _until(lambda: two.step() is not None)
    world.agrees()


def names_of(index: ElasticIndex, text: str) -> list[Any]:
    """The sorted values of a query's one column."""
    with index.snapshot() as snapshot:
        query = translate(text, snapshot.schemas)
        return sorted(snapshot.run(query).table().column(0).to_pylist())


def _until(met: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end
        time.sleep(0.05)


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
    _until(lambda: two.step() is not None)
    world.agrees()
    assert one.step() is None
    world.write("append", "sky.obs", obs(10, 20))
    assert (one.step(), two.step()) == (None, 3)
    world.agrees()


def test_one_that_slept_while_another_went_on_harms_nothing(
    world: Any, obs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It still believes in its lease, and repeats a version that others have left behind."""
    world.write("append", "sky.obs", obs(50))
    one, two = world.follower(), world.follower()
    one.step()
    world.write("replace", "sky.obs", obs(10, 5, n=1))
    asleep = one._states.read()
    one.close()
    _until(lambda: two.step() is not None)
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
    _until(lambda: follower.step() is not None)
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


def test_a_lake_that_is_older_than_the_index_is_believed(world: Any, obs: Any, tmp_path: Any) -> None:
    world.write("append", "sky.obs", obs(10))
    world.write("append", "sky.obs", obs(10, 10))
    world.follower().step()
    world.close()
    world.lake = Lake(tmp_path / "restored", world.lake.declared)
    world.write("append", "sky.obs", obs(3))
    follower = world.follower()
    _until(lambda: follower.step() is not None)
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


def test_elasticsearch_may_be_away_for_a_while(world: Any, obs: Any, node: Node) -> None:
    follower = world.follower(policy=Policy(term=4.0, pause=0.2))
    stop = threading.Event()
    thread = threading.Thread(target=follower.run_forever, args=(stop,), kwargs={"poll": 0.05})
    thread.start()
    try:
        _until(lambda: _version(world) == 0)
        node.stop()
        world.write("append", "sky.obs", obs(10))
        _until(lambda: "does not answer" in (follower.reason or ""))
        node.start()
        node.wait()
        _until(lambda: follower.reason is None)
        _until(lambda: _version(world) == 1)
    finally:
        stop.set()
        thread.join(60)
    world.agrees()


def _version(world: Any) -> int | None:
    """The version that is shown, None before the first and while the shard of the state is not there."""
    try:
        return None if world.states.read() is None else int(world.state.version)
    except ApiError as error:
        if error.meta.status != 503:
            raise
        return None


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
    _until(lambda: wrong.step() is not None)
    keep_up(wrong)
    reader.refresh()
    assert names_of(reader, "SELECT a FROM sky.plain WHERE a > 0") == [1, 2][: 1 + changed]
    assert len(names_of(reader, "SELECT id FROM sky.obs")) == 40
    assert world.state.tables.get("sky.plain") == (None if changed else before)
    alias = world.client.indices.get_alias(index=before.index)[before.index]["aliases"]
    assert bool(alias) is not changed
    wrong.close()
    reader.close()
    _until(lambda: (right := world.follower()).step() is not None or right.leads)
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
        _until(lambda: follower.reason == "the disk is away")
    try:
        _until(lambda: _version(world) == 1)
        _until(lambda: follower.reason is None)
    finally:
        stop.set()
        thread.join(60)
    world.agrees()
    # The lease was given back.
    assert world.follower().rebuild() == 1
