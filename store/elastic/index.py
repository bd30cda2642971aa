"""The index in Elasticsearch as one process sees it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from elastic_transport import ApiError, TransportError

from schemas import Schemas
from store.elastic.client import Cluster, in_words, open_client
from store.elastic.names import Names
from store.elastic.snapshot import ElasticSnapshot
from store.elastic.state import State, StateDocument
from store.lake import Lake, LakeError
from store.port import IndexNotReady, IndexStatus, Site
from store.sql.instance import Limits, open_instance

LOG = logging.getLogger(__name__)

ENGINE = "elasticsearch"
"""What the engine is called in answers."""


class ElasticIndex:
    """An :class:`store.port.Index` over what a follower keeps in a cluster.

    A thread looks for new versions every ``poll`` seconds (None: only ``refresh`` does). What is shown stays
    at its version while the cluster does not answer; the lake has its rows.
    """

    def __init__(
        self,
        lake: Lake,
        cluster: Cluster,
        site: Site,
        *,
        limits: Limits | None = None,
        poll: float | None = 0.2,
    ) -> None:
        self._lake = lake
        self._site = site
        self._client = open_client(cluster)
        self._document = StateDocument(self._client, Names.of(cluster))
        self._instance = open_instance(limits or Limits())
        self._shown: tuple[State, Schemas] | None = None
        self._reason: str | None = "nothing has been indexed yet"
        self._refreshing = threading.Lock()
        self._stop = threading.Event()
        self.refresh()
        self._thread: threading.Thread | None = None
        if poll is not None:
            self._thread = threading.Thread(target=self._poll, args=(poll,), name="index-poll", daemon=True)
            self._thread.start()

    @contextmanager
    def snapshot(self) -> Iterator[ElasticSnapshot]:
        """Pin the newest applied version for as long as the context lasts."""
        shown = self._shown
        if shown is None:
            raise IndexNotReady(f"the index is not ready: {self._reason}")
        state, declared = shown
        yield ElasticSnapshot(
            self._client, state, declared, lake=self._lake, site=self._site, instance=self._instance
        )

    def refresh(self) -> int | None:
        """Look which version can be asked for; return the one that is shown."""
        with self._refreshing:
            try:
                self._look()
            except (ApiError, TransportError) as error:
                self._reason = in_words(error)
            except LakeError as error:
                self._reason = str(error)
            return None if self._shown is None else self._shown[0].version

    def _look(self) -> None:
        stored = self._document.read()
        state = None if stored is None else stored.state
        if state is None:
            self._reason = "nothing has been indexed yet"
            return
        if self._shown is None or self._shown[0] != state:
            self._shown = state, self._lake.schemas(state.version)
        self._reason = None

    def status(self) -> IndexStatus:
        """Say how far it is."""
        lake_version = self._lake.version()
        if self._shown is None:
            return IndexStatus(ENGINE, None, lake_version, self._reason)
        state, _ = self._shown
        details = {name: {"index": held.index, "rows": held.rows} for name, held in state.tables.items()}
        refused = sum(held.refused for held in state.tables.values())
        return IndexStatus(
            ENGINE, state.version, lake_version, self._reason, {"tables": details, "refused": refused}
        )

    def close(self) -> None:
        """Release connections and memory."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._shown, self._reason = None, "the index is closed"
        self._instance.close()
        self._client.close()

    def _poll(self, seconds: float) -> None:
        while not self._stop.wait(seconds):
            try:
                self.refresh()
            except Exception:
                # A thread that dies here would freeze the archive at its version.
                LOG.exception("looking for a new version failed")
