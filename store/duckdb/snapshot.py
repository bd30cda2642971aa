"""Queries at one version of the index."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import duckdb
import pyarrow as pa

import schemas
from query import tree
from query.notes import notes
from schemas.arrow import arrow_schema
from store.duckdb.compiler import Compiled, compile_query
from store.duckdb.engine import Watchdog, failure
from store.duckdb.near import near_joins
from store.duckdb.selection import Selection, intersection, select, select_texts
from store.duckdb.state import State, TableState
from store.duckdb.tables import StateTables
from store.limits import TimeLimit
from store.planner import column_conditions, narrowings
from store.port import Answer, Site
from store.served import served_conditions, sought_texts

BATCH_ROWS = 16_384
"""Rows of one Arrow batch of an answer."""

_WATCHDOG = Watchdog()


class DuckSnapshot:
    """One version; any number of threads may run queries on it."""

    def __init__(
        self,
        state: State,
        site: Site,
        open_cursor: Callable[[], tuple[duckdb.DuckDBPyConnection, Callable[[], None]]],
    ) -> None:
        self._state = state
        self._site = site
        self._open_cursor = open_cursor

    @property
    def version(self) -> int:
        """The lake version."""
        return self._state.version

    @property
    def schemas(self) -> schemas.Schemas:
        """The declarations in force at that version."""
        return self._state.declared

    def run(self, query: tree.Query, *, limit: int | None = None, timeout: float | None = None) -> Answer:
        """Start a query; see :class:`store.port.Snapshot`."""
        allowed = TimeLimit(timeout)
        tables, compiled = self._compile(query, limit, allowed)
        allowed.check()
        cursor, release = self._open_cursor()
        rows = _Rows(cursor, release, compiled, tables.registered, allowed.left)
        return Answer(self.version, compiled.columns, rows, notes(query))

    def explain(self, query: tree.Query, *, timeout: float | None = None) -> Mapping[str, Any]:
        """Say what the indexes narrow, what is refined, and the SQL that is run."""
        tables, compiled = self._compile(query, None, TimeLimit(timeout))
        found = [dict(how) for selection in tables.selections.values() for how in selection.how]
        return {
            "engine": "duckdb",
            "version": self.version,
            "spherical": [how for how in found if "texts of" not in how],
            "texts": [how for how in found if "texts of" in how],
            "joined by cells": [
                {"near": near, "far": far, "order": order}
                for near, far, order in tables.near.conditions.values()
            ],
            "served": [condition.column for condition in tables.served],
            "sql": compiled.sql,
        }

    def _compile(
        self, query: tree.Query, limit: int | None, allowed: TimeLimit
    ) -> tuple[StateTables, Compiled]:
        nodes = tuple(tree.walk(query))
        conditions = column_conditions(nodes)
        by_text = self._selected(
            (
                (sought.alias, sought.table.name, partial(select_texts, texts=sought.texts))
                for sought in sought_texts(conditions, self._site)
            ),
            allowed,
        )
        by_sky = self._selected(
            ((n.alias, n.table.name, partial(select, narrowing=n, limit=allowed)) for n in narrowings(nodes)),
            allowed,
        )
        selections = {
            alias: intersection([*by_sky.get(alias, ()), *by_text.get(alias, ())])
            for alias in by_sky | by_text
        }
        near = near_joins(nodes, self._state)
        served = [c for c in served_conditions(conditions, self._site) if c.alias not in by_text]
        tables = StateTables(self._state, self._site, selections, served, near)
        known = frozenset[int]().union(*(selection.known for selection in selections.values()))
        return tables, compile_query(query, tables, nodes=nodes, known=known, limit=limit)

    def _selected(
        self,
        wanted: Iterable[tuple[str, str, Callable[[TableState], Selection | None]]],
        allowed: TimeLimit,
    ) -> dict[str, list[Selection]]:
        """Return what can be selected of the tables that are stored, by alias."""
        found: dict[str, list[Selection]] = {}
        for alias, name, choose in wanted:
            allowed.check()
            table = self._state.tables.get(name.lower())
            selection = None if table is None else choose(table)
            if selection is not None:
                found.setdefault(alias, []).append(selection)
        return found


class _Rows:
    """The batches of a running query, in the types that its columns declare."""

    def __init__(
        self,
        cursor: duckdb.DuckDBPyConnection,
        release: Callable[[], None],
        compiled: Compiled,
        registered: Mapping[str, pa.Table],
        timeout: float | None,
    ) -> None:
        self._cursor: duckdb.DuckDBPyConnection | None = cursor
        self._release = release
        self._schema = arrow_schema(compiled.columns)
        self._deadline = _WATCHDOG.watch(cursor, timeout)
        try:
            for name, rows in registered.items():
                cursor.register(name, rows)
            cursor.execute("BEGIN TRANSACTION READ ONLY")
            self._reader = open_reader(cursor, compiled.sql)
        except duckdb.Error as error:
            timed_out = self._deadline.passed
            self.close()
            raise failure(error, timed_out=timed_out) from error
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> _Rows:
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
            timed_out = self._deadline.passed
            self.close()
            raise failure(error, timed_out=timed_out) from error
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
