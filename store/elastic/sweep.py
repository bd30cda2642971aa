"""Takes away what no query can need any more: documents that ended long ago, indices that were replaced."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable

from elasticsearch import Elasticsearch

from schemas.elastic import UNTIL
from store.elastic.bulk import BulkWriter
from store.elastic.documents import deletions
from store.elastic.indices import Indices
from store.elastic.state import State

LOG = logging.getLogger(__name__)

_PAGE = 5_000
"""Documents that are deleted at a time."""


class Sweeper:
    """Remembers what was shown when, and deletes what has not been for ``grace`` seconds.

    A query takes its version and its indices from the state when it begins; none runs for longer than that.
    """

    def __init__(
        self,
        client: Elasticsearch,
        bulk: BulkWriter,
        indices: Indices,
        *,
        grace: float = 900.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._bulk = bulk
        self._indices = indices
        self._grace = grace
        self._clock = clock
        self._shown: deque[tuple[float, int]] = deque()
        self._doomed: dict[str, float] = {}

    def note(self, version: int) -> None:
        """Hear that a version is shown from now on."""
        if not self._shown or self._shown[-1][1] != version:
            self._shown.append((self._clock(), version))

    def sweep(self, state: State) -> int:
        """Delete what is due; return how many documents and indices were deleted."""
        self.note(state.version)
        swept = self._drop_indices({entry.index for entry in state.tables.values()})
        floor = self._floor()
        if floor is not None:
            for entry in state.tables.values():
                swept += self._purge(entry.index, floor)
        return swept

    def _floor(self) -> int | None:
        """Return the newest version that was shown the grace ago; nobody asks for an older one."""
        past = self._clock() - self._grace
        if not self._shown or self._shown[0][0] > past:
            return None
        while len(self._shown) > 1 and self._shown[1][0] <= past:
            self._shown.popleft()
        return self._shown[0][1]

    def _purge(self, index: str, floor: int) -> int:
        purged = 0
        while True:
            answer = self._client.search(
                index=index,
                query={"range": {UNTIL: {"lte": floor}}},
                size=_PAGE,
                source=False,
                sort="_doc",
                track_total_hits=False,
                allow_partial_search_results=False,
            )
            ids = [hit["_id"] for hit in answer["hits"]["hits"]]
            if ids:
                self._bulk.write(index, deletions(ids))
                self._indices.refresh([index])
                purged += len(ids)
            if len(ids) < _PAGE:
                return purged

    def _drop_indices(self, needed: set[str]) -> int:
        now, found = self._clock(), self._indices.unneeded(needed)
        self._doomed = {name: self._doomed.get(name, now) for name in found}
        due = [name for name, since in self._doomed.items() if now - since >= self._grace]
        for name in due:
            LOG.info("deleting %s, which nobody uses any more", name)
            self._indices.delete(name)
            del self._doomed[name]
        return len(due)
