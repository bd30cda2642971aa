"""Searches in one request: the first rows, how many there are, and their values, counted by Elasticsearch.

It counts, and sorts, the rows that are certain. The others, next to the border of a region or told apart by
the whole query only, are read and tested, and counted here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

import schemas
from query import tree
from schemas import Kind
from schemas.elastic import field_name
from store.elastic.aggregates import key_value
from store.elastic.asked import Asked
from store.elastic.columns import Body
from store.elastic.first import First, firsts
from store.elastic.gather import MOST_ROWS, Inexact, Search, as_array
from store.elastic.selection import Selector
from store.elastic.whole import grouped
from store.planner import told_by_region
from store.port import Sought
from store.search import Pairs, table_of, values_of, with_facets


@dataclass(frozen=True)
class Together:
    """What was told of a search.

    ``rows`` are those among which the first ones are. ``doubtful`` are all that are not certain to match:
    the query has to be run on them to know which do. ``total`` and ``facets`` count the certain rows.
    Conditions whose identity is in ``known`` hold for all rows.
    """

    rows: pa.Table
    doubtful: pa.Table
    known: frozenset[int]
    total: int
    facets: tuple[Pairs, ...]

    def counted_with(self, matching: pa.Table) -> tuple[int, tuple[Pairs, ...]]:
        """Return total and facets with the doubtful rows that match, whose last columns are the facets."""
        number = matching.num_rows
        columns = matching.columns[matching.num_columns - len(self.facets) :]
        facets = tuple(
            values_of(
                [*(value for value, _ in pairs), *column.to_pylist()],
                [*(count for _, count in pairs), *[1] * number],
            )
            for pairs, column in zip(self.facets, columns, strict=True)
        )
        return self.total + number, facets


def together(selector: Selector, sought: Sought) -> Together | None:
    """Ask for everything that a search wants to know; None where queries have to do."""
    source, page = table_of(sought.page), with_facets(sought)
    nodes = tuple(tree.walk(page))
    asked = selector.asked(nodes, {source.alias}).get(source.alias)
    first = next(firsts([page], page, None), None)
    facets = [grouped(tree.Column(source.alias, c.name, c.kind), source) for c in sought.facets]
    if asked is None or asked.certain is None or None in facets or (page.top and first is None):
        return None
    return selector.attempt(asked, lambda search: _Request(selector, sought, asked, first, search).sent())


@dataclass(frozen=True)
class _Request:
    """One search on its way."""

    selector: Selector
    sought: Sought
    asked: Asked
    first: First | None
    search: Search

    def sent(self) -> Together | None:
        """Send it, and once more for rows that are not certain if there are any."""
        exact = self.asked.exact
        aggs = self._aggregations() if exact else self._divided()
        counted = exact and bool(self.asked.filters)
        body = self._page() | ({"aggs": aggs} if aggs else {})
        answer = self.search.ask(self.asked.filters, track_total_hits=counted, **body)
        hits, told = answer["hits"]["hits"], answer.get("aggregations", {})
        if self.first is not None and not self.first.is_exact(hits):
            return None
        rows = self.search.read(answer, self.asked.used)
        if exact:
            total = answer["hits"]["total"]["value"] if counted else self.selector.rows_of(self.asked)
            return self._told(rows, rows.slice(0, 0), total, told)
        if told["doubtful"]["doc_count"] > MOST_ROWS:
            return None
        doubtful: pa.Table | None = rows.slice(0, 0)
        if told["doubtful"]["doc_count"]:
            doubtful = self.search.rows(self.asked.filters, self.asked.used, without=self.asked.sure)
        if doubtful is None:
            return None
        return self._told(rows, doubtful, told["certain"]["doc_count"], told["certain"])

    def _page(self) -> Body:
        """Return the part of the request that has the first certain rows read."""
        if self.first is None or not self.sought.page.top:
            return {"size": 0}
        body = {"size": self.first.count, "sort": self.first.sort, **self.search.fields(self.asked.used)}
        return body if self.asked.exact else body | {"post_filter": self.asked.sure}

    def _divided(self) -> dict[str, Body]:
        sure, aggs = self.asked.sure, self._aggregations()
        return {
            "certain": {"filter": sure} | ({"aggs": aggs} if aggs else {}),
            "doubtful": {"filter": {"bool": {"must_not": [sure]}}},
        }

    def _aggregations(self) -> dict[str, Body]:
        found: dict[str, Body] = {}
        for place, column in enumerate(self.sought.facets):
            name = field_name(column.name)
            found[f"values {place}"] = {"terms": {"field": name, "size": self.sought.most_values + 1}}
            found[f"missing {place}"] = {"missing": {"field": name}}
        for name in sorted(self._texts()):
            found[f"long {name}"] = {"filter": {"term": {"_ignored": name}}}
        return found

    def _texts(self) -> Iterator[str]:
        """Yield the fields that must not have texts too long to be counted or sorted."""
        ordered = () if self.first is None else self.first.columns
        names = {field_name(c.name) for c in (*self.sought.facets, *ordered) if c.kind is Kind.TEXT}
        return iter(names)

    def _told(self, rows: pa.Table, doubtful: pa.Table, total: int, told: Mapping[str, Any]) -> Together:
        told_of = (each for each in self.asked.narrowings if told_by_region(each))
        known = self.asked.fulfilled | {id(each.condition) for each in told_of}
        if doubtful.num_rows:
            doubtful = self.selector.refined(self.asked, doubtful, known)
        if any(told[name]["doc_count"] for name in told if name.startswith("long ")):
            raise Inexact("texts are too long to be indexed")
        facets = tuple(_pairs(column, place, told) for place, column in enumerate(self.sought.facets))
        both = pa.concat_tables([rows, doubtful]) if doubtful.num_rows else rows
        return Together(both, doubtful, frozenset(known), total, facets)


def _pairs(column: schemas.Column, place: int, told: Mapping[str, Any]) -> Pairs:
    terms, missing = told[f"values {place}"], told[f"missing {place}"]["doc_count"]
    if terms["sum_other_doc_count"] or terms["doc_count_error_upper_bound"]:
        raise Inexact(f"{column.name} has too many values")
    keys = [key_value(column, bucket["key"]) for bucket in terms["buckets"]]
    counts = [bucket["doc_count"] for bucket in terms["buckets"]]
    values = as_array(column, keys).to_pylist()
    return values_of([*values, *[None] * bool(missing)], [*counts, *[missing] * bool(missing)])
