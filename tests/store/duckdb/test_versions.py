"""Every query sees one version, and every version is the lake's."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import schemas
from query import build, tree
from schemas.arrow import arrow_schema
from store.duckdb.generation import build_generation
from store.duckdb.wanted import WANTED
from store.lake import Lake
from store.port import IndexNotReady
from tests.store.duckdb.conftest import World
from tests.support.processes import wait_until
from vo.adql import translate


def obs(first: int, count: int, name: str = "new") -> list[dict[str, Any]]:
    return [
        {
            "id": f"ID.{i:06d}",
            "did": None,
            "ra": float(i % 360),
            "dec": float(i % 90),
            "name": name,
            "footprint": f"CIRCLE ICRS {i % 360} {i % 90} 0.5",
            "n": i,
        }
        for i in range(first, first + count)
    ]


def ask(index: Any, text: str) -> list[dict[str, Any]]:
    with index.snapshot() as snapshot:
        return snapshot.run(translate(text, snapshot.schemas)).table().to_pylist()


def shown(index: Any, name: str = "sky.obs") -> list[tuple[Any, ...]]:
    with index.snapshot() as snapshot:
        table = snapshot.schemas.table(name)
        query = build.select(table, names=["id", "name", "n"])
        return sorted(tuple(row.values()) for row in snapshot.run(query).table().to_pylist())


def held(world: Any) -> list[tuple[Any, ...]]:
    return sorted((row["id"], row["name"], row["n"]) for row in world.rows("sky.obs"))


def test_nothing_is_answered_before_the_first_generation(world: Any) -> None:
    index = world.index()
    assert not index.status().ready
    with pytest.raises(IndexNotReady), index.snapshot():
        pass


def test_an_empty_lake_is_an_empty_index(world: Any) -> None:
    world.fold()
    index = world.index()
    assert index.status().version == 0
    assert ask(index, "SELECT * FROM sky.obs") == []
    assert ask(
        index, "SELECT COUNT(*) AS n FROM sky.obs WHERE INTERSECTS(footprint, CIRCLE(1, 1, 1)) = 1"
    ) == [{"n": 0}]


def test_added_replaced_and_deleted_rows_are_shown_as_they_are(world: Any) -> None:
    world.put("sky.obs", obs(0, 50))
    world.fold()
    index = world.index()
    for change in (
        lambda: world.put("sky.obs", obs(50, 10)),
        lambda: world.put("sky.obs", obs(5, 50, "replaced")),
        lambda: world.delete("sky.obs", [("ID.000007",), ("ID.000055",), ("ID.000030",)]),
        lambda: world.put("sky.obs", obs(7, 1, "back")),
        lambda: world.put("sky.obs", obs(0, 60, "all again")),
    ):
        version = change()
        assert index.refresh() == version == index.status().lake_version
        assert shown(index) == held(world)
        assert ask(index, "SELECT COUNT(*) AS n FROM sky.obs") == [{"n": len(world.rows("sky.obs"))}]
        (cone,) = ask(
            index, "SELECT COUNT(*) AS n FROM sky.obs WHERE CONTAINS(POINT(ra, dec), CIRCLE(7, 7, 0.1)) = 1"
        )
        (area,) = ask(index, "SELECT COUNT(*) AS n FROM sky.obs WHERE CONTAINS(POINT(7, 7), footprint) = 1")
        assert cone["n"] == area["n"] == sum(row["id"] == "ID.000007" for row in world.rows("sky.obs"))


def test_many_removed_rows_are_left_out_too(world: Any) -> None:
    world.put("sky.obs", obs(0, 500))
    world.fold()
    index = world.index()
    world.delete("sky.obs", [(f"ID.{i:06d}",) for i in range(0, 500, 2)])
    index.refresh()
    assert shown(index) == held(world)
    (found,) = ask(
        index, "SELECT COUNT(*) AS n FROM sky.obs WHERE CONTAINS(POINT(ra, dec), CIRCLE(0, 0, 60)) = 1"
    )
    with world.index().snapshot() as snapshot:
        rows = snapshot.run(build.select(snapshot.schemas.table("sky.obs"), names=["ra", "dec"])).table()
    assert 0 < found["n"] < rows.num_rows == 250


def test_a_snapshot_stays_at_its_version_while_changes_are_applied(world: Any) -> None:
    world.put("sky.obs", obs(0, 30))
    world.fold()
    index = world.index()
    with index.snapshot() as before:
        query = translate("SELECT id, name, n FROM sky.obs", before.schemas)
        known = held(world)
        world.put("sky.obs", obs(20, 30, "later"))
        world.delete("sky.obs", [("ID.000001",)])
        index.refresh()
        world.fold()
        index.refresh()
        rows = before.run(query).table().to_pylist()
        assert sorted(tuple(row.values()) for row in rows) == known
    assert shown(index) == held(world)


def test_an_answer_is_read_to_its_end_after_its_snapshot_was_let_go(world: Any) -> None:
    world.put("sky.obs", obs(0, 100))
    world.fold()
    index = world.index()
    with index.snapshot() as snapshot:
        answer = snapshot.run(build.select(snapshot.schemas.table("sky.obs")))
    world.put("sky.obs", obs(100, 1))
    world.fold()
    index.refresh()
    assert answer.table().num_rows == 100
    assert answer.version == 1


def test_readers_see_whole_batches_while_they_are_written(world: Any) -> None:
    """Each batch has ten rows of one name in two tables; every query counts a multiple of ten in both."""
    world.put("sky.obs", obs(0, 10))
    world.fold()
    index = world.index(poll=0.01)
    stop, seen, wrong = threading.Event(), [0], []

    def read() -> None:
        while not stop.is_set():
            with index.snapshot() as snapshot:
                counts = [
                    snapshot.run(
                        translate(f"SELECT COUNT(*) AS c FROM sky.obs WHERE {condition}", snapshot.schemas)
                    )
                    .table()["c"][0]
                    .as_py()
                    for condition in ("n >= 0", "INTERSECTS(footprint, CIRCLE(5, 5, 180)) = 1", "n >= 0")
                ]
            seen.append(counts[0])
            if len(set(counts)) > 1 or counts[0] % 10:
                wrong.append(counts)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for batch in range(1, 8):
            world.put("sky.obs", obs(10 * batch, 10))
            # No more than the last batch may be unseen.
            wait_until(lambda least=10 * batch: max(seen) >= least or wrong, "the batch before is seen", 60)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    index.refresh()
    assert shown(index) == held(world)
    assert len(set(seen)) > 4


def test_a_published_catalogue_comes_and_goes(world: Any) -> None:
    world.fold()
    index = world.index()
    catalogue = schemas.Table(
        schema_name="cat",
        local_name="new",
        key=("k",),
        version="1",
        columns=(
            schemas.Column(name="k", kind=schemas.Kind.LONG),
            schemas.Column(name="v", kind=schemas.Kind.TEXT),
        ),
    )
    with world.lake.writer("publish") as writer:
        writer.declare(catalogue)
        writer.append(
            "cat.new", pa.table({"k": [1, 2], "v": ["a", None]}, schema=arrow_schema(catalogue.columns))
        )
        writer.commit()
    index.refresh()
    assert ask(index, "SELECT k, v FROM cat.new ORDER BY k") == [{"k": 1, "v": "a"}, {"k": 2, "v": None}]
    listed = "SELECT table_name FROM TAP_SCHEMA.tables WHERE table_name = 'cat.new'"
    assert len(ask(index, listed)) == 1
    world.fold()
    index.refresh()
    assert len(ask(index, "SELECT * FROM cat.new")) == 2
    with world.lake.writer("unpublish") as writer:
        writer.undeclare("cat.new")
        writer.commit()
    index.refresh()
    assert ask(index, listed) == []


def test_a_column_that_was_added_is_null_in_older_rows(world: Any) -> None:
    world.put("sky.obs", obs(0, 3))
    world.fold()
    table = world.table("sky.obs")
    extra = schemas.Column(name="extra", kind=schemas.Kind.TEXT)
    widened = schemas.Table.model_validate({**table.model_dump(), "columns": [*table.columns, extra]})
    wider = world.lake.declared.with_tables([widened])
    world.lake = type(world.lake)(world.folder / "lake", wider)
    index = world.index()
    assert {row["extra"] for row in ask(index, "SELECT extra FROM sky.obs")} == {None}
    world.put("sky.obs", [row | {"extra": "here"} for row in obs(2, 2)])
    index.refresh()
    rows = ask(index, "SELECT id, extra FROM sky.obs ORDER BY id")
    assert [row["extra"] for row in rows] == [None, None, "here", "here"]


def test_what_is_too_much_for_a_delta_waits_for_the_next_generation(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.duckdb.index.LEAST_DELTA", 20)
    world.put("sky.obs", obs(0, 10))
    follower = world.follower()
    follower.step()
    index = world.index()
    world.put("sky.obs", obs(10, 40))
    assert index.refresh() == 1
    status = index.status()
    assert (status.version, status.lake_version, status.ready) == (1, 2, True)
    assert status.reason is not None
    assert "waiting for the next generation" in status.reason
    assert follower.step() == 2
    assert index.refresh() == 2
    assert index.status().reason is None
    assert shown(index) == held(world)


def test_a_generation_in_use_is_not_removed(world: Any) -> None:
    world.put("sky.obs", obs(0, 5))
    world.fold()
    index = world.index()
    with index.snapshot() as snapshot:
        for batch in range(1, 5):
            world.put("sky.obs", obs(5 * batch, 5))
            world.fold()
            index.refresh()
        names = {entry.name for entry in world.index_folder.iterdir() if entry.name.isdigit()}
        assert names == {"1", "4", "5"}
        assert snapshot.run(build.select(snapshot.schemas.table("sky.obs"))).table().num_rows == 5
    world.put("sky.obs", obs(100, 5))
    world.fold()
    assert {entry.name for entry in world.index_folder.iterdir() if entry.name.isdigit()} == {"5", "6"}


def test_time_never_runs_backwards(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A generation that is older than what is shown is caught up before it takes over."""
    world.put("sky.obs", obs(0, 5))
    world.fold()
    index = world.index()
    world.put("sky.obs", obs(5, 5))
    world.fold()
    world.put("sky.obs", obs(10, 5))
    moved = []
    monkeypatch.setattr(index, "_move", lambda: moved.append(True))
    assert index.refresh() == 3
    monkeypatch.undo()
    assert moved
    monkeypatch.setattr(index, "_advance", lambda: None)
    assert index.refresh() == 3
    assert index.status().details["generation"] == 2
    assert shown(index) == held(world)


