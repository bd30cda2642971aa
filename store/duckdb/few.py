"""Answers that are few rows of one table: found by the indexes or the engine, read by their numbers.

The engine plans a statement on a wide table for milliseconds, and unpacks a block of each column for every
row that stands alone. So it is asked for numbers of rows at most, and what these rows show is read from where
they are packed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from query import tree
from store.duckdb.layout import ROW
from store.duckdb.planned import Planned
from store.duckdb.state import TableState
from store.planner import conjuncts
from store.served import with_sources
from store.sql.compiler import Compiled, compile_numbers, rows_needed
from store.sql.plain import plain_rows, table_of

IntArray = NDArray[np.int64]

MOST_ROWS = 4_096
"""Rows up to which reading them by number is sooner done than having the engine read them."""

MOST_BYTES = 2**26
"""Bytes of them, packed, up to which they are read together."""


@dataclass(frozen=True)
class Few:
    """A query that is answered so.

    ``numbers`` asks the engine for the rows; None when the indexes have told them. All of them fulfil the
    conditions in ``known``.
    """

    planned: Planned
    query: tree.Select
    alias: str
    table: TableState
    wanted: frozenset[str]
    known: frozenset[int]
    numbers: Compiled | None

    def answer(self, ask: Callable[[Compiled], IntArray]) -> pa.Table | None:
        """Return the rows of the answer; None when the engine has to read them or put them in order."""
        planned = self.planned
        if self.numbers is not None:
            rows = np.sort(ask(self.numbers))
        else:
            rows = np.setdiff1d(planned.selections[self.alias].rows(), self.table.gone, assume_unique=True)
        if self.table.size(rows) > MOST_BYTES:
            return None
        found = self.table.read(rows, self.wanted)
        return plain_rows(
            self.query,
            found,
            planned.site,
            known=self.known,
            limit=planned.limit,
            moment=planned.tables.moment,
        )


def few_rows(planned: Planned) -> Few | None:
    """Say how a query is answered from few rows; None when it is not."""
    query = planned.query
    every = frozenset(map(id, conjuncts(query.where))) if isinstance(query, tree.Select) else frozenset()
    source = table_of(query, every)
    if source is None or not isinstance(query, tree.Select) or source.table.virtual:
        return None
    table = planned.state.tables.get(source.table.name.lower())
    if table is None:
        return None
    used = {node.name.lower() for node in planned.nodes if isinstance(node, tree.Column)}
    wanted = frozenset(with_sources(source.table, used, planned.site))
    if any(column.array for name, column in table.stored.by_name.items() if name in wanted):
        return None
    selection = planned.selections.get(source.alias)
    within = selection is not None and selection.count <= MOST_ROWS
    if within and table_of(query, planned.known) is not None:
        return Few(planned, query, source.alias, table, wanted, planned.known, None)
    needed = rows_needed(query, planned.limit)
    if not within and (needed is None or needed > MOST_ROWS):
        return None
    numbers = compile_numbers(
        query, planned.tables, ROW, nodes=planned.nodes, known=planned.known, limit=planned.limit
    )
    return Few(planned, query, source.alias, table, wanted, every, numbers)
