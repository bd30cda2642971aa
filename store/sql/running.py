"""Compiled queries as they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import duckdb
import pyarrow as pa

from schemas.arrow import arrow_schema
from store.limits import TimeLimit
from store.sql.compiler import Compiled
from store.sql.instance import failure
from store.sql.watchdog import Watchdog

BATCH_ROWS = 16_384
"""Rows of one Arrow batch of an answer."""

_WATCHDOG = Watchdog()


class RunningQuery:
    """The batches of a query that runs on a cursor, in the types that its columns declare.

    ``registered`` are what its SQL reads by these names, besides the instance's own tables. ``release`` is
    called once, when the cursor has been closed.

    Raises
    ------
    QueryError
        When it cannot be run; later failures are raised while iterating.
    """

    def __init__(
        self,
        cursor: duckdb.DuckDBPyConnection,
        release: Callable[[], None],
        compiled: Compiled,
        registered: Mapping[str, object],
        allowed: TimeLimit,
    ) -> None:
        self._cursor: duckdb.DuckDBPyConnection | None = cursor
        self._release = release
        self._schema = arrow_schema(compiled.columns)
        self._deadline = _WATCHDOG.watch(cursor, allowed.left, allowed.stop)
        self._allowed = allowed
        try:
            for name, rows in registered.items():
                cursor.register(name, rows)
            cursor.execute("BEGIN TRANSACTION READ ONLY")
            self._reader = open_reader(cursor, compiled.sql)
        except (duckdb.Error, OSError, pa.ArrowException) as error:
            passed = self._allowed if self._deadline.passed else None
            self.close()
            raise failure(error, passed) from error
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> RunningQuery:
        return self

    def __next__(self) -> pa.RecordBatch:
        if self._cursor is None:
            raise StopIteration
        try:
            batch = self._reader.read_next_batch()
        except StopIteration:
            self.close()
            raise
        except (duckdb.Error, OSError, pa.ArrowException) as error:
            passed = self._allowed if self._deadline.passed else None
            self.close()
            raise failure(error, passed) from error
        return conformed(batch, self._schema)

    def close(self) -> None:
        """Stop the query and give back what it holds."""
        cursor, self._cursor = self._cursor, None
        if cursor is None:
            return
        self._deadline.cancel()
        cursor.interrupt()
        cursor.close()
        self._release()

    def __del__(self) -> None:
        self.close()


def open_reader(cursor: duckdb.DuckDBPyConnection, sql: str) -> pa.RecordBatchReader:
    """Run a statement and stream what it answers.

    The relation that ``sql`` makes is bound once to describe it and once more to run it, which costs wide
    tables some milliseconds; what the relation itself calls in the end binds once.
    """
    submit = getattr(cursor, "_submit", None)
    if submit is None:
        return cursor.sql(sql).to_arrow_reader(BATCH_ROWS)
    return submit(sql, None, "stream", BATCH_ROWS).arrow_reader()


def conformed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Give an engine's batch the declared names and types."""
    arrays = [
        array if array.type == field.type else array.cast(field.type)
        for array, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
