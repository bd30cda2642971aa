"""Finding ranges that overlap, against looking at every one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
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
    row, inner = np.arange(len(entries)), np.arange(len(entries)) % 3 == 0
    rows, is_inner = CoverIndex.build(lo, hi, row, inner).hits(ranges)
    expected = [
        i for i, (low, high) in enumerate(entries) if any(low < b and high > a for a, b in ranges.tolist())
    ]
    assert sorted(rows.tolist()) == expected
    assert all(bool(flag) == (int(r) % 3 == 0) for r, flag in zip(rows, is_inner, strict=True))


@settings(deadline=None)
@given(first=entries(), second=entries(), ranges=disjoint())
def test_an_index_that_grew_is_the_index_of_all(
    first: list[tuple[int, int]], second: list[tuple[int, int]], ranges: np.ndarray
) -> None:
    def built(part: list[tuple[int, int]], start: int) -> CoverIndex:
        lo, hi = (np.array([entry[i] for entry in part], dtype=np.int64) for i in (0, 1))
        return CoverIndex.build(lo, hi, np.arange(len(part)) + start, np.ones(len(part), np.bool_))

    grown = built(first, 0).with_more(built(second, len(first)))
    assert sorted(grown.hits(ranges)[0]) == sorted(built([*first, *second], 0).hits(ranges)[0])


def test_the_lake_s_lists_are_read_and_kept_on_disk(tmp_path: Path) -> None:
    lists = pa.list_(pa.int64())
    inner = pa.chunked_array([[[10, 12], None], [[]]], lists)
    border = pa.chunked_array([[[12, 20, 30, 31], [0, 10]], [None]], lists)
    CoverIndex.from_lists(inner, border, 100).save(tmp_path / "t")
    index = CoverIndex.load(tmp_path / "t")
    found = [
        (tuple(r.tolist()), tuple(i.tolist()))
        for r, i in (index.hits(np.array([[a, a + 1]])) for a in (9, 10, 15, 30, 31))
    ]
    assert found == [((101,), (False,)), ((100,), (True,)), ((100,), (False,)), ((100,), (False,)), ((), ())]


def test_an_empty_index_has_no_hits() -> None:
    empty = pa.chunked_array([], pa.list_(pa.int64()))
    assert len(CoverIndex.from_lists(empty, empty).hits(np.array([[0, END]]))[0]) == 0


def test_spans_are_written_out() -> None:
    assert spans(np.array([[3, 5], [7, 7], [9, 10]])).tolist() == [3, 4, 9]