BESIDE = """
schema: held
tables:
  - name: kept
    key: [id]
    columns:
      - {name: id, kind: text, required: true}
  - name: beside
    key: [id]
    indexed: false
    columns:
      - {name: id, kind: text, required: true}
"""


OTHER = """
schema: other
tables:
  - name: kept
    key: [id]
    columns:
      - {name: id, kind: text, required: true}
"""


def test_a_generation_without_a_table_that_has_rows_is_not_shown(tmp_path: Path) -> None:
    """As when a follower was started without the declarations of the site."""
    ours = next(schema for schema in schemas.load_schemas().schemas if schema.name == "TAP_SCHEMA")
    few = [schemas.parse_schema(BESIDE), ours]
    world = World(tmp_path, schemas.Schemas([*few, schemas.parse_schema(OTHER)]))
    try:
        world.put("held.kept", [{"id": "1"}])
        build_generation(Lake(world.lake.root, schemas.Schemas(few)), 1, world.index_folder)
        assert world.index().status().version == 1
        world.put("other.kept", [{"id": "1"}])
        build_generation(Lake(world.lake.root, schemas.Schemas(few)), 2, world.index_folder)
        assert world.index().status().details["generation"] == 1
        world.put("other.kept", [{"id": "2"}])
        world.fold()
        index = world.index()
        assert index.status().details["generation"] == 3
        assert ask(index, "SELECT COUNT(*) AS n FROM other.kept") == [{"n": 2}]
    finally:
        world.close()


