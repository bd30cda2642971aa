"""The one process that brings the index up to date with the lake."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from elastic_transport import ApiError, TransportError
from elasticsearch import Elasticsearch, NotFoundError

import schemas
from store.elastic.build import (
    OnRefusal,
    OnSettled,
    RowWriter,
    forget_refusals,
    log_refusals,
)
from store.elastic.bulk import BulkWriter, Pace
from store.elastic.client import Cluster, EngineError, in_words, open_client
from store.elastic.indices import Fit, Indices
from store.elastic.lease import Lease, LeaseLost
from store.elastic.names import Names, fingerprint
from store.elastic.request import Requests
from store.elastic.state import State, StateDocument, Stored, TableIndex, moment, prepare
from store.elastic.sweep import Sweeper
from store.follower import awaited
from store.lake import FeedIncomplete, Lake, LakeError, Step, VersionGone
from store.port import EngineAway

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Policy:
    """Times, in seconds, and how far one step goes.

    Another process takes over when it has seen no renewal for ``term``. What is not shown any more is
    deleted after ``grace``, looked for every ``sweep``. After a failure the next try comes after ``pause``.
    A follower that is behind takes up to ``stride`` versions at once, and no more than ``rows`` rows, which
    it has in memory; a table of which one version changed more is written anew. Who asks another process to
    build the index waits for ``patience``.
    """

    term: float = 15.0
    grace: float = 900.0
    sweep: float = 60.0
    pause: float = 2.0
    stride: int = 16
    rows: int = 200_000
    patience: float = 7200.0
    pace: Pace = field(default_factory=Pace)


class ElasticFollower:
    """Writes the index for as long as it holds the lease; of all followers one does.

    ``reason`` says why the last step failed, None when it did not. ``refused`` hears of rows that
    Elasticsearch does not take, ``settled`` of those of which that is past.
    """

    def __init__(
        self,
        lake: Lake,
        cluster: Cluster,
        *,
        client: Elasticsearch | None = None,
        policy: Policy | None = None,
        refused: OnRefusal = log_refusals,
        settled: OnSettled = forget_refusals,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.reason: str | None = None
        self._lake = lake
        self._policy = policy or Policy()
        self._clock = clock
        self._names = Names.of(cluster)
        self._client = client or open_client(cluster)
        self._owned = self._client if client is None else None
        self._lease = Lease(self._client, self._names, term=self._policy.term, clock=clock)
        self._states = StateDocument(self._client, self._names)
        self._requests = Requests(self._client, self._names)
        self._indices = Indices(self._client, cluster)
        self._bulk = BulkWriter(self._client, self._policy.pace, guard=self._lease.require)
        self._rows = RowWriter(
            lake, self._client, self._bulk, self._indices, refused=refused, settled=settled
        )
        self._sweeper = Sweeper(
            self._client, self._bulk, self._indices, grace=self._policy.grace, clock=clock
        )
        self._fitted: dict[str, tuple[str, schemas.Table]] = {}
        self._prepared = False
        self._sure = False
        self._looked = False
        self._asked = float("-inf")
        self._swept = float("-inf")

    @property
    def leads(self) -> bool:
        """Whether this process holds the lease."""
        return self._lease.held

    def step(self) -> int | None:
        """Do what is due now; return the version that is shown since, if it is another state than before.

        Raises
        ------
        LakeError, EngineError, ApiError, TransportError
            When the lake or the cluster fails; the next step goes on from there.
        """
        if not self._leads():
            return None
        try:
            stored = self._states.read()
            why = self._why_anew(stored)
            if why is not None or stored is None or stored.state is None:
                return self._build(why or "there is none")
            return self._keep_up(stored, stored.state)
        except LeaseLost:
            LOG.warning("another process keeps the index up to date now")
            return None
        except Exception:
            # An index may be gone: the next step looks at each. And some of its changes may be written.
            self._fitted.clear()
            self._sure = False
            raise

    def rebuild(self) -> int:
        """Build all indices beside the present ones, from the lake's newest version, and show them.

        Where another process maintains the index it is asked to, and this waits until it has, or takes over
        when that one dies.

        Raises
        ------
        IndexStalled
            When the other process does not do it in time.
        EngineAway
            When the cluster does not answer, or refuses.
        LakeError, EngineError
            When the lake or the build fails.
        """
        self._asked = float("-inf")
        try:
            if self._leads():
                return self._build("it was asked for")
            self._requests.ask()
            return awaited(self._built_by_anybody, self._policy.patience)
        except (ApiError, TransportError) as error:
            raise EngineAway(in_words(error)) from None

    def _built_by_anybody(self) -> int | None:
        if self._leads():
            return self._build("it was asked for")
        stored = None if self._requests.pending() else self._states.read()
        return None if stored is None or stored.state is None else stored.state.version

    def run_forever(self, stop: threading.Event, *, poll: float = 0.5) -> None:
        """Step until told to stop; a failure is logged and tried again."""
        while not stop.is_set():
            pause = poll
            try:
                if self.step() is not None:
                    pause = 0.0
                if self._looked:
                    self.reason = None
            except (LakeError, EngineError, ApiError, TransportError) as error:
                pause = self._told(in_words(error))
            except Exception as error:
                LOG.exception("a step of the index failed")
                pause = self._told(in_words(error))
            stop.wait(pause)
        self.close()

    def close(self) -> None:
        """Let another process maintain the index."""
        self._lease.release()
        self._bulk.close()
        if self._owned is not None:
            self._owned.close()

    def _told(self, reason: str) -> float:
        if reason != self.reason:
            LOG.warning("the index waits: %s", reason)
        self.reason = reason
        return self._policy.pause

    def _leads(self) -> bool:
        self._looked = self._lease.held
        if self._looked:
            return True
        if self._clock() - self._asked < self._policy.term / 10:
            return False
        self._asked = self._clock()
        if not self._prepared:
            prepare(self._client, self._names)
            self._prepared = True
        self._fitted.clear()
        self._sure = False
        try:
            leads = self._lease.acquire()
        except NotFoundError:
            # Somebody deleted the index of the state.
            self._prepared = False
            raise
        self._looked = True
        return leads

    def _why_anew(self, stored: Stored | None) -> str | None:
        """Say why everything is to be built anew.

        Raises
        ------
        EngineError
            When the lake is empty and the index is not: a folder that is not mounted looks like that.
        """
        if stored is None:
            return "there is none"
        if stored.state is None:
            return "it is of another format"
        newest = self._lake.version()
        if stored.state.version > newest == 0:
            raise EngineError(
                f"the lake is empty or away, and the index is of version {stored.state.version}"
            )
        if stored.state.version > newest:
            return f"it is of version {stored.state.version}, and the lake of {newest}"
        return "it was asked for" if self._requests.pending() else None

    def _build(self, why: str) -> int:
        version = self._lake.version()
        LOG.info("building the index of version %d: %s", version, why)
        asked = self._requests.pending()
        over = self._states.read()
        tables = self._rows.tables(version)
        self._show(State(version, tables, moment()), over)
        self._requests.done(asked)
        return version

    def _keep_up(self, stored: Stored, state: State) -> int | None:
        try:
            tables = self._refitted(state.tables, state.version)
            if tables != state.tables:
                return self._show(State(state.version, tables, moment()), stored)
            newest = self._lake.version()
            if newest > state.version:
                begun = None if self._sure else self._indices.begun(state)
                if begun is not None and begun > newest:
                    return self._build(f"it has changes of version {begun}, and the lake is of {newest}")
                step, anew = self._next(state.version, newest, begun)
                applied = self._applied(tables, step, anew)
                return self._show(State(step.version, applied, moment()), stored)
        except (FeedIncomplete, VersionGone) as error:
            return self._build(str(error))
        self._sweep(state)
        return None

    def _next(self, after: int, newest: int, begun: int | None) -> tuple[Step, set[str]]:
        """Return the changes that are to be applied next, and the tables that changed too much for that.

        A step that was ``begun`` up to a version is repeated up to there: what it wrote would be wrong, or
        written twice, in any other.
        """
        upto = min(newest, after + self._policy.stride) if begun is None else begun
        while True:
            indexed = self._lake.schemas(upto).indexed
            changed = self._lake.change_sizes(after, upto)
            sizes = {name: size for name, size in changed.items() if name.lower() in indexed}
            if begun is not None or upto == after + 1 or sum(sizes.values()) <= self._policy.rows:
                break
            upto = after + (upto - after) // 2
        anew = {name for name, size in sizes.items() if size > self._policy.rows}
        without = anew | (changed.keys() - sizes.keys())
        return self._lake.difference(after, upto, without=without), {name.lower() for name in anew}

    def _refitted(self, held: Mapping[str, TableIndex], version: int) -> dict[str, TableIndex]:
        """Return an index for each table as it is declared at a version; new ones hold its rows."""
        declared = self._lake.schemas(version).indexed
        return {name: self._fitting(table, held.get(name), version) for name, table in declared.items()}

    def _fitting(self, table: schemas.Table, entry: TableIndex | None, version: int) -> TableIndex:
        name = table.name.lower()
        if entry is not None and self._fitted.get(name) != (entry.index, table):
            fit = self._indices.fit(entry.index, table)
            if fit is Fit.OTHER:
                LOG.info("%s does not hold %s as it is declared now", entry.index, table.name)
                entry = None
            elif fit is Fit.WIDENED:
                self._indices.widen(entry.index, table)
        if entry is None:
            entry = self._rows.table(table, version)
        if self._fitted.get(name) != (entry.index, table):
            entry = replace(entry, mapping=fingerprint(table))
        self._fitted[name] = (entry.index, table)
        return entry

    def _applied(self, tables: dict[str, TableIndex], step: Step, anew: set[str]) -> dict[str, TableIndex]:
        """Write what a step changed, some tables anew; return the tables as they are after it."""
        dropped = {name.lower() for name in step.dropped} | anew
        kept = {name: entry for name, entry in tables.items() if name not in dropped}
        found = self._refitted(kept, step.version)
        for name in step.dropped:
            self._rows.drop(name)
        declared = self._lake.schemas(step.version)
        touched: list[str] = []
        for change in step.changes:
            name = change.table.lower()
            # An index that was written for this version holds its changes.
            if name in found and name in kept and found[name].index == kept[name].index:
                found[name] = self._rows.change(found[name], declared.table(name), change, step.version)
                touched.append(found[name].index)
        self._indices.refresh(touched)
        return found

    def _show(self, state: State, over: Stored | None) -> int:
        """Let queries see a state; everything of it has been written and refreshed.

        Indices of a state that could not be written are left to be swept: the write may have come through
        after all.
        """
        self._lease.require()
        self._states.write(state, over)
        self._sure = True
        self._sweeper.note(state.version)
        self._point_aliases(state)
        return state.version

    def _point_aliases(self, state: State) -> None:
        """Let people find what is shown; queries do not need it."""
        indices = {name: entry.index for name, entry in state.tables.items()}
        try:
            self._indices.point_aliases(indices, self._lake.schemas(state.version))
        except (ApiError, TransportError) as error:
            LOG.warning("the aliases are behind: %s", in_words(error))

    def _sweep(self, state: State) -> None:
        if self._clock() - self._swept >= self._policy.sweep:
            self._swept = self._clock()
            self._point_aliases(state)
            self._sweeper.sweep(state)
