"""Searches of one table by queries: its first rows, how many rows there are, and their values."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import pyarrow as pa

import schemas
from query import build, tree
from schemas.arrow import arrow_schema
from store.limits import TimeLimit
from store.port import Answer, Found, Sought

MOST_AHEAD = 300
"""Rows that are read beyond the page where values are counted: of so few they are counted sooner here."""

MOST_GROUPS = 20_000
"""Different rows of the columns of all facets, up to which one query counts for all of them."""

Pairs = list[tuple[Any, int]]
"""Values, and how many rows have each."""


class Runner(Protocol):
    """What runs queries at one version."""

    @property
    def version(self) -> int:
        """The lake version."""
        ...

    def run(self, query: tree.Query, *, limit: int | None = None, timeout: float | None = None) -> Answer:
        """Start a query."""
        ...


def by_queries(snapshot: Runner, sought: Sought, *, timeout: float | None = None) -> Found:
    """Answer a search by a query for its rows and, where these are not all, one that counts the others."""
    allowed = TimeLimit(timeout)
    page, width = sought.page, len(sought.page.outputs)
    top = page.top or 0
    ahead = top if not sought.facets or page.where is None else max(top, MOST_AHEAD)
    found = _rows(snapshot, replace(with_facets(sought), top=ahead), allowed)
    rows = found.select(list(range(width))).slice(0, top)
    if found.num_rows < ahead:
        total, facets = (
            found.num_rows,
            tuple(values_of(found.column(place).to_pylist()) for place in range(width, found.num_columns)),
        )
    else:
        total, facets = _grouped(snapshot, sought, allowed)
    return Found(snapshot.version, rows, total if sought.counted else None, facets)


def _rows(snapshot: Runner, query: tree.Select, allowed: TimeLimit) -> pa.Table:
    if not query.top:
        return arrow_schema([output.field for output in query.outputs]).empty_table()
    return snapshot.run(query, limit=query.top, timeout=allowed.left).table()


def with_facets(sought: Sought) -> tree.Select:
    """Return the query of the page with the facets as further columns."""
    facets = (
        tree.Output(reference(sought.page, column), column.renamed(f"facet_{place}"))
        for place, column in enumerate(sought.facets)
    )
    return replace(sought.page, outputs=(*sought.page.outputs, *facets))


def reference(page: tree.Select, column: schemas.Column) -> tree.Column:
    """Return a reference to a column of the table that a search is of."""
    return tree.Column(table_of(page).alias, column.name, column.kind)


def table_of(page: tree.Select) -> tree.TableRef:
    """Return the one table that a search is of."""
    if not isinstance(page.source, tree.TableRef):
        raise TypeError("a search is of one table")
    return page.source


def _grouped(snapshot: Runner, sought: Sought, allowed: TimeLimit) -> tuple[int, tuple[Pairs, ...]]:
    """Count all rows, and by the values of each facet; in one query where there are few enough groups."""
    if not sought.facets:
        found = _groups(snapshot, sought, (), MOST_GROUPS, allowed) if sought.counted else None
        return (0 if found is None else sum(found.column(0).to_pylist())), ()
    most = sought.most_values + 1 if len(sought.facets) == 1 else MOST_GROUPS
    found = _groups(snapshot, sought, sought.facets, most, allowed)
    if found.num_rows < most:
        *columns, counts = (column.to_pylist() for column in found.columns)
        return sum(counts), tuple(values_of(column, counts) for column in columns)
    facets = tuple(_facet(snapshot, sought, column, allowed) for column in sought.facets)
    return _grouped(snapshot, replace(sought, facets=()), allowed)[0], facets


def _facet(snapshot: Runner, sought: Sought, column: schemas.Column, allowed: TimeLimit) -> Pairs:
    """Count the rows that match by the values of one column."""
    found = _groups(snapshot, sought, (column,), sought.most_values + 1, allowed)
    return values_of(found.column(0).to_pylist(), found.column(1).to_pylist())


def _groups(
    snapshot: Runner, sought: Sought, columns: Sequence[schemas.Column], most: int, allowed: TimeLimit
) -> pa.Table:
    references = tuple(reference(sought.page, column) for column in columns)
    number = build.count()
    outputs = [
        tree.Output(reference, column.renamed(f"facet_{place}"))
        for place, (reference, column) in enumerate(zip(references, columns, strict=True))
    ]
    counted = tree.Output(number.expression, number.field.renamed("count_of_rows"))
    query = tree.Select((*outputs, counted), sought.page.source, sought.page.where, group_by=references)
    return snapshot.run(query, limit=most, timeout=allowed.left).table()


def values_of(values: Iterable[Any], counts: Iterable[int] | None = None) -> Pairs:
    """Add up how many rows have each of some values; 0.0 and -0.0 are one, and so are all NaN."""
    if counts is None:
        return list(Counter(map(_known, values)).items())
    found: Counter[Any] = Counter()
    for value, count in zip(values, counts, strict=True):
        found[_known(value)] += count
    return list(found.items())


def _known(value: Any) -> Any:
    return math.nan if isinstance(value, float) and math.isnan(value) else value
