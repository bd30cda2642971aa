"""What the delta shows of any batch of changes, and what it leaves when a batch fails."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import schemas
from query import build
from schemas import Column, Kind, Table
from schemas.arrow import arrow_schema
from store.duckdb import delta as delta_module
from store.duckdb import generation as generation_module
from store.duckdb.layout import generations
from vo.adql import translate


def obs(first: int, count: int, **values: Any) -> list[dict[str, Any]]:
    place = {"ra": 10.0, "dec": 20.0, "footprint": "CIRCLE ICRS 10 20 1", "did": None, "name": "new", "n": 1}
    return [{"id": f"ID.{i:06d}", **place, **values} for i in range(first, first + count)]


def ask(index: Any, text: str) -> list[tuple[Any, ...]]:
    with index.snapshot() as snapshot:
        rows = snapshot.run(translate(text, snapshot.schemas)).table().to_pylist()
    return [tuple(row.values()) for row in rows]


def explained(index: Any, text: str) -> Any:
    with index.snapshot() as snapshot:
        return snapshot.explain(translate(text, snapshot.schemas))


def test_a_snapshot_keeps_rows_that_many_later_removals_take(world: Any) -> None:
    """More removals than are written into SQL, so that they are told apart by when they came."""
    world.put("sky.obs", obs(0, 500))
    world.fold()
    index = world.index()
    world.delete("sky.obs", [(f"ID.{i:06d}",) for i in range(150)])
    index.refresh()
    with index.snapshot() as before:
        world.delete("sky.obs", [(f"ID.{i:06d}",) for i in range(150, 300)])
        index.refresh()
        query = translate("SELECT id FROM sky.obs WHERE n = 1", before.schemas)
        found = sorted(before.run(query).table()["id"].to_pylist())
        assert found == [f"ID.{i:06d}" for i in range(150, 500)]
    assert len(ask(index, "SELECT id FROM sky.obs WHERE n = 1")) == 200


def test_what_was_removed_is_counted_once(world: Any) -> None:
    world.put("sky.obs", obs(0, 4))
    world.fold()
    index = world.index()
    for _ in range(3):
        world.put("sky.obs", obs(0, 1, name="again"))
        index.refresh()
    assert index.status().details == {"generation": 1, "rows": 4, "delta_rows": 6}
    assert ask(index, "SELECT COUNT(*) AS n FROM sky.obs") == [(4,)]
    assert ask(index, "SELECT COUNT(*) AS n FROM sky.obs WHERE name = 'again'") == [(1,)]


def test_a_batch_that_fails_half_way_leaves_the_version_before_it(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.fold()
    index = world.index()
    with world.lake.writer("two tables") as writer:
        writer.append("sky.plain", pa.table({"a": pa.array([1], pa.int32()), "b": ["x"], "v": [1.0]}))
        writer.append("sky.stars", pa.table({"star": [1], "radius": [2.0]}))
        writer.commit()
    grown, calls = delta_module._grown, []

    def fails_at_the_second(*words: Any) -> Any:
        calls.append(words)
        if len(calls) == 2:
            raise MemoryError("no more memory")
        return grown(*words)

    monkeypatch.setattr(delta_module, "_grown", fails_at_the_second)
    with pytest.raises(MemoryError):
        index.refresh()
    assert ask(index, "SELECT * FROM sky.plain") == []
    assert index.status().version == 0
    monkeypatch.undo()
    assert index.refresh() == 1
    assert ask(index, "SELECT a FROM sky.plain") == [(1,)]
    assert ask(index, "SELECT star FROM sky.stars") == [(1,)]


def catalogue(name: str, *columns: Column) -> Table:
    return Table(
        schema_name="Cat",
        local_name=name,
        key=("k",),
        version="1",
        columns=(Column(name="k", kind=Kind.LONG), *columns),
    )


def publish(world: Any, table: Table, **values: list[Any]) -> None:
    with world.lake.writer("publish") as writer:
        writer.declare(table)
        writer.append(table.name, pa.table(values, schema=arrow_schema(table.columns)))
        writer.commit()


def test_a_table_published_anew_in_another_shape_has_its_new_rows_alone(world: Any) -> None:
    world.fold()
    index = world.index()
    publish(world, catalogue("New", Column(name="v", kind=Kind.TEXT)), k=[1, 2], v=["a", "b"])
    assert index.refresh() == 1
    publish(world, catalogue("New", Column(name="v", kind=Kind.DOUBLE)), k=[2, 3], v=[0.5, 1.5])
    assert index.refresh() == 2
    assert ask(index, "SELECT k, v FROM Cat.New ORDER BY k") == [(2, 0.5), (3, 1.5)]


def test_a_table_gains_a_column_while_it_is_shown(world: Any) -> None:
    world.fold()
    index = world.index()
    publish(world, catalogue("Grows"), k=[1])
    index.refresh()
    publish(world, catalogue("Grows", Column(name="v", kind=Kind.TEXT)), k=[2], v=["b"])
    index.refresh()
    rows = ask(index, "SELECT k, v FROM Cat.Grows ORDER BY k")
    assert rows[-1] == (2, "b")
    listed = "SELECT column_name FROM TAP_SCHEMA.columns WHERE table_name = 'Cat.Grows'"
    assert {name for (name,) in ask(index, listed)} == {"k", "v"}
    assert explained(index, "SELECT k FROM Cat.Grows")["version"] == 2


def test_two_new_tables_at_once_are_told_apart(world: Any) -> None:
    world.fold()
    index = world.index()
    with world.lake.writer("publish") as writer:
        for name, numbers in (("one", [1, 2]), ("two", [3]), ("three", [4, 5, 6])):
            table = catalogue(name)
            writer.declare(table)
            writer.append(table.name, pa.table({"k": numbers}, schema=arrow_schema(table.columns)))
        writer.commit()
    index.refresh()
    assert ask(index, "SELECT k FROM Cat.one ORDER BY k") == [(1,), (2,)]
    assert ask(index, "SELECT k FROM Cat.two ORDER BY k") == [(3,)]
    assert ask(index, "SELECT k FROM Cat.three ORDER BY k") == [(4,), (5,), (6,)]


def test_the_tables_that_describe_the_others_are_written_when_those_change(world: Any) -> None:
    world.fold()
    index = world.index()
    described = index._current.state.virtual
    assert set(described) >= {"tap_schema.tables", "tap_schema.columns"}
    world.put("sky.obs", obs(0, 1))
    index.refresh()
    assert index._current.state.virtual is described
    publish(world, catalogue("new"), k=[1])
    index.refresh()
    assert set(index._current.state.virtual.values()).isdisjoint(described.values())


def test_without_tables_that_describe_the_others_none_are_made(world: Any) -> None:
    sky = next(schema for schema in world.lake.declared.schemas if schema.name == "sky")
    world.lake = type(world.lake)(world.folder / "lake", schemas.Schemas([sky]))
    world.fold()
    assert world.index()._current.state.virtual == {}


def test_rows_without_a_position_are_no_candidates_of_any_place(world: Any) -> None:
    """Neither in the first nor in the last of all cells."""
    nowhere = {"ra": None, "dec": None, "footprint": None}
    world.put("sky.obs", obs(0, 5, **nowhere))
    world.fold()
    world.put("sky.obs", obs(5, 5, **nowhere))
    index = world.index()
    for ra, dec in ((45, 0), (45, 0.001), (315, 0), (315, -0.001)):
        where = f"CONTAINS(POINT(ra, dec), CIRCLE({ra}, {dec}, 1)) = 1"
        (how,) = explained(index, f"SELECT id FROM sky.obs WHERE {where}")["spherical"]
        assert how["candidates"] == 0


def test_batches_of_an_answer_are_bounded(world: Any) -> None:
    world.put("sky.plain", [{"a": i, "b": "x", "v": None} for i in range(40_000)])
    world.fold()
    with world.index().snapshot() as snapshot:
        answer = snapshot.run(build.select(snapshot.schemas.table("sky.plain")))
        sizes = [batch.num_rows for batch in answer.batches]
    assert sum(sizes) == 40_000
    assert max(sizes) <= 16_384


def test_an_answer_that_was_read_or_closed_keeps_no_generation(world: Any) -> None:
    world.put("sky.obs", obs(0, 5))
    world.fold()
    index = world.index()
    with index.snapshot() as snapshot:
        query = build.select(snapshot.schemas.table("sky.obs"))
        read, closed = snapshot.run(query), snapshot.run(query)
    assert read.table().num_rows == 5
    closed.close()
    for first in (10, 20, 30):
        world.put("sky.obs", obs(first, 1))
        world.fold()
        index.refresh()
    assert [version for version, _ in generations(world.index_folder)] == [3, 4]


def test_a_generation_is_on_the_disk_before_it_has_its_name(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put("sky.obs", obs(0, 3))
    flushed: list[str] = []
    before_naming: list[str] = []
    rename = Path.rename

    def noted(handle: int) -> None:
        flushed.append(str(Path(f"/proc/self/fd/{handle}").readlink()))

    def named(self: Path, target: Path) -> Path:
        before_naming.extend(flushed)
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(Path, "rename", named)
    world.fold()
    draft = str(world.index_folder / f"draft-{os.getpid()}")
    files = {entry.name for entry in (world.index_folder / "1").iterdir()}
    assert {"manifest.json", "index.duckdb", "in-use"} < files
    assert {path for path in before_naming if path.startswith(draft)} == {
        draft,
        *(f"{draft}/{name}" for name in files),
    }
    assert flushed[-1] == str(world.index_folder), "the name itself, last"


def test_a_generation_s_folder_holds_nothing_that_was_only_needed_to_write_it(world: Any) -> None:
    world.put("sky.obs", obs(0, 3))
    world.put("sky.stars", [{"star": 1, "ra": 1.0, "dec": 1.0, "radius": 0.0}])
    world.fold()
    names = {entry.name for entry in (world.index_folder / "2").iterdir()}
    rest = {name for name in names if not name.startswith(("t0.", "t1.", "t2."))}
    assert rest == {"manifest.json", "index.duckdb", "in-use"}
    assert not [*world.index_folder.glob("draft-*"), *world.index_folder.glob("gone-*")]


def test_rows_out_of_the_order_of_their_cells_are_never_served(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every search of the sky relies on it."""
    world.put("sky.obs", obs(0, 2) + obs(2, 2, ra=200.0))

    class Reversed:
        def __getattr__(self, name: str) -> Any:
            return (lambda cells: -np.diff(cells)) if name == "diff" else getattr(np, name)

    monkeypatch.setattr(generation_module, "np", Reversed())
    with pytest.raises(RuntimeError, match="order of their cells"):
        world.fold()
    monkeypatch.undo()
    assert generations(world.index_folder) == []


