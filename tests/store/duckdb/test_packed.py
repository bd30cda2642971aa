"""Packed rows are found by their number in whatever pieces they came."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import Column, Kind, Table
from store.duckdb import packed as packing
from store.duckdb.layout import stored_table
from store.duckdb.packed import PackedRows, Run, load_packed, save_packed

TABLE = Table(
    schema_name="s",
    local_name="t",
    key=("id",),
    columns=(
        Column(name="id", kind=Kind.LONG),
        Column(name="Name", kind=Kind.TEXT),
        Column(name="x", kind=Kind.DOUBLE),
        Column(name="many", kind=Kind.INT, array="*"),
    ),
)
STORED = stored_table(TABLE, 0)


def rows(first: int, count: int) -> pa.RecordBatch:
    numbers = range(first, first + count)
    return pa.record_batch(
        {
            "id": pa.array(numbers, pa.int64()),
            "Name": [None if i % 5 == 3 else "n" * (i % 7) for i in numbers],
            "x": [float("nan") if i % 4 == 1 else i / 3 for i in numbers],
            "many": pa.array([[i] for i in numbers], pa.list_(pa.int32())),
        }
    )


def read(packed: PackedRows, wanted: list[int], columns: set[str]) -> pa.Table:
    found = list(packed.tables(np.array(wanted, np.int64), columns))
    return pa.concat_tables(found) if found else pa.table({})


@settings(max_examples=60)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.data())
def test_rows_of_any_runs_are_those_that_were_packed(sizes: list[int], data: st.DataObject) -> None:
    packed, first = PackedRows(), 100
    for size in sizes:
        packed = packed.with_more(Run.of(STORED, [rows(first, size)], first))
        first += size
    wanted = sorted(data.draw(st.sets(st.integers(90, first + 5))))
    found = read(packed, wanted, {"id", "name", "x"})
    there = [number for number in wanted if 100 <= number < first]
    assert found.num_rows == len(there)
    if there:
        expected = pa.Table.from_batches([rows(100, first)]).take([number - 100 for number in there])
        assert str(found.select(["id", "Name", "x"]).to_pydict()) == str(
            expected.select(["id", "Name", "x"]).to_pydict()
        )
    assert "many" not in found.column_names


def test_many_small_runs_become_few() -> None:
    packed = PackedRows()
    for number in range(1000):
        packed = packed.with_more(Run.of(STORED, [rows(number, 1)], number))
    assert len(packed.runs) <= 10
    assert sum(map(len, packed.runs)) == 1000


def test_rows_of_another_layout_stay_apart() -> None:
    wider = stored_table(
        Table(
            schema_name="s",
            local_name="t",
            key=("id",),
            columns=(*TABLE.columns, Column(name="new", kind=Kind.INT)),
        ),
        0,
    )
    packed = PackedRows().with_more(Run.of(STORED, [rows(0, 2)], 0))
    later = rows(2, 2).append_column("new", pa.array([7, None], pa.int32()))
    packed = packed.with_more(Run.of(wider, [later], 2))
    early, late = packed.tables(np.arange(4), {"id", "new"})
    assert (early.column_names, late.column_names) == (["id"], ["id", "new"])


def test_batches_of_long_texts_are_packed_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "PACKED_BYTES", 100)
    assert [piece.num_rows for piece in packing._pieces(rows(0, 9))] != [9]
    run = Run.of(STORED, [rows(0, 9)], 0)
    save_packed(tmp_path / "t0", STORED, [rows(0, 9)])
    for packed in (PackedRows((run,)), load_packed(tmp_path / "t0", STORED)):
        assert read(packed, list(range(9)), {"id"})["id"].to_pylist() == list(range(9))
        assert packed.size(np.arange(3, 20)) == run.ends[-1] - run.ends[2]


@pytest.mark.parametrize("count", [0, 1, 9])
def test_what_is_written_is_mapped_as_it_was(tmp_path: Path, count: int) -> None:
    save_packed(tmp_path / "t0", STORED, [rows(0, count), rows(count, count)])
    packed = load_packed(tmp_path / "t0", STORED)
    found = read(packed, list(range(2 * count)), {"id", "name"})
    assert found.num_rows == 2 * count
    if count:
        assert found["id"].to_pylist() == list(range(2 * count))
