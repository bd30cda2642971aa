"""How quickly documents are written: by our follower's writer from rows, and by the client's own helper.

The helper is called as it comes, which was quickest here, and given ready documents; ours makes them from
the lake's rows on the way.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
from elasticsearch import helpers

import schemas
from archive.settings import Settings
from archive.stores import open_lake
from bench.bare import plain_client
from bench.client import TABLE
from store.elastic import Cluster, open_client
from store.elastic.bulk import BulkWriter
from store.elastic.documents import creations
from store.elastic.indices import Indices


@dataclass(frozen=True)
class BulkRates:
    """Documents per second of both, and how many times longer ours took, in the median of turns."""

    documents: int
    ours: float
    helper: float
    ratio: float


def compare_bulk(data: Path, cluster: Cluster, documents: int, turns: int = 5) -> BulkRates:
    """Write the same slice of a lake's rows in turns, each time into a new index.

    The first turn does not count.
    """
    lake = open_lake(Settings.model_validate({"data": str(data)}))
    table = lake.schemas().table(TABLE)
    version = lake.version()
    some = list(islice(lake.batches(table.name, version), 1 + documents // 1000))
    rows = pa.Table.from_batches(some).slice(0, documents)
    with open_client(cluster) as client, plain_client(cluster) as plain:
        indices = Indices(client, cluster)
        writers: tuple[Callable[[str], None], ...] = (
            _ours(client, table, rows, version),
            _helper(plain, table, rows, version),
        )
        lasted: tuple[list[float], list[float]] = ([], [])
        for turn in range(turns + 1):
            for which in (0, 1) if turn % 2 else (1, 0):
                index = indices.create(table, rows.num_rows)
                began = time.perf_counter()
                writers[which](index)
                seconds = time.perf_counter() - began
                indices.refresh([index])
                if indices.count(index, version) != rows.num_rows:
                    raise RuntimeError(f"{index} has not got all documents")
                indices.delete(index)
                if turn:
                    lasted[which].append(seconds)
    ratio = statistics.median(ours / theirs for ours, theirs in zip(*lasted, strict=True))
    ours, theirs = (rows.num_rows / statistics.median(each) for each in lasted)
    return BulkRates(rows.num_rows, round(ours), round(theirs), round(ratio, 2))


def _ours(client: Any, table: schemas.Table, rows: pa.Table, version: int) -> Callable[[str], None]:
    def write(index: str) -> None:
        writer = BulkWriter(client)
        try:
            writer.write(index, creations(table, rows.to_batches(), version))
        finally:
            writer.close()

    return write


def _helper(client: Any, table: schemas.Table, rows: pa.Table, version: int) -> Callable[[str], None]:
    ready = [
        {"_op_type": "create", "_id": name, "_source": orjson.loads(lines.splitlines()[1])}
        for name, lines in creations(table, rows.to_batches(), version)
    ]

    def write(index: str) -> None:
        for done, item in helpers.parallel_bulk(client, ready, index=index):
            if not done:
                raise RuntimeError(str(item))

    return write