@pytest.mark.parametrize("folded", ["before the rows came", "after the rows came"])
def test_rows_of_a_generation_alone_and_of_a_delta_alone_are_found(world: Any, folded: str) -> None:
    if folded == "before the rows came":
        world.fold()
    world.put("sky.obs", obs(0, 3) + obs(3, 2, ra=200.0, footprint="CIRCLE ICRS 200 20 1"))
    if folded == "after the rows came":
        world.fold()
    index = world.index()
    square, wide = "POLYGON(9, 19, 9, 21, 11, 21, 11, 19)", "POLYGON(8, 18, 8, 22, 12, 22, 12, 18)"
    for condition, count in (
        ("CONTAINS(POINT(ra, dec), CIRCLE(10, 20, 0.5)) = 1", 3),
        (f"CONTAINS(POINT(ra, dec), {square}) = 1", 3),
        (f"CONTAINS(footprint, {square}) = 1", 0),
        (f"CONTAINS(footprint, {wide}) = 1", 3),
        ("CONTAINS(footprint, CIRCLE(10, 20, 1.5)) = 1", 3),
        ("CONTAINS(CIRCLE(200, 20, 0.5), footprint) = 1", 2),
        (f"INTERSECTS(footprint, {square}) = 1", 3),
        ("INTERSECTS(footprint, CIRCLE(201.9, 20, 0.5)) = 1", 0),
        ("id IN ('ID.000001', 'ID.000004')", 2),
    ):
        found = ask(index, f"SELECT COUNT(*) AS n FROM sky.obs WHERE {condition}")
        assert found == [(count,)], condition


