from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import Column, Kind
from store.port import Answer, IndexNotReady, QueryError, QueryTimeout
from vo.dali import RowLimit, Rows, TransientFault, UsageFault

if TYPE_CHECKING:
    from collections.abc import Iterator

_COLUMN = Column(name="n", kind=Kind.LONG)


def _batch(values: list[int]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"n": pa.array(values, pa.int64())})


def _read(sizes: list[int], limit: int) -> tuple[list[int], Rows]:
    total = iter(range(sum(sizes)))
    batches = iter([_batch([next(total) for _ in range(size)]) for size in sizes])
    rows = Rows(Answer(1, (_COLUMN,), batches), RowLimit(limit, "of the test"))
    return [value for batch in rows for value in batch.column(0).to_pylist()], rows


@given(st.lists(st.integers(0, 4), max_size=5), st.integers(1, 12))
def test_rows_are_cut_at_the_limit_and_only_then_overflow(sizes: list[int], limit: int) -> None:
    seen, rows = _read(sizes, limit)
    assert seen == list(range(min(sum(sizes), limit)))
    assert rows.ending is not None
    assert rows.ending.status == ("OVERFLOW" if sum(sizes) > limit else "OK")


class _Watched:
    """Batches that know whether they were closed."""

    def __init__(self, batches: list[pa.RecordBatch], failure: QueryError | None = None) -> None:
        self.closed = False
        self._iterator = self._run(batches, failure)

    def _run(self, batches: list[pa.RecordBatch], failure: QueryError | None) -> Iterator[pa.RecordBatch]:
        yield from batches
        if failure is not None:
            raise failure

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self

    def __next__(self) -> pa.RecordBatch:
        return next(self._iterator)

    def close(self) -> None:
        self.closed = True


def _rows(watched: _Watched, limit: int = 10) -> Rows:
    return Rows(Answer(1, (_COLUMN,), watched), RowLimit(limit, ""))


@pytest.mark.parametrize("limit", [0, 1, 10])
def test_the_query_is_stopped_when_its_rows_have_been_read(limit: int) -> None:
    watched = _Watched([_batch([1, 2])])
    for _ in _rows(watched, limit):
        pass
    assert watched.closed


def test_the_query_is_stopped_when_the_reader_goes_away() -> None:
    watched = _Watched([_batch([1]), _batch([2])])
    reader = iter(_rows(watched))
    next(reader)
    reader.close()
    assert watched.closed


@pytest.mark.parametrize(
    ("failure", "fault"),
    [(QueryTimeout("too long"), UsageFault), (IndexNotReady("wait"), TransientFault)],
)
def test_a_query_that_fails_at_once_raises_a_fault(failure: QueryError, fault: type[Exception]) -> None:
    watched = _Watched([], failure)
    with pytest.raises(fault, match=str(failure)):
        _rows(watched)
    assert watched.closed


def test_a_later_failure_ends_the_rows() -> None:
    rows = _rows(_Watched([_batch([1])], QueryError("the disk is full")))
    assert [batch.num_rows for batch in rows] == [1]
    assert rows.ending is not None
    assert rows.ending.status == "ERROR"
    assert isinstance(rows.failure, UsageFault)
