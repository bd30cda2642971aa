"""Compaction puts together what lies together on the sky, and changes nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from schemas import Column, Kind, Schema, Schemas, Table
from schemas.arrow import BORDER, HEALPIX, INNER
from store.lake import Lake, compact, groups, merge, tables, vacuum
from store.lake.groups import covered_of, is_ordered

TABLE = Table(
    schema_name="sky",
    local_name="obs",
    key=("id",),
    position=("ra", "dec"),
    region="footprint",
    columns=(
        Column(name="id", kind=Kind.TEXT),
        Column(name="ra", kind=Kind.DOUBLE),
        Column(name="dec", kind=Kind.DOUBLE),
        Column(name="footprint", kind=Kind.REGION),
    ),
)
State = Callable[[Lake, int], dict[str, dict[Any, Any]]]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have groups of 10 rows and files of 40."""
    for module in (groups, merge, tables):
        monkeypatch.setattr(module, "GROUP_ROWS", 10)
    monkeypatch.setattr(merge, "MERGED_ROWS", 40)
    monkeypatch.setattr(merge, "ROWS_AT_ONCE", 16)


def obs(first: int, count: int) -> pa.Table:
    """Rows anywhere, every fifth nowhere."""
    rng = np.random.default_rng(first)
    cells = [-1 if n % 5 == 0 else int(rng.integers(0, 12 << 58)) for n in range(count)]
    ranges = [None if cell < 0 else [cell, cell + 10] for cell in cells]
    return pa.table(
        {
            "id": [f"{n:06d}" for n in range(first, first + count)],
            "ra": rng.uniform(0, 360, count),
            "dec": rng.uniform(-90, 90, count),
            HEALPIX: pa.array(cells, pa.int64()),
            INNER: pa.array([None] * count, pa.list_(pa.int64())),
            BORDER: pa.array(ranges, pa.list_(pa.int64())),
        }
    )


def put(lake: Lake, *batches: pa.Table) -> None:
    for rows in batches:
        with lake.writer("load") as writer:
            writer.append("sky.obs", rows)
            writer.commit()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(tmp_path / "lake", Schemas([Schema(name="sky", tables=(TABLE,))]))
    put(made, *(obs(first, 30) for first in range(0, 150, 30)))
    return made


def cells_of(path: Path) -> list[int]:
    return list(pq.read_table(path, columns=[HEALPIX])[HEALPIX].to_pylist())


def in_order(lake: Lake) -> list[Path]:
    return sorted(lake.files("sky.obs"), key=lambda path: (min(cells_of(path)), max(cells_of(path))))


def test_rows_of_a_load_are_in_the_order_of_their_cells(lake: Lake) -> None:
    for path in lake.files("sky.obs"):
        assert cells_of(path) == sorted(cells_of(path))
        assert pq.read_metadata(path).num_row_groups == 3


def test_merged_files_follow_each_other_and_so_do_their_rows(lake: Lake, state: State) -> None:
    before = state(lake, 5)
    assert compact(lake) == 6
    assert state(lake, 6) == state(lake, 5) == before
    files = in_order(lake)
    assert len(files) == 4
    for path in files:
        assert cells_of(path) == sorted(cells_of(path))
        with pq.ParquetFile(path) as file:
            assert is_ordered(file.metadata, file.schema_arrow)
    assert all(max(cells_of(first)) <= min(cells_of(second)) for first, second in pairwise(files))


def test_few_rows_make_one_file(tmp_path: Path, state: State) -> None:
    lake = Lake(tmp_path / "few", Schemas([Schema(name="sky", tables=(TABLE,))]))
    put(lake, obs(0, 12), obs(12, 12))
    before = state(lake, 2)
    compact(lake)
    assert state(lake, 3) == before
    (path,) = lake.files("sky.obs")
    assert cells_of(path) == sorted(cells_of(path))


def test_who_follows_sees_no_change(lake: Lake) -> None:
    compact(lake)
    (step,) = lake.changes(5)
    assert (step.kind, step.changes, step.declared, step.dropped) == ("compact", (), (), ())
    assert lake.change_sizes(5, 6) == {"sky.obs": 0}


