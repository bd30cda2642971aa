"""Queries stop at their deadline, and stream."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

from store.sql.running import open_reader
from store.sql.watchdog import Watchdog
from tests.support.processes import wait_until


@pytest.mark.timeout(60)
def test_a_query_that_begins_after_its_deadline_is_stopped_all_the_same() -> None:
    with duckdb.connect(":memory:") as connection:
        deadline = Watchdog().watch(connection, 0.01)
        wait_until(lambda: deadline.passed, "the deadline has passed", 30)
        with pytest.raises(duckdb.InterruptException):
            connection.execute("SELECT count(*) FROM range(1_000_000_000_000) WHERE hash(range) = 1")
        deadline.cancel()


class _Public:
    """A cursor with nothing but its documented interface."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self.sql = cursor.sql


def test_answers_stream_with_and_without_the_short_way() -> None:
    sql = "SELECT range AS o0, 'é' || range AS o1 FROM range(50_000) ORDER BY range"
    with duckdb.connect(":memory:") as connection:
        assert hasattr(connection, "_submit")
        short = pa.Table.from_batches(list(open_reader(connection, sql)))
        long = pa.Table.from_batches(list(open_reader(_Public(connection), sql)))  # type: ignore[arg-type]
    assert short.equals(long)
    assert short.num_rows == 50_000
    assert short.column("o1")[7].as_py() == "é7"
