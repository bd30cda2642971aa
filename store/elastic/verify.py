"""Comparing what a cluster holds with the lake, document by document, whatever the state says of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Any

import orjson
from elasticsearch import Elasticsearch

import schemas
from schemas.elastic import ROW, SINCE, UNTIL
from store.compare import difference
from store.elastic.client import EngineError
from store.elastic.documents import creations, live_at
from store.elastic.names import Names
from store.elastic.state import State
from store.lake import Lake
from store.port import Difference

_PAGE = 5_000
"""Documents read at a time."""

_KEPT = "5m"
"""For how long the cluster keeps what is read, from one page to the next."""

_DIGITS = 2**64

Document = dict[str, Any]


class Comparison:
    """Holds the documents of one state against the rows of its version."""

    def __init__(self, client: Elasticsearch, lake: Lake, state: State) -> None:
        self._client = client
        self._lake = lake
        self._state = state

    def differences(self, declared: schemas.Schemas, *, thorough: bool) -> Iterator[Difference]:
        """Yield what is wrong with each table; with ``thorough`` every value of every row is compared.

        Raises
        ------
        EngineError
            When a shard did not answer.
        ApiError, TransportError
            When the cluster does not answer, or does so with an error.
        """
        for table in declared:
            if table.indexed and not table.virtual:
                found = self._difference(table, thorough=thorough)
                if found is not None:
                    yield found

    def _difference(self, table: schemas.Table, *, thorough: bool) -> Difference | None:
        entry, version = self._state.tables.get(table.name.lower()), self._state.version
        kept = self._lake.row_count(table.name, version)
        if entry is None:
            return difference(table, 0, kept) or Difference(table.name, "it has no index")
        found = difference(table, self._count(entry.index) + entry.refused, kept)
        if found is None and thorough and not entry.refused:
            rows = creations(table, self._lake.batches(table.name, version), version)
            # Of an index that was widened, packed rows are neither read nor all of one layout.
            left = {SINCE, UNTIL} if Names.as_made(entry.index, entry.mapping) else {SINCE, UNTIL, ROW}
            if _digest(map(_document, rows), left) != _digest(self._documents(entry.index), left):
                return Difference(table.name, "rows of the index are not as the lake has them")
        return found

    def _count(self, index: str) -> int:
        answer = self._client.count(index=index, query=live_at(self._state.version))
        if answer["_shards"]["failed"]:
            raise EngineError(f"a shard of {index} did not count its rows")
        return int(answer["count"])

    def _documents(self, index: str) -> Iterator[Document]:
        """Yield all documents of the version."""
        point = self._client.open_point_in_time(index=index, keep_alive=_KEPT)["id"]
        after: list[Any] | None = None
        try:
            while True:
                answer = self._client.search(
                    pit={"id": point, "keep_alive": _KEPT},
                    query=live_at(self._state.version),
                    size=_PAGE,
                    docvalue_fields=[{"field": ROW}],
                    sort=[{"_shard_doc": "asc"}],
                    search_after=after,
                    track_total_hits=False,
                    allow_partial_search_results=False,
                )
                hits = answer["hits"]["hits"]
                # The packed row is what queries read, the source says what they search.
                yield from (hit["_source"] | {ROW: hit.get("fields", {}).get(ROW, [None])[0]} for hit in hits)
                if len(hits) < _PAGE:
                    return
                after = hits[-1]["sort"]
        finally:
            self._client.options(ignore_status=404).close_point_in_time(id=point)


def _document(operation: tuple[str, bytes]) -> Document:
    """Return the document that a line of a bulk request creates."""
    found: Document = orjson.loads(operation[1].splitlines()[1])
    return found


def _digest(documents: Iterable[Document], without: AbstractSet[str]) -> int:
    """Return what is the same for the same documents in any order but for some fields."""
    total = 0
    for document in documents:
        kept = {name: value for name, value in document.items() if name not in without}
        data = orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)
        total += int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")
    return total % _DIGITS
