"""The follower folds what is due, survives anything, and never shows half of a generation."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import schemas
from store.duckdb import Follower, Policy
from store.duckdb.layout import MANIFEST, generations
from store.duckdb.wanted import ask_for_generation
from store.lake import FeedIncomplete, Lake, LakeError
from store.port import IndexStalled
from vo.adql import translate

HERE = Path(__file__).parent


def plain(first: int, count: int) -> list[dict[str, Any]]:
    return [{"a": i, "b": "x", "v": i / 3} for i in range(first, first + count)]


def total(index: Any) -> list[dict[str, Any]]:
    with index.snapshot() as snapshot:
        query = translate("SELECT COUNT(*) AS c, SUM(a) AS s FROM sky.plain WHERE a >= 0", snapshot.schemas)
        return snapshot.run(query).table().to_pylist()


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_first_step_writes_the_first_generation(world: Any) -> None:
    follower = world.follower()
    assert follower.step() == 0
    assert follower.step() is None


def test_only_one_follower_writes(world: Any) -> None:
    first, second = world.follower(), world.follower()
    assert first.step() == 0
    world.put("sky.plain", plain(0, 3))
    with pytest.raises(IndexStalled):
        second.rebuild(patience=0)
    assert second.step() is None
    first.close()
    assert second.rebuild() == 1


def test_who_does_not_hold_the_lease_has_the_generation_written_again_by_who_does(world: Any) -> None:
    first, second = world.follower(), world.follower()
    world.put("sky.plain", plain(0, 3))
    assert first.step() == 1
    before = (world.index_folder / "1" / MANIFEST).stat().st_mtime_ns
    stop = threading.Event()
    stepping = threading.Thread(target=first.run_forever, args=(stop,), kwargs={"poll": 0.01})
    stepping.start()
    try:
        assert second.rebuild(patience=120) == 1
    finally:
        stop.set()
        stepping.join()
    assert (world.index_folder / "1" / MANIFEST).stat().st_mtime_ns > before


def test_a_delta_is_folded_when_it_grew_or_after_quiet(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.duckdb.index.LEAST_DELTA", 100)
    clock = Clock()
    follower = world.follower(policy=Policy(quiet=30, least_rows=10, least_versions=5), clock=clock)
    world.put("sky.plain", plain(0, 5))
    assert follower.step() == 1
    world.put("sky.plain", plain(5, 20))
    assert follower.step() is None
    clock.now = 29
    assert follower.step() is None
    clock.now = 31
    assert follower.step() == 2
    world.put("sky.plain", plain(25, 5))
    clock.now = 100
    assert follower.step() is None
    clock.now = 200
    assert follower.step() is None, "a few rows can wait"
    world.put("sky.plain", plain(30, 200))
    assert follower.step() == 4


def test_what_is_due_waits_for_the_end_of_a_large_load_but_not_forever(world: Any) -> None:
    clock = Clock()
    follower = world.follower(policy=Policy(patience=60), clock=clock)
    with world.lake.loading():
        assert follower.step() == 0, "without a generation nothing can be shown"
        world.put("sky.plain", plain(0, 1))
        ask_for_generation(world.index_folder)
        assert follower.step() is None
        clock.now = 59
        assert follower.step() is None
        clock.now = 61
        assert follower.step() == 1
        world.put("sky.plain", plain(1, 1))
        ask_for_generation(world.index_folder)
        assert follower.step() is None, "the patience begins anew"
    assert follower.step() == 2


def test_a_reader_can_ask_for_a_generation(world: Any) -> None:
    follower = world.follower()
    follower.step()
    world.put("sky.plain", plain(0, 1))
    assert follower.step() is None
    ask_for_generation(world.index_folder)
    assert follower.step() == 1
    assert follower.step() is None


def test_a_feed_with_gaps_is_answered_by_a_new_generation(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = world.follower()
    follower.step()
    index = world.index()
    world.put("sky.plain", plain(0, 7))

    def gone(*_: object, **__: object) -> None:
        raise FeedIncomplete("changes 1 to 1 were cleaned away")

    monkeypatch.setattr(world.lake, "difference", gone)
    assert index.refresh() == 0
    assert "cleaned away" in str(index.status().reason)
    assert follower.step() == 1
    assert index.refresh() == 1
    assert total(index) == [{"c": 7, "s": 21}]


@pytest.mark.parametrize(
    "damage", ["no manifest", "cut manifest", "other format", "no database", "cut array"]
)
def test_a_damaged_generation_is_written_again(world: Any, damage: str) -> None:
    world.put("sky.obs", [{"id": "A", "ra": 1.0, "dec": 2.0, "footprint": "CIRCLE ICRS 1 2 3"}])
    world.put("sky.plain", plain(0, 4))
    world.fold()
    folder = world.index_folder / "2"
    match damage:
        case "no manifest":
            (folder / MANIFEST).unlink()
        case "cut manifest":
            (folder / MANIFEST).write_text('{"format"')
        case "other format":
            manifest = json.loads((folder / MANIFEST).read_text())
            (folder / MANIFEST).write_text(json.dumps(manifest | {"format": 99}))
        case "no database":
            (folder / "index.duckdb").unlink()
        case _:
            array = next(folder.glob("*cell*.npy"))
            array.write_bytes(array.read_bytes()[:40])
    index = world.index()
    assert not index.status().ready
    assert index.status().reason
    follower = world.follower()
    assert follower.step() == 2
    assert index.refresh() == 2
    assert total(index) == [{"c": 4, "s": 6}]


def test_an_index_of_another_lake_s_future_is_set_aside(world: Any, tmp_path: Path) -> None:
    world.put("sky.plain", plain(0, 4))
    world.fold()
    (world.index_folder / "1").rename(world.index_folder / "7")
    manifest = json.loads((world.index_folder / "7" / MANIFEST).read_text())
    (world.index_folder / "7" / MANIFEST).write_text(json.dumps(manifest | {"version": 7}))
    follower = world.follower()
    assert follower.step() == 1
    assert [version for version, _ in generations(world.index_folder)] == [1]


def test_an_index_outlives_a_lake_that_is_away(world: Any) -> None:
    world.put("sky.plain", plain(0, 4))
    world.fold()
    lake, away = world.folder / "lake", world.folder / "away"
    lake.rename(away)
    follower = Follower(Lake(lake, world.lake.schemas()), world.index_folder)
    with pytest.raises(LakeError, match=r"the lake is empty or away, and the index is of version 1"):
        follower.step()
    follower.close()
    away.rename(lake)
    assert world.follower().step() is None
    assert [version for version, _ in generations(world.index_folder)] == [1]


def test_a_rebuild_leaves_no_index_of_a_lake_that_is_gone(world: Any) -> None:
    world.put("sky.plain", plain(0, 4))
    world.fold()
    (world.folder / "lake").rename(world.folder / "gone")
    empty = Follower(Lake(world.folder / "lake", world.lake.schemas()), world.index_folder)
    assert empty.rebuild() == 0
    empty.close()
    assert [version for version, _ in generations(world.index_folder)] == [0]


def test_drafts_of_a_dead_follower_are_removed(world: Any) -> None:
    draft = world.index_folder / "draft-1"
    draft.mkdir(parents=True)
    (draft / "index.duckdb").write_text("half")
    assert world.follower().step() == 0
    assert not draft.exists()


def test_a_failed_build_leaves_nothing_and_is_tried_again(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    follower = world.follower()
    monkeypatch.setattr("store.duckdb.generation.Manifest.write", full)
    with pytest.raises(OSError, match="No space left"):
        follower.step()
    assert [entry.name for entry in world.index_folder.iterdir()] == ["follower"]
    monkeypatch.undo()
    assert follower.step() == 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_a_follower_killed_at_any_time_leaves_whole_generations(world: Any, seed: int) -> None:
    chance = random.Random(seed)
    schema = world.folder / "schema.yaml"
    schema.write_text(_declaration(world), encoding="utf-8")
    world.put("sky.plain", plain(0, 2000))
    command = [sys.executable, str(HERE / "build_forever.py"), str(world.folder), str(schema)]
    for round_ in range(3):
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"following\n"
        world.put("sky.plain", plain(2000 + 10 * round_, 10))
        time.sleep(chance.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        for version, folder in generations(world.index_folder):
            rows = world.lake.row_count("sky.plain", version)
            manifest = json.loads((folder / MANIFEST).read_text())
            assert {t["name"]: t["rows"] for t in manifest["tables"]}["sky.plain"] == rows
    follower = Follower(world.lake, world.index_folder)
    follower.step()
    assert not list(world.index_folder.glob("draft-*"))
    follower.close()
    index = world.index()
    assert index.refresh() == world.lake.version()
    assert total(index) == [{"c": 2030, "s": sum(range(2030))}]


def _declaration(world: Any) -> str:
    import yaml  # noqa: PLC0415

    table = world.table("sky.plain")
    columns = [column.model_dump(mode="json", exclude_defaults=True) for column in table.columns]
    return yaml.safe_dump(
        {"schema": "sky", "tables": [{"name": "plain", "key": list(table.key), "columns": columns}]}
    )


@pytest.mark.slow
def test_several_processes_read_one_generation(world: Any) -> None:
    world.put("sky.plain", plain(0, 100))
    world.fold()
    schema = world.folder / "schema.yaml"
    schema.write_text(_declaration(world), encoding="utf-8")
    code = (
        "import sys, schemas; from pathlib import Path; from store.lake import Lake\n"
        "from store.duckdb import DuckIndex; from store.port import Site; from query import build, tree\n"
        "folder, text = Path(sys.argv[1]), Path(sys.argv[2]).read_text()\n"
        "declared = schemas.Schemas([schemas.parse_schema(text)])\n"
        "index = DuckIndex(Lake(folder / 'lake', declared), folder / 'index', Site('a', 'b'), poll=None)\n"
        "with index.snapshot() as s:\n"
        "    print(s.run(build.select(s.schemas.table('sky.plain'))).table().num_rows)\n"
        "    sys.stdout.flush(); sys.stdin.readline()\n"
    )
    command = [sys.executable, "-c", code, str(world.folder), str(schema)]
    readers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(3)]
    found = [reader.stdout.readline() if reader.stdout else b"" for reader in readers]
    for reader in readers:
        reader.communicate(b"\n")
    assert found == [b"100\n"] * 3


def test_declarations_that_changed_otherwise_than_by_a_column_need_a_generation(world: Any) -> None:
    world.put("sky.plain", plain(0, 4))
    world.fold()
    table = world.table("sky.plain")
    renamed = [
        c if c.name != "v" else c.model_copy(update={"kind": schemas.Kind.FLOAT}) for c in table.columns
    ]
    changed = schemas.Table.model_validate(
        {**table.model_dump(), "columns": [c.model_dump() for c in renamed]}
    )
    world.lake = type(world.lake)(world.folder / "lake", world.lake.declared.with_tables([changed]))
    index = world.index()
    assert not index.status().ready
    assert "declaration" in str(index.status().reason)
