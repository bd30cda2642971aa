"""What the indexes say of a query before the engine sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import pyarrow as pa

from query import tree
from store.duckdb.selection import Selection, intersection, select, select_texts
from store.duckdb.state import State, TableState
from store.duckdb.tables import StateTables
from store.limits import TimeLimit
from store.names import sought_names
from store.planner import cell_joins, column_conditions, narrowings, told_by_region
from store.port import NO_UPLOADS, Site
from store.served import served_conditions, sought_texts
from store.sql.arrow import ArrowSource, ArrowTables
from store.sql.compiler import Compiled, compile_query
from store.sql.near import NearJoins
from store.sql.plain import table_of


@dataclass(frozen=True)
class Planned:
    """A query with the rows that the indexes leave, by alias, and where the engine finds the rest."""

    state: State
    site: Site
    query: tree.Query
    limit: int | None
    nodes: tuple[Any, ...]
    selections: Mapping[str, Selection]
    tables: StateTables

    @cached_property
    def known(self) -> frozenset[int]:
        """Identities of conditions that all rows fulfil which are left."""
        return frozenset[int]().union(*(selection.known for selection in self.selections.values()))

    def compiled(self) -> Compiled:
        """Return the SQL of the whole query."""
        return compile_query(self.query, self.tables, nodes=self.nodes, known=self.known, limit=self.limit)


def plan(
    state: State,
    site: Site,
    query: tree.Query,
    limit: int | None,
    allowed: TimeLimit,
    *,
    uploads: Mapping[str, pa.Table] = NO_UPLOADS,
) -> Planned:
    """Have the indexes choose rows.

    Raises
    ------
    QueryTimeout
        When the time is up.
    """
    nodes = tuple(tree.walk(query))
    conditions = column_conditions(nodes)
    by_text = _selected(
        state,
        (
            (sought.alias, sought.table.name, partial(select_texts, texts=sought.texts))
            for sought in (*sought_texts(conditions, site), *sought_names(nodes))
        ),
        allowed,
    )
    sky = tuple(narrowings(nodes))
    # Where nothing else is asked of the rows, the engine is not needed to test them.
    exact = table_of(query, {id(each.condition) for each in sky if told_by_region(each)}) is not None
    by_sky = _selected(
        state,
        ((n.alias, n.table.name, partial(select, narrowing=n, limit=allowed, exact=exact)) for n in sky),
        allowed,
    )
    selections = {
        alias: intersection([*by_sky.get(alias, ()), *by_text.get(alias, ())]) for alias in by_sky | by_text
    }
    near = NearJoins.of(cell_joins(nodes, lambda ref: _size(state, uploads, ref)))
    served = [c for c in served_conditions(conditions, site) if c.alias not in by_text]
    beside = ArrowTables(ArrowSource(state.declared, site, uploads), near=near)
    tables = StateTables(state, site, selections, served, near, beside)
    return Planned(state, site, query, limit, nodes, selections, tables)


def _size(state: State, uploads: Mapping[str, pa.Table], ref: tree.TableRef) -> int | None:
    uploaded = uploads.get(ref.table.name.lower())
    if uploaded is not None:
        return int(uploaded.num_rows)
    table = state.tables.get(ref.table.name.lower())
    return None if table is None else table.count


def _selected(
    state: State,
    wanted: Iterable[tuple[str, str, Callable[[TableState], Selection | None]]],
    allowed: TimeLimit,
) -> dict[str, list[Selection]]:
    """Return what can be selected of the tables that are stored, by alias."""
    found: dict[str, list[Selection]] = {}
    for alias, name, choose in wanted:
        allowed.check()
        table = state.tables.get(name.lower())
        selection = None if table is None else choose(table)
        if selection is not None:
            found.setdefault(alias, []).append(selection)
    return found
