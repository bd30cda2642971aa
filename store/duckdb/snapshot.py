"""Queries at one version of the index."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import duckdb

import schemas
from query import tree
from query.notes import notes
from store.duckdb.selection import Selection, intersection, select, select_texts
from store.duckdb.state import State, TableState
from store.duckdb.tables import StateTables
from store.limits import TimeLimit
from store.names import sought_names
from store.planner import cell_joins, column_conditions, narrowings
from store.port import Answer, Found, Site, Sought
from store.search import by_queries
from store.served import served_conditions, sought_texts
from store.sql.compiler import Compiled, compile_query
from store.sql.near import NearJoins
from store.sql.running import RunningQuery


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
        rows = RunningQuery(cursor, release, compiled, tables.registered, allowed)
        return Answer(self.version, compiled.columns, rows, notes(query))

    def search(self, sought: Sought, *, timeout: float | None = None) -> Found:
        """Answer a search; see :class:`store.port.Snapshot`."""
        return by_queries(self, sought, timeout=timeout)

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
                {"near": join.near, "far": join.far, "order": join.order}
                for join in tables.near.conditions.values()
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
                for sought in (*sought_texts(conditions, self._site), *sought_names(nodes))
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
        near = NearJoins.of(cell_joins(nodes, self._size))
        served = [c for c in served_conditions(conditions, self._site) if c.alias not in by_text]
        tables = StateTables(self._state, self._site, selections, served, near)
        known = frozenset[int]().union(*(selection.known for selection in selections.values()))
        return tables, compile_query(query, tables, nodes=nodes, known=known, limit=limit)

    def _size(self, ref: tree.TableRef) -> int | None:
        table = self._state.tables.get(ref.table.name.lower())
        return None if table is None else table.count

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
