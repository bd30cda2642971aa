"""Queries at one version of the index."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import schemas
from query import tree
from query.notes import notes
from store.duckdb.few import few_rows
from store.duckdb.planned import Planned, plan
from store.duckdb.state import State
from store.limits import TimeLimit
from store.port import NO_UPLOADS, Answer, Found, Site, Sought
from store.search import by_queries
from store.sql.arrow import batches_of
from store.sql.compiler import Compiled
from store.sql.running import RunningQuery

IntArray = NDArray[np.int64]


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

    def run(
        self,
        query: tree.Query,
        *,
        limit: int | None = None,
        timeout: float | None = None,
        uploads: Mapping[str, pa.Table] = NO_UPLOADS,
    ) -> Answer:
        """Start a query; see :class:`store.port.Snapshot`."""
        allowed = TimeLimit(timeout)
        planned = plan(self._state, self._site, query, limit, allowed, uploads=uploads)
        few = self._few(planned, allowed)
        if few is not None:
            return Answer(self.version, query.columns, batches_of(few), notes(query))
        compiled = planned.compiled()
        allowed.check()
        return Answer(self.version, compiled.columns, self._running(compiled, planned, allowed), notes(query))

    def search(self, sought: Sought, *, timeout: float | None = None) -> Found:
        """Answer a search; see :class:`store.port.Snapshot`."""
        return by_queries(self, sought, timeout=timeout)

    def explain(self, query: tree.Query, *, timeout: float | None = None) -> Mapping[str, Any]:
        """Say what the indexes narrow, what is refined, where rows are read, and the SQL that is run."""
        planned = plan(self._state, self._site, query, None, TimeLimit(timeout))
        few, tables = few_rows(planned), planned.tables
        compiled = planned.compiled() if few is None else few.numbers
        found = [dict(how) for selection in planned.selections.values() for how in selection.how]
        return {
            "engine": "duckdb",
            "version": self.version,
            "spherical": [how for how in found if "texts of" not in how],
            "texts": [how for how in found if "texts of" in how],
            "joined by cells": [
                {"near": join.near, "far": join.far, "order": join.order}
                for join in tables.near.conditions.values()
            ],
            "served": [condition.column for condition in tables.served],
            "rows read": "by the engine" if few is None else "by their number",
            "sql": None if compiled is None else compiled.sql,
        }

    def _few(self, planned: Planned, allowed: TimeLimit) -> pa.Table | None:
        """Return the answer of a query that is few rows."""
        few = few_rows(planned)
        if few is None:
            return None
        allowed.check()

        def ask(numbers: Compiled) -> IntArray:
            with closing(self._running(numbers, planned, allowed)) as running:
                found = [batch.column(0).to_numpy(zero_copy_only=False) for batch in running]
            return np.concatenate([np.empty(0, np.int64), *found])

        return few.answer(ask)

    def _running(self, compiled: Compiled, planned: Planned, allowed: TimeLimit) -> RunningQuery:
        cursor, release = self._open_cursor()
        return RunningQuery(cursor, release, compiled, planned.tables.read_by_name, allowed)
