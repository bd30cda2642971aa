"""Writes rows of the lake into indices: whole tables at a version, and what later versions changed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pyarrow as pa
from elastic_transport import ApiError, TransportError
from elasticsearch import Elasticsearch

import schemas
from schemas.elastic import KEY, SINCE, UNTIL
from store.elastic.bulk import BulkWriter, Refused, Tally
from store.elastic.client import EngineError
from store.elastic.documents import ROWS, creations, document_keys, endings
from store.elastic.indices import Indices
from store.elastic.names import fingerprint
from store.elastic.state import TableIndex
from store.lake import Change, Lake
from store.port import RefusedRow

LOG = logging.getLogger(__name__)

KEYS = 1_000
"""Keys that are looked up at a time."""


Meanwhile = Callable[[], None]
"""Does what cannot wait until a long write ends."""


def nothing() -> None:
    """Nothing cannot wait."""


OnRefusal = Callable[[Sequence[RefusedRow]], None]
"""Hears of rows that Elasticsearch does not take."""

OnSettled = Callable[[str, Sequence[str] | None], None]
"""Hears of keys of a table, None for all of them, of which nothing that was refused is left."""


def log_refusals(rows: Sequence[RefusedRow]) -> None:
    """Say in the log what was refused."""
    for row in rows:
        LOG.error("%s %s of version %d is not in the index: %s", row.table, row.key, row.version, row.reason)


def forget_refusals(table: str, keys: Sequence[str] | None) -> None:
    """Where refusals are only told there is nothing to take back."""
    del table, keys


class RowWriter:
    """Writes tables and changes; each call can be repeated without harm."""

    def __init__(
        self,
        lake: Lake,
        client: Elasticsearch,
        bulk: BulkWriter,
        indices: Indices,
        *,
        refused: OnRefusal = log_refusals,
        settled: OnSettled = forget_refusals,
    ) -> None:
        self._lake = lake
        self._client = client
        self._bulk = bulk
        self._indices = indices
        self._refused = refused
        self._settled = settled

    def tables(self, version: int, meanwhile: Meanwhile = nothing) -> dict[str, TableIndex]:
        """Write all tables at a version into new indices; what was begun is deleted when one fails.

        ``meanwhile`` is called between slices of rows.
        """
        written: dict[str, TableIndex] = {}
        try:
            with self._lake.pinned(version):
                for name, table in self._lake.schemas(version).indexed.items():
                    written[name] = self.table(table, version, meanwhile)
        except BaseException:
            for entry in written.values():
                self.forget(entry.index)
            raise
        return written

    def table(self, table: schemas.Table, version: int, meanwhile: Meanwhile = nothing) -> TableIndex:
        """Write a table at a version into a new index, and make it ready to be searched.

        ``meanwhile`` is called between slices of its rows.

        Raises
        ------
        EngineError
            When it cannot be written, or has not got all its rows.
        """
        self._settled(table.name, None)
        index = self._indices.create(table, self._lake.row_count(table.name, version))
        try:
            with self._lake.pinned(version):
                rows = _interrupted(self._lake.batches(table.name, version), meanwhile)
                tally = self._create(index, table, rows, version)
            found = _complete(index, self._indices.finish(index, version, meanwhile), tally)
        except BaseException:
            self.forget(index)
            raise
        LOG.info("%s: %d rows of version %d written to %s", table.name, found, version, index)
        return TableIndex(index, found, tally.refused, fingerprint(table))

    def change(self, entry: TableIndex, table: schemas.Table, change: Change, version: int) -> TableIndex:
        """Write what a version changed in a table; it shows after a refresh, to queries at that version."""
        removed = document_keys(change.removed_keys, table.key) if change.removed_keys.num_rows else []
        if entry.refused and removed:
            self._settled(table.name, removed)
        ended = self._end(entry.index, removed, version)
        tally = self._create(entry.index, table, change.inserted.to_batches(), version)
        missing = len(removed) - ended
        return replace(
            entry,
            rows=entry.rows - ended + tally.done + tally.known,
            refused=max(0, entry.refused - missing + tally.refused),
        )

    def forget(self, index: str) -> None:
        """Delete an index that nobody has seen; one that cannot be deleted now is deleted later."""
        with suppress(ApiError, TransportError):
            self._indices.delete(index)

    def _create(
        self, index: str, table: schemas.Table, rows: Iterable[pa.RecordBatch], version: int
    ) -> Tally:
        def tell(some: Sequence[Refused]) -> None:
            self._refused(
                [RefusedRow(table.name, one.id.rpartition("@")[0], version, one.reason) for one in some]
            )

        return self._bulk.write(index, creations(table, rows, version), tell)

    def drop(self, name: str) -> None:
        """Hear that what a table held is no more."""
        self._settled(name, None)

    def _end(self, index: str, names: Sequence[str], version: int) -> int:
        """Write into the documents of removed rows that they are; return how many there are."""
        ended = 0
        for start in range(0, len(names), KEYS):
            living = self._living(index, names[start : start + KEYS], version)
            if living:
                self._bulk.write(index, endings(living, version))
            ended += len(living)
        return ended

    def _living(self, index: str, keys: Sequence[str], version: int) -> list[str]:
        """Return the ids of documents that live before a version, of those also that it ended."""
        query: Mapping[str, Any] = {
            "bool": {
                "filter": [{"terms": {KEY: list(keys)}}, {"range": {SINCE: {"lt": version}}}],
                "must_not": [{"range": {UNTIL: {"lt": version}}}],
            }
        }
        answer = self._client.search(
            index=index,
            query=query,
            size=10 * KEYS,
            source=False,
            sort="_doc",
            track_total_hits=False,
            allow_partial_search_results=False,
        )
        return [hit["_id"] for hit in answer["hits"]["hits"]]


def _interrupted(batches: Iterable[pa.RecordBatch], meanwhile: Meanwhile) -> Iterator[pa.RecordBatch]:
    """Yield batches in slices of some tenths of a second, with other things done between them."""
    for batch in batches:
        for start in range(0, batch.num_rows, ROWS):
            yield batch.slice(start, ROWS)
            meanwhile()


def _complete(index: str, rows: int, tally: Tally) -> int:
    """Return the rows of a new index, once they are known to be all that it took."""
    # A document that was sent twice is known the second time, and so is a second row of the same key.
    if not tally.done <= rows <= tally.done + tally.known:
        raise EngineError(f"{index} has {rows} rows of {tally.done + tally.known} that it took")
    return rows
