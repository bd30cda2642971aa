"""Finding ranges that overlap, against looking at every one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.spherical import CoverIndex
from store.spherical.cover import spans

END = 12 * 4**29

sizes = st.one_of(st.integers(1, 20), st.integers(0, 29).map(lambda order: 4**order), st.integers(1, END))


@st.composite
def disjoint(draw: st.DrawFn) -> np.ndarray:
    bounds = sorted(draw(st.sets(st.one_of(st.integers(0, 200), st.integers(0, END)), max_size=24)))
    return np.array(bounds[: len(bounds) // 2 * 2], dtype=np.int64).reshape(-1, 2)


@st.composite
def entries(draw: st.DrawFn) -> list[tuple[int, int]]:
    found = []
    for _ in range(draw(st.integers(0, 30))):
        low = draw(st.one_of(st.integers(0, 220), st.integers(0, END - 1)))
        found.append((low, min(END, low + draw(sizes))))
    return found


@settings(deadline=None)
@given(entries=entries(), ranges=disjoint())
def test_every_overlap_is_found_once_and_nothing_else(
    entries: list[tuple[int, int]], ranges: np.ndarray
) -> None:
    lo, hi = (np.array([entry[i] for entry in entries], dtype=np.int64) for i in (0, 1))
    rows = CoverIndex.build(lo, hi, np.arange(len(entries))).hits(ranges)
    expected = [
        i for i, (low, high) in enumerate(entries) if any(low < b and high > a for a, b in ranges.tolist())
    ]
    assert sorted(rows.tolist()) == expected


@settings(deadline=None)
@given(first=entries(), second=entries(), ranges=disjoint())
def test_an_index_that_grew_is_the_index_of_all(
    first: list[tuple[int, int]], second: list[tuple[int, int]], ranges: np.ndarray
) -> None:
    def built(part: list[tuple[int, int]], start: int) -> CoverIndex:
        lo, hi = (np.array([entry[i] for entry in part], dtype=np.int64) for i in (0, 1))
        return CoverIndex.build(lo, hi, np.arange(len(part)) + start)

    grown = built(first, 0).with_more(built(second, len(first)))
    assert sorted(grown.hits(ranges)) == sorted(built([*first, *second], 0).hits(ranges))


def test_the_lake_s_lists_are_read_and_kept_on_disk(tmp_path: Path) -> None:
    lists = pa.list_(pa.int64())
    inner = pa.chunked_array([[[10, 12], None], [[]]], lists)
    border = pa.chunked_array([[[12, 20, 30, 31], [0, 10]], [None]], lists)
    CoverIndex.from_lists(inner, border, first_row=100).save(tmp_path / "t")
    index = CoverIndex.load(tmp_path / "t")
    found = [index.hits(np.array([[cell, cell + 1]])).tolist() for cell in (9, 10, 11, 12, 19, 20, 30, 31)]
    assert found == [[101], [100], [100], [100], [100], [], [100], []]


@pytest.mark.parametrize("order", range(30))
def test_ranges_of_as_many_cells_as_a_class_allows_are_in_it(order: int) -> None:
    sizes = np.array([4**order, 4**order + 1, END])
    index = CoverIndex.build(np.zeros(3, np.int64), sizes, np.arange(3))
    assert np.diff(index.starts)[[order, order + 1, 31]].tolist() == [1, 1, 1]
    for row, size in enumerate(sizes.tolist()):
        assert row in index.hits(np.array([[size - 1, size]]))
        assert row not in index.hits(np.array([[size, size + 1]]))


def test_an_empty_index_has_no_hits() -> None:
    empty = pa.chunked_array([], pa.list_(pa.int64()))
    assert len(CoverIndex.from_lists(empty, empty).hits(np.array([[0, END]]))) == 0


def test_spans_are_written_out() -> None:
    assert spans(np.array([[3, 5], [7, 7], [9, 10]])).tolist() == [3, 4, 9]