def test_changes_of_tables_that_are_not_indexed_take_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = next(schema for schema in schemas.load_schemas().schemas if schema.name == "TAP_SCHEMA")
    world = World(tmp_path, schemas.Schemas([schemas.parse_schema(BESIDE), ours]))
    monkeypatch.setattr("store.duckdb.index.most_delta", lambda _: 4)
    try:
        world.put("held.kept", [{"id": "first"}])
        world.fold()
        index = world.index()
        for number in range(3):
            world.put("held.beside", [{"id": f"{number}-{i}"} for i in range(20)])
            version = world.put("held.kept", [{"id": f"later {number}"}])
            assert index.refresh() == version
        assert len(ask(index, "SELECT id FROM held.kept")) == 4
        assert not (world.index_folder / WANTED).exists()
        world.put("held.kept", [{"id": f"more {i}"} for i in range(9)])
        assert index.refresh() == version
        assert (world.index_folder / WANTED).exists()
    finally:
        world.close()


def test_a_generation_that_cannot_be_caught_up_is_not_shown(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put("sky.obs", obs(0, 5))
    world.fold()
    index = world.index()
    world.put("sky.obs", obs(5, 5))
    world.put("sky.obs", obs(10, 5))
    assert index.refresh() == 3
    build_generation(world.lake, 2, world.index_folder)
    with monkeypatch.context() as patch:
        patch.setattr("store.duckdb.index.most_delta", lambda _: 0)
        assert index.refresh() == 3
        assert index.status().details["generation"] == 1
        assert shown(index) == held(world)
    assert index.refresh() == 3
    assert index.status().details["generation"] == 2
    assert shown(index) == held(world)


def test_the_count_of_a_table_needs_no_scan(world: Any) -> None:
    world.put("sky.obs", obs(0, 5))
    world.fold()
    index = world.index()
    with index.snapshot() as snapshot:
        table = snapshot.schemas.table("sky.obs")
        query = tree.Select((build.count(),), tree.TableRef("t", table))
        assert "FROM" not in snapshot.explain(query)["sql"]
