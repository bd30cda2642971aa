"""Row groups that hold nothing of a part of the sky are passed over, and none that holds something."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.arrow import BORDER, HEALPIX, INNER
from store.lake import groups
from store.lake.groups import GroupWriter, at_footprints, at_positions, few_ranges, groups_of, is_ordered

RANGES = pa.list_(pa.int64())
SCHEMA = pa.schema([("n", pa.int64()), (HEALPIX, pa.int64()), (INNER, RANGES), (BORDER, RANGES)])

ranges = st.lists(
    st.tuples(st.integers(-1, 200), st.integers(1, 20)).map(lambda pair: [pair[0], pair[0] + pair[1]]),
    max_size=12,
)


def cells_in(some: list[list[int]]) -> set[int]:
    return {cell for low, high in some for cell in range(low, high)}


def as_array(some: list[list[int]]) -> np.ndarray:
    return np.array(some, dtype=np.int64).reshape(-1, 2)


@given(ranges, st.integers(1, 6))
def test_few_ranges_hold_all_that_many_did(some: list[list[int]], most: int) -> None:
    found = few_ranges(as_array(some), most)
    assert len(found) <= most
    assert cells_in(some) <= cells_in(found.tolist())
    flat = found.ravel()
    assert (np.diff(flat) > 0).all(), "they are sorted and do not touch"


@given(ranges)
def test_ranges_that_are_few_stay_as_they_are(some: list[list[int]]) -> None:
    assert cells_in(few_ranges(as_array(some), 12).tolist()) == cells_in(some)


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "GROUP_ROWS", 10)


def sky_rows(count: int) -> pa.Table:
    """Rows by cell: number n lies in cell 100 n; footprints reach 10 cells further, every third has none."""
    cells = [100 * n for n in range(count)]
    return pa.table(
        {
            "n": list(range(count)),
            HEALPIX: cells,
            INNER: [None if n % 3 == 0 else [c, c + 5] for n, c in enumerate(cells)],
            BORDER: [None if n % 3 == 0 else [c + 5, c + 10] for n, c in enumerate(cells)],
        },
        schema=SCHEMA,
    )


@pytest.fixture
def data(tmp_path: Path, small_groups: None) -> ds.Dataset:
    """Two files with five groups each."""
    for part in range(2):
        with GroupWriter(tmp_path / f"{part}.parquet", SCHEMA) as writer:
            writer.write(sky_rows(100).slice(50 * part, 50))
    return ds.dataset(tmp_path, schema=SCHEMA, format="parquet")


def numbers(found: ds.Dataset) -> set[int]:
    return set(found.to_table(columns=["n"])["n"].to_pylist())


@given(some=st.lists(st.tuples(st.integers(-5, 105), st.integers(0, 9), st.integers(1, 3000)), max_size=4))
def test_what_lies_in_ranges_is_read(
    tmp_path_factory: pytest.TempPathFactory, some: list[tuple[int, int, int]]
) -> None:
    path = tmp_path_factory.mktemp("groups") / "rows.parquet"
    rows = sky_rows(100)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(groups, "GROUP_ROWS", 10)
        with GroupWriter(path, SCHEMA) as writer:
            writer.write(rows)
    data = ds.dataset(path, schema=SCHEMA, format="parquet")
    wanted = [[100 * n + more, 100 * n + more + wide] for n, more, wide in some]
    asked = as_array(wanted)
    inside = {n for n in range(100) if any(low <= 100 * n < high for low, high in wanted)}
    met = {
        n for n in range(100) if n % 3 and any(low < 100 * n + 10 and high > 100 * n for low, high in wanted)
    }
    assert inside <= numbers(at_positions(data, asked))
    assert met <= numbers(at_footprints(data, asked))


def test_groups_that_hold_nothing_are_not_read(data: ds.Dataset) -> None:
    assert groups_of(data) == 10
    here = as_array([[1500, 1501], [7200, 7300]])
    assert numbers(at_positions(data, here)) == {*range(10, 20), *range(70, 80)}
    assert groups_of(at_positions(data, here)) == 2
    assert groups_of(at_footprints(data, as_array([[1605, 1606], [7106, 7107]]))) == 2
    assert groups_of(at_footprints(data, as_array([[1520, 1530]]))) == 0, "between two footprints"
    nowhere = as_array([])
    assert numbers(at_positions(data, nowhere)) == numbers(at_footprints(data, nowhere)) == set()


def test_one_choice_may_follow_another(data: ds.Dataset) -> None:
    first = at_positions(data, as_array([[0, 3000]]))
    assert groups_of(first) == 3
    assert numbers(at_footprints(first, as_array([[1600, 9000]]))) == set(range(10, 30))


def test_of_files_that_do_not_tell_everything_is_read(tmp_path: Path) -> None:
    path = tmp_path / "foreign.parquet"
    pq.write_table(sky_rows(100), path, row_group_size=10)
    data = ds.dataset(path, schema=SCHEMA, format="parquet")
    assert at_footprints(data, as_array([[0, 1]])).to_table().num_rows == 100
    assert at_positions(data, as_array([[0, 1]])).to_table().num_rows == 10
    early = tmp_path / "early.parquet"
    pq.write_table(sky_rows(100).drop_columns([HEALPIX]), early, row_group_size=10)
    data = ds.dataset(early, schema=SCHEMA, format="parquet")
    assert at_positions(data, as_array([[0, 1]])).to_table().num_rows == 100, "it is older than the column"


def test_what_is_no_file_is_read_whole() -> None:
    data = ds.dataset(sky_rows(5))
    assert at_positions(data, as_array([])) is at_footprints(data, as_array([])) is data


@pytest.mark.parametrize(
    ("change", "ordered"),
    [
        (lambda rows: rows, True),
        (lambda rows: rows.set_column(1, HEALPIX, pa.array([-1] * 50)), True),
        (lambda rows: rows.take(list(range(49, -1, -1))), False),
        (lambda rows: rows.set_column(1, HEALPIX, pa.nulls(50, pa.int64())), False),
    ],
    ids=["by cell", "nowhere", "the other way", "without cells"],
)
def test_a_file_is_ordered_when_its_groups_follow_each_other(
    tmp_path: Path, small_groups: None, change: Callable[[pa.Table], pa.Table], *, ordered: bool
) -> None:
    with GroupWriter(tmp_path / "a.parquet", SCHEMA) as writer:
        writer.write(change(sky_rows(50)))
    assert is_ordered(pq.read_metadata(tmp_path / "a.parquet"), SCHEMA) == ordered


def test_a_file_with_large_groups_or_silent_about_footprints_is_not_ordered(tmp_path: Path) -> None:
    path, bare = tmp_path / "a.parquet", sky_rows(50).select(["n", HEALPIX])
    pq.write_table(bare, path)
    assert is_ordered(pq.read_metadata(path), bare.schema)
    pq.write_table(sky_rows(50), path)
    assert not is_ordered(pq.read_metadata(path), SCHEMA)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(groups, "GROUP_ROWS", 49)
        pq.write_table(bare, path)
        assert not is_ordered(pq.read_metadata(path), bare.schema)
