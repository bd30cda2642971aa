"""What happens to a lake and its followers in tests of the index."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pyarrow as pa
from elasticsearch import ApiError

from schemas import Column, Kind, Table
from store.elastic import ElasticFollower, ElasticIndex, StateDocument
from store.elastic.state import State, Stored
from store.port import Site
from vo.adql import translate

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


def keep_up(follower: ElasticFollower) -> None:
    while follower.step() is not None:
        pass


class DiedError(Exception):
    pass


def dies(*_: Any) -> None:
    raise DiedError


_write = StateDocument.write


def dies_before_it_shows(document: StateDocument, state: State, over: Stored | None) -> Stored:
    """Say which versions are written together, and die when they are."""
    if state.upto is None:
        raise DiedError
    return _write(document, state, over)


def names_of(index: ElasticIndex, text: str) -> list[Any]:
    """The sorted values of a query's one column."""
    with index.snapshot() as snapshot:
        query = translate(text, snapshot.schemas)
        return sorted(snapshot.run(query).table().column(0).to_pylist())


def until(met: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end
        time.sleep(0.05)


def version_shown(world: Any) -> int | None:
    """The version that is shown, None before the first and while the shard of the state is not there."""
    try:
        return None if world.states.read() is None else int(world.state.version)
    except ApiError as error:
        if error.meta.status != 503:
            raise
        return None
