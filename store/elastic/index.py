"""The index in Elasticsearch as one process sees it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from elastic_transport import ApiError, TransportError

from schemas import Schemas
from store.elastic.client import Cluster, EngineError, in_words, open_client
from store.elastic.lake_rows import LakeRows
from store.elastic.names import Names, fingerprint
from store.elastic.reach import Reach
from store.elastic.snapshot import ElasticSnapshot
from store.elastic.state import OtherArchive, State, StateDocument, require_own
from store.elastic.verify import Comparison
from store.follower import Polling
from store.lake import Lake, LakeError
from store.port import Difference, EngineAway, IndexNotReady, IndexStatus, Site
from store.sql.instance import Limits, open_instance

ENGINE = "elasticsearch"
"""What the engine is called in answers."""

_LOOK_SECONDS = 4.0
"""Time for one look at the state."""


@dataclass(frozen=True)
class _Shown:
    """What queries see: a state, its declarations, what of it is ``held`` for them, and the lake's rows."""

    state: State
    declared: Schemas
    held: State
    lake: LakeRows


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
        looking = self._client.options(request_timeout=_LOOK_SECONDS, max_retries=len(cluster.hosts))
        self._names = Names.of(cluster)
        self._document = StateDocument(looking, self._names)
        self._reach = Reach()
        self._instance = open_instance(limits or Limits())
        self._shown: _Shown | None = None
        self._reason: str | None = "nothing has been indexed yet"
        self._refreshing = threading.Lock()
        self.refresh()
        self._polling = Polling(self.refresh, poll)

    @contextmanager
    def snapshot(self) -> Iterator[ElasticSnapshot]:
        """Pin the newest applied version for as long as the context lasts."""
        shown = self._shown
        if shown is None:
            raise IndexNotReady(f"the index is not ready: {self._reason}")
        yield ElasticSnapshot(
            self._client,
            shown.held,
            shown.declared,
            lake=shown.lake,
            site=self._site,
            instance=self._instance,
            reach=self._reach,
        )

    def refresh(self) -> int | None:
        """Look which version can be asked for; return the one that is shown."""
        with self._refreshing:
            try:
                self._look()
                self._reach.looked(None)
            except (ApiError, TransportError, OtherArchive) as error:
                self._reason = in_words(error)
                self._reach.looked(self._reason)
            except LakeError as error:
                self._reason = str(error)
            return None if self._shown is None else self._shown.state.version

    def _look(self) -> None:
        stored = self._document.read()
        state = None if stored is None else stored.state
        if state is None:
            self._reason = "nothing has been indexed yet"
            return
        require_own(state, self._lake, self._names)
        if self._shown is None or self._shown.state != state:
            declared = self._lake.schemas(state.version)
            rows = LakeRows(self._lake, declared, state.version)
            self._shown = _Shown(state, declared, _held(state, declared), rows)
        self._reason = None

    def status(self) -> IndexStatus:
        """Say how far it is."""
        lake_version = self._lake.version()
        if self._shown is None:
            return IndexStatus(ENGINE, None, lake_version, self._reason, away=self._reach.away)
        state = self._shown.state
        details = {name: {"index": held.index, "rows": held.rows} for name, held in state.tables.items()}
        refused = sum(held.refused for held in state.tables.values())
        return IndexStatus(
            ENGINE,
            state.version,
            lake_version,
            self._reason,
            {"tables": details, "refused": refused},
            self._reach.away,
        )

    def differences(self, *, thorough: bool) -> Iterator[Difference]:
        """Compare the documents in the cluster with the lake; see :class:`store.port.Index`."""
        if self._shown is None:
            raise EngineAway(self._reason or "the index is closed")
        state, declared = self._shown.state, self._shown.declared
        try:
            with self._lake.pinned(state.version):
                compared = Comparison(self._client, self._lake, state)
                yield from compared.differences(declared, thorough=thorough)
        except (ApiError, TransportError, EngineError) as error:
            raise EngineAway(in_words(error)) from None

    def close(self) -> None:
        """Release connections and memory."""
        self._polling.close()
        self._shown, self._reason = None, "the index is closed"
        self._instance.close()
        self._client.close()


def _held(state: State, declared: Schemas) -> State:
    """Return a state with the tables alone whose documents are as this process knows them.

    Others, that a process of another release or another site folder writes, are read from the lake.
    """
    held = {
        name: entry
        for name, entry in state.tables.items()
        if name in declared and entry.mapping == fingerprint(declared.table(name))
    }
    return replace(state, tables=held)
