"""A cluster of three nodes of which one dies while the index is written."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from elasticsearch import ApiError, Elasticsearch

from store.elastic import Cluster, Pace, Policy, open_client
from store.elastic.bulk import BulkWriter
from tests.support.elasticsearch.cluster import Node, cluster, wait_green

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    with cluster(tmp_path_factory.mktemp("three"), 3) as running:
        yield running


@pytest.fixture(scope="module")
def client(nodes: list[Node]) -> Iterator[Elasticsearch]:
    with open_client(Cluster(tuple(node.url for node in nodes))) as opened:
        yield opened


@pytest.fixture
def new_cluster(nodes: list[Node], request: pytest.FixtureRequest) -> Callable[[], Cluster]:
    prefix = f"t{abs(hash(request.node.name)) % 10**6}"
    return lambda: Cluster(tuple(node.url for node in nodes), prefix=prefix)


def node_of(client: Elasticsearch, nodes: list[Node], index: str) -> Node:
    """The node that holds the first copy of an index."""
    shards = client.cat.shards(index=index, format="json", h=["node", "prirep"])
    name = next(shard["node"] for shard in shards if shard["prirep"] == "p")
    return next(node for node in nodes if node.name == name)


def during(monkeypatch: pytest.MonkeyPatch, happens: Callable[[str], None]) -> None:
    """Let something happen once, after the third request for documents."""
    sent: list[str] = []
    lock, send = threading.Lock(), BulkWriter._try

    def counted(self: BulkWriter, work: Any, operations: Any) -> Any:
        with lock:
            sent.append(work.index)
            due = len(sent) == 3
        if due:
            happens(work.index)
        return send(self, work, operations)

    monkeypatch.setattr(BulkWriter, "_try", counted)


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_build_survives_the_death_of_the_node_that_it_writes_to(
    world: Any, obs: Any, nodes: list[Node], monkeypatch: pytest.MonkeyPatch, *, comes_back: bool
) -> None:
    """While it is built an index has one copy: its node comes back, or the build begins anew elsewhere."""
    for first in range(0, 3000, 500):
        world.write("append", "sky.obs", obs(500, first))
    pace = Pace(chunk_bytes=50_000, patience=120.0 if comes_back else 5.0)
    follower = world.follower(policy=Policy(term=20.0, pause=0.5, pace=pace))
    killed: list[Node] = []

    def kill(index: str) -> None:
        killed.append(node_of(world.client, nodes, index))
        killed[0].kill()
        if comes_back:
            killed[0].start()

    during(monkeypatch, kill)
    stop = threading.Event()
    thread = threading.Thread(target=follower.run_forever, args=(stop,))
    thread.start()
    try:
        _until(lambda: _version(world) == world.lake.version())
        world.agrees()
        if not comes_back:
            assert not killed[0].process
            killed[0].start()
        killed[0].wait()
        wait_green(nodes[0], nodes=3)
        world.agrees()
        # It goes on from there.
        world.write("replace", "sky.obs", obs(700, 100, n=9))
        _until(lambda: _version(world) == world.lake.version())
        world.agrees()
    finally:
        stop.set()
        thread.join(120)
    assert killed


def _version(world: Any) -> int | None:
    try:
        stored = world.states.read()
    except ApiError as error:
        if error.meta.status != 503:
            raise
        return None
    return None if stored is None or stored.state is None else int(stored.state.version)


def _until(met: Callable[[], bool], seconds: float = 240) -> None:
    end = threading.Event()
    for _ in range(int(seconds * 10)):
        if met():
            return
        end.wait(0.1)
    raise AssertionError(f"not within {seconds:g} s")