def test_what_is_merged_stays(lake: Lake) -> None:
    assert [compact(lake), compact(lake)] == [6, 6]
    put(lake, obs(1000, 30))
    before = set(lake.files("sky.obs", 6))
    assert compact(lake) == 8
    assert before <= set(lake.files("sky.obs"))
    assert compact(lake) == 8


def test_a_large_file_in_another_order_is_put_in_order(lake: Lake) -> None:
    compact(lake)
    other = DeltaTable(lake.root / "sky/obs")
    assert other.count() == 150
    assert len(lake.files("sky.obs")) == 4
    put(lake, obs(2000, 40))
    (new,) = set(lake.files("sky.obs")) - set(lake.files("sky.obs", 6))
    assert covered_of(pq.read_metadata(new)) is None, "who loads does not tell what footprints touch"
    compact(lake)
    assert new not in lake.files("sky.obs")


def test_many_rows_of_one_cell_are_shared_out(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "one", Schemas([Schema(name="sky", tables=(TABLE,))]))
    rows = obs(0, 200)
    put(lake, rows.set_column(3, HEALPIX, pa.array([-1] * 150 + list(range(50)), pa.int64())))
    compact(lake)
    assert lake.row_count("sky.obs") == 200
    counts = [len(cells_of(path)) for path in lake.files("sky.obs")]
    assert len(counts) == 5
    assert max(counts) < 60


def test_more_than_is_merged_at_once_is_merged_in_turns(
    lake: Lake, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merge, "MOST_PARTS", 2)
    before = state(lake, 5)
    compact(lake)
    assert state(lake, 6) == before
    assert [compact(lake), compact(lake)] == [6, 6]


def test_rows_without_some_are_still_in_order_and_tell_what_they_touch(lake: Lake) -> None:
    compact(lake)
    with lake.writer("withdraw") as writer:
        writer.delete("sky.obs", pa.table({"id": [f"{n:06d}" for n in range(0, 150, 4)]}))
        writer.commit()
    assert lake.row_count("sky.obs") == 112
    for path in lake.files("sky.obs"):
        with pq.ParquetFile(path) as file:
            assert is_ordered(file.metadata, file.schema_arrow)
            assert covered_of(file.metadata) is not None


def test_columns_that_came_later_are_kept(lake: Lake, state: State) -> None:
    mag = {"name": "mag", "kind": "float"}
    told = TABLE.model_dump(exclude_defaults=True)
    wider = Table.model_validate(told | {"columns": (*told["columns"], mag)})
    again = Lake(lake.root, Schemas([Schema(name="sky", tables=(wider,))]))
    put(again, obs(500, 30).append_column("mag", pa.array([1.5] * 30, pa.float32())))
    before = state(again, 6)
    # Who compacts may be of a release, or a site, that does not know the column.
    compact(lake)
    assert state(again, 7) == before
    assert sum(row.get("mag") == 1.5 for row in state(again, 7)["sky.obs"].values()) == 30


def test_the_log_tells_what_merged_files_hold(lake: Lake) -> None:
    compact(lake)
    adds = [json.loads(line).get("add") for line in log_lines(lake)]
    told = {add["path"]: json.loads(add["stats"]) for add in adds if add}
    for path in lake.files("sky.obs"):
        rows, stats = pq.read_table(path), told[path.name]
        assert stats["numRecords"] == rows.num_rows
        for name in ("id", "ra", HEALPIX):
            values = rows[name].to_pylist()
            assert (stats["minValues"][name], stats["maxValues"][name]) == (min(values), max(values))
            assert stats["nullCount"][name] == 0
    assert DeltaTable(lake.root / "sky/obs").count() == 150


def log_lines(lake: Lake) -> Iterator[str]:
    log = lake.table_at("sky/obs").log
    yield from log.commit_path(log.tip()).read_text(encoding="utf-8").splitlines()


def test_nothing_is_left_beside_and_vacuum_takes_what_was_there(lake: Lake) -> None:
    compact(lake)
    folder = lake.root / "sky/obs"
    assert not list(folder.glob("_merging-*"))
    left = folder / "_merging-of-one-that-died/0.parquet"
    left.parent.mkdir()
    left.write_bytes(b"half")
    vacuum(lake, 6)
    assert not left.exists()
    assert set(folder.glob("*.parquet")) == set(lake.files("sky.obs"))
