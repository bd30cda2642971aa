"""Documents of one table at one version, asked for by filters, and their rows as Arrow data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from elasticsearch import Elasticsearch

import schemas
from schemas import Kind
from schemas.arrow import HEALPIX, arrow_type
from schemas.elastic import CELL, ROW, field_name, is_indexed
from store.elastic.client import EngineError
from store.elastic.columns import Body
from store.elastic.documents import live_at
from store.elastic.packed import unpack
from store.elastic.reach import SEARCH_SECONDS
from store.limits import TimeLimit
from store.packed import Garbled

MOST_ROWS = 30_000
"""Rows that are gathered for one alias of a query; for more, the lake's columns are read sooner.

Indices are made to give so many at once.
"""

FIRST_ROWS = 2_500
"""Rows that are asked for before it is known how many there are: when there are too many, none is needed."""

MOST_VALUES = 3
"""Columns that are read one by one; of more, reading whole rows is cheaper."""


class Inexact(Exception):  # noqa: N818 - names the condition
    """Elasticsearch cannot tell this exactly; the message says what."""


@dataclass(frozen=True)
class Search:
    """Where documents of a table are, and the version they are asked for at.

    ``packed`` tells that every document has a packed row of the table as it is declared. Methods raise
    ``EngineError`` when not every shard answered, or not as it should, and ``ApiError`` and
    ``TransportError`` when the cluster does not, or answers with an error.
    """

    client: Elasticsearch
    index: str
    table: schemas.Table
    version: int
    allowed: TimeLimit
    packed: bool = True

    def ask(self, filters: Sequence[Body], **body: Any) -> Mapping[str, Any]:
        """Search with the request ``body`` among the documents that filters let through."""
        self.allowed.check()
        seconds = SEARCH_SECONDS if self.allowed.left is None else min(self.allowed.left, SEARCH_SECONDS)
        # A node that is gone is passed over at once; beyond that the lake answers sooner than patience.
        client = self.client.options(
            request_timeout=max(seconds, 0.1), max_retries=len(self.client.transport.node_pool.all())
        )
        answer: Mapping[str, Any] = client.search(
            index=self.index,
            query=live_at(self.version, filters),
            allow_partial_search_results=False,
            **body,
        ).body
        if answer["timed_out"] or answer["_shards"]["failed"]:
            raise EngineError(f"a shard of {self.index} did not answer")
        return answer

    def rows(
        self,
        filters: Sequence[Body],
        columns: AbstractSet[str],
        *,
        without: Body | None = None,
        most: int = MOST_ROWS,
    ) -> pa.Table | None:
        """Return the rows that filters let through, with some columns; None when they are more than ``most``.

        Parameters
        ----------
        filters
            All of them hold.
        columns
            Lower-case names of columns that are needed.
        without
            A filter of rows that are not wanted.
        """
        wanted = filters if without is None else [*filters, {"bool": {"must_not": [without]}}]
        found = self._page(wanted, columns, min(FIRST_ROWS, most), most + 1)
        total = found["hits"]["total"]["value"]
        if total > most:
            return None
        if total > len(found["hits"]["hits"]):
            found = self._page(wanted, columns, most, most + 1)
        return self.read(found, columns)

    def few(self, filters: Sequence[Body], columns: AbstractSet[str], most: int) -> pa.Table | None:
        """Return the rows that filters let through; None when they are more than ``most``."""
        found = self._page(filters, columns, most, most + 1)
        return self.read(found, columns) if found["hits"]["total"]["value"] <= most else None

    def _page(
        self, filters: Sequence[Body], columns: AbstractSet[str], size: int, total: int
    ) -> Mapping[str, Any]:
        return self.ask(filters, size=size, sort=["_doc"], track_total_hits=total, **self.fields(columns))

    def fields(self, columns: AbstractSet[str]) -> dict[str, Any]:
        """Return the part of a request that has some columns read."""
        named = self._named(columns)
        names = [*(field_name(column.name) for column in named), *([CELL] if self.table.position else [])]
        if self._by_values(named):
            return {"source": False, "stored_fields": "_none_", "docvalue_fields": names}
        if self.packed:
            return {"source": False, "stored_fields": "_none_", "docvalue_fields": [ROW]}
        return {"source_includes": names}

    def read(self, answer: Mapping[str, Any], columns: AbstractSet[str]) -> pa.Table:
        """Return the hits of an answer as rows."""
        named, hits = self._named(columns), answer["hits"]["hits"]
        if not self._by_values(named) and self.packed:
            return self._unpacked(hits, columns)
        return as_rows(named, [_document(hit) for hit in hits])

    def _unpacked(self, hits: Sequence[Mapping[str, Any]], columns: AbstractSet[str]) -> pa.Table:
        wanted = {*columns, HEALPIX} if self.table.position else columns
        try:
            return unpack(self.table, [hit["fields"][ROW][0] for hit in hits], wanted)
        except (Garbled, KeyError) as error:
            # Somebody else changed a document.
            raise EngineError(f"{self.index} has rows that cannot be read: {error}") from None

    def _by_values(self, named: Sequence[schemas.Column]) -> bool:
        """Whether columns are read one by one: few of them, and no texts, which may be too long for that."""
        known = all(is_indexed(column) and column.kind is not Kind.TEXT for column in named)
        return known and len(named) <= MOST_VALUES

    def _named(self, columns: AbstractSet[str]) -> list[schemas.Column]:
        return [column for name, column in self.table.by_name.items() if name in columns]


def _document(hit: Mapping[str, Any]) -> Mapping[str, Any]:
    source: Mapping[str, Any] | None = hit.get("_source")
    if source is not None:
        return source
    return {name: values[0] for name, values in hit.get("fields", {}).items()}


def as_rows(columns: Sequence[schemas.Column], documents: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return documents as rows in the lake's types, with the cell of their position."""
    arrays = [as_array(column, [d.get(field_name(column.name)) for d in documents]) for column in columns]
    cells = pa.array([d.get(CELL, -1) for d in documents], pa.int64())
    names = [column.name for column in columns]
    return pa.table([*arrays, cells], names=[*names, HEALPIX])


def as_array(column: schemas.Column, values: list[Any]) -> pa.Array:
    """Return values as documents have them in the lake's type."""
    if column.kind is Kind.TIMESTAMP and not column.array:
        return pa.array(values, pa.int64()).cast(arrow_type(column))
    if column.kind is Kind.FLOAT and not column.array:
        return pa.array(values, pa.float64()).cast(arrow_type(column))
    return pa.array(values, arrow_type(column))