def test_a_footprint_that_is_not_folded_yet_ends_at_its_rim(world: Any) -> None:
    """Cells that it fills only in part decide nothing."""
    world.put("sky.obs", obs(0, 1, ra=200.0, footprint="CIRCLE ICRS 200 20 1"))
    world.fold()
    index = world.index()
    world.put("sky.obs", obs(1, 1))
    index.refresh()
    for beyond, count in ((-0.003, 1), (0.003, 0)):
        for ra, dec in ((10.0, 21.0 + beyond), (10.0, 19.0 - beyond)):
            for condition in (
                f"CONTAINS(POINT({ra}, {dec}), footprint) = 1",
                f"INTERSECTS(footprint, CIRCLE({ra}, {dec}, 0.001)) = 1",
            ):
                assert ask(index, f"SELECT COUNT(*) AS n FROM sky.obs WHERE {condition}") == [(count,)]


def test_a_cone_finds_rows_of_a_table_that_no_generation_knows(world: Any) -> None:
    world.fold()
    index = world.index()
    with world.lake.writer("publish") as writer:
        writer.declare(world.table("sky.obs").model_copy(update={"local_name": "late"}))
        writer.commit()
    world.put("sky.late", [*obs(0, 1), *obs(1, 1, ra=12.0)])
    index.refresh()
    cone = "SELECT id FROM sky.late WHERE CONTAINS(POINT(ra, dec), CIRCLE(10, 20, 0.5)) = 1"
    assert ask(index, cone) == [("ID.000000",)]
