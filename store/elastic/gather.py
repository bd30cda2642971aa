"""Rows that documents hold, found by filters at one version, as Arrow data."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from elasticsearch import Elasticsearch

import schemas
from schemas import Kind
from schemas.arrow import HEALPIX, arrow_type
from schemas.elastic import CELL, field_name
from schemas.model import PLACEHOLDER
from store.elastic.client import EngineError
from store.elastic.documents import live_at
from store.elastic.filters import Body

MOST_ROWS = 10_000
"""Rows that are gathered for one alias of a query; for more, the lake's columns are read sooner."""


@dataclass(frozen=True)
class Search:
    """Where documents of a table are, and the version they are asked for at."""

    client: Elasticsearch
    index: str
    table: schemas.Table
    version: int

    def rows(
        self, filters: Sequence[Body], columns: AbstractSet[str], seconds: float | None
    ) -> pa.Table | None:
        """Return the rows that filters let through, with some columns; None when they are too many.

        Parameters
        ----------
        filters
            All of them hold.
        columns
            Lower-case names of columns that are needed.
        seconds
            Time for the request.

        Raises
        ------
        EngineError
            When not every shard answered.
        ApiError, TransportError
            When the cluster does not answer, or does so with an error.
        """
        named = [column for name, column in self.table.by_name.items() if name in columns]
        fields = [field_name(column.name) for column in named]
        at = live_at(self.version)["bool"]
        client = self.client if seconds is None else self.client.options(request_timeout=max(seconds, 0.1))
        answer = client.search(
            index=self.index,
            size=MOST_ROWS,
            query={"bool": {**at, "filter": [*at["filter"], *filters]}},
            source_includes=[*fields, CELL],
            sort=["_doc"],
            track_total_hits=MOST_ROWS + 1,
            allow_partial_search_results=False,
        )
        if answer["timed_out"] or answer["_shards"]["failed"]:
            raise EngineError(f"a shard of {self.index} did not answer")
        if answer["hits"]["total"]["value"] > MOST_ROWS:
            return None
        return as_rows(named, [hit["_source"] for hit in answer["hits"]["hits"]])

    def count(self, filters: Sequence[Body]) -> int:
        """Return how many rows filters let through."""
        at = live_at(self.version)["bool"]
        query = {"bool": {**at, "filter": [*at["filter"], *filters]}}
        return int(self.client.count(index=self.index, query=query)["count"])


def as_rows(columns: Sequence[schemas.Column], documents: Sequence[dict[str, Any]]) -> pa.Table:
    """Return documents as rows in the lake's types, with the cell of their position."""
    arrays = [_array(column, [d.get(field_name(column.name)) for d in documents]) for column in columns]
    cells = pa.array([d.get(CELL, -1) for d in documents], pa.int64())
    names = [column.name for column in columns]
    return pa.table([*arrays, cells], names=[*names, HEALPIX])


def _array(column: schemas.Column, values: list[Any]) -> pa.Array:
    if column.kind is Kind.TIMESTAMP and not column.array:
        return pa.array(values, pa.int64()).cast(arrow_type(column))
    if column.kind is Kind.FLOAT and not column.array:
        return pa.array(values, pa.float64()).cast(arrow_type(column))
    return pa.array(values, arrow_type(column))


def with_sources(table: schemas.Table, used: AbstractSet[str]) -> set[str]:
    """Return the columns that are needed to show some: themselves, and those that theirs are made from."""
    found = set(used)
    for name in used:
        column = table.by_name.get(name)
        if column is None:
            continue
        found |= {piece.lower() for piece in PLACEHOLDER.split(column.served or "")[1::2]}
        if column.rights_of:
            found.add(column.rights_of.lower())
    return found & table.by_name.keys()


def numbers(rows: pa.Table, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return a column of numbers; what is missing is NaN."""
    return np.asarray(rows[name].cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
