"""Queries for the first rows in an order that Elasticsearch sorts by.

Their rows are the first that it finds, together with those that it is not certain of; the query puts them in
order again and cuts. What Elasticsearch takes for equal and SQL does not, or the other way round, must not
lie at the cut: -0.0 comes before 0.0, and a missing whole number is the greatest of all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import schemas
from query import tree
from schemas import Kind
from schemas.elastic import field_name
from store.elastic.columns import Body, any_of
from store.elastic.gather import MOST_ROWS
from store.elastic.whole import grouped

MOST_UNORDERED = 1_000
"""Rows in no order that are asked for; more are read sooner from the lake."""

_EXTREMES = {2**63 - 1, -(2**63)}


@dataclass(frozen=True)
class First:
    """The ``count`` first rows of an alias, by columns; ``descending`` tells of each which way."""

    alias: str
    count: int
    columns: tuple[schemas.Column, ...]
    descending: tuple[bool, ...]

    @property
    def sort(self) -> list[Any]:
        """The order as a request has it."""
        keys: list[Any] = [
            {field_name(column.name): {"order": "desc" if down else "asc", "missing": "_last"}}
            for column, down in zip(self.columns, self.descending, strict=True)
        ]
        return keys or ["_doc"]

    @property
    def unsorted(self) -> list[Body]:
        """The filters of rows that cannot be sorted: texts longer than those that are indexed."""
        texts = (column for column in self.columns if column.kind is Kind.TEXT)
        return [{"term": {"_ignored": field_name(column.name)}} for column in texts]

    def is_exact(self, hits: list[Mapping[str, Any]]) -> bool:
        """Whether what comes after some sorted hits comes after them in SQL too."""
        if not hits or len(hits) < self.count or not self.columns:
            return True
        *before, _ = self.columns
        last = hits[-1]["sort"]
        zero = any(
            value == 0
            for column, value in zip(before, last[:-1], strict=True)
            if column.kind in (Kind.FLOAT, Kind.DOUBLE)
        )
        extreme = any(
            value in _EXTREMES
            for column, value in zip(self.columns, last, strict=True)
            if column.kind in (Kind.LONG, Kind.TIMESTAMP)
        )
        return not zero and not extreme


def firsts(nodes: Iterable[Any], query: tree.Query, limit: int | None) -> Iterator[First]:
    """Find the queries, among all nodes of one whose answer ``limit`` cuts, that need the first rows only."""
    for node in nodes:
        if isinstance(node, tree.Select):
            found = _first(node, limit if node is query else None)
            if found is not None:
                yield found


def _first(select: tree.Select, limit: int | None) -> First | None:
    source, cuts = select.source, [cut for cut in (select.top, limit) if cut is not None]
    if not isinstance(source, tree.TableRef) or not cuts:
        return None
    if select.group_by or select.distinct or select.having is not None:
        return None
    if any(isinstance(node, tree.Aggregate) for node in tree.walk((select.outputs, select.order_by))):
        return None
    columns = [grouped(key.expression, source) for key in select.order_by]
    known = tuple(column for column in columns if column is not None)
    count = min(cuts) + (select.offset or 0)
    if len(known) < len(columns) or count > (MOST_ROWS if columns else MOST_UNORDERED):
        return None
    return First(source.alias, count, known, tuple(key.descending for key in select.order_by))


def beside(first: First, certain: Body, *, exact: bool) -> Body | None:
    """Return the filter of the rows that are needed besides the first certain ones; None without any."""
    others = [*first.unsorted, *([] if exact else [{"bool": {"must_not": [certain]}}])]
    return any_of(others) if others else None
