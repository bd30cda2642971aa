"""The one process that brings the index up to date with the lake."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from elastic_transport import ApiError, TransportError
from elasticsearch import Elasticsearch, NotFoundError

from store.elastic.apply import Applier
from store.elastic.build import (
    OnRefusal,
    OnSettled,
    RowWriter,
    forget_refusals,
    log_refusals,
    nothing,
)
from store.elastic.bulk import BulkWriter, Pace
from store.elastic.client import Cluster, EngineError, in_words, open_client, soon
from store.elastic.indices import Indices
from store.elastic.lease import Lease, LeaseLost
from store.elastic.names import Names
from store.elastic.request import Requests
from store.elastic.state import OtherArchive, State, StateDocument, Stored, moment, prepare, require_own
from store.elastic.sweep import Sweeper
from store.follower import awaited
from store.lake import FeedIncomplete, Lake, LakeError, VersionGone
from store.port import EngineAway

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Policy:
    """Times, in seconds, and how far one step goes.

    Another process takes over when it has seen no renewal for ``term``; it looks ten times a term. What is
    not shown any more is deleted after ``grace``, looked for every ``sweep``. After a failure the next try
    comes after ``pause``. A follower that is behind takes up to ``stride`` versions at once, and no more than
    ``rows`` rows, which it has in memory; a table of which one version changed more is written anew. While
    indices are built beside the present ones these are brought up to date every ``slice``. Who asks another
    process to build the index waits for ``patience``.
    """

    term: float = 10.0
    grace: float = 900.0
    sweep: float = 60.0
    pause: float = 2.0
    stride: int = 16
    rows: int = 200_000
    slice: float = 1.0
    patience: float = 7200.0
    pace: Pace = field(default_factory=Pace)


class Stopped(EngineError):  # noqa: N818 - names the condition
    """The process was told to end."""


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
        self._soon = soon(cluster)
        self._owned = self._client if client is None else None
        self._lease = Lease(self._client, self._names, term=self._policy.term, clock=clock)
        self._states = StateDocument(self._client, self._names)
        self._requests = Requests(self._client, self._names)
        self._indices = Indices(self._client, cluster)
        self._stop = threading.Event()
        self._bulk = BulkWriter(self._client, self._policy.pace, guard=self._go_on)
        self._rows = RowWriter(
            lake, self._client, self._bulk, self._indices, refused=refused, settled=settled
        )
        self._sweeper = Sweeper(
            self._client, self._bulk, self._indices, grace=self._policy.grace, clock=clock
        )
        self._applier = Applier(
            lake, self._indices, self._rows, stride=self._policy.stride, most=self._policy.rows
        )
        self._prepared = False
        self._sure = False
        self._looked = False
        self._asked = float("-inf")
        self._swept = float("-inf")
        self._followed = float("-inf")

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
            if self._requests.pending() is not None:
                return self._build("it was asked for", living=True)
            return self._keep_up(stored, stored.state)
        except LeaseLost:
            LOG.warning("another process keeps the index up to date now")
        except Stopped:
            LOG.info("what is not finished is left to the next process")
        except Exception:
            self._unsure()
            raise
        return None

    def _unsure(self) -> None:
        """Look again: an index may be gone or of another mapping, and changes half written."""
        self._applier.forget()
        self._sure = False

    def _go_on(self) -> None:
        """Go on only while this process leads and is not told to end.

        Raises
        ------
        LeaseLost, Stopped
            When it is otherwise.
        """
        self._lease.require()
        if self._stop.is_set():
            raise Stopped("the process was told to end")

    def rebuild(self) -> int:
        """Build all indices beside the present ones, from the lake's newest version, and show them.

        Where another process maintains the index it is asked to, and this waits until it has, or takes over
        when that one dies.

        Raises
        ------
        IndexStalled
            When the other process does not do it in time.
        EngineAway
            When the cluster does not answer, refuses, or holds the index of another archive there.
        LakeError, EngineError
            When the lake or the build fails.
        """
        self._asked = float("-inf")
        try:
            if self._leads():
                return self._build_as_asked()
            self._requests.ask()
            return awaited(self._built_by_anybody, self._policy.patience)
        except (ApiError, TransportError, OtherArchive) as error:
            raise EngineAway(in_words(error)) from None

    def _built_by_anybody(self) -> int | None:
        if self._leads():
            return self._build_as_asked()
        stored = None if self._requests.pending() else self._states.read()
        return None if stored is None or stored.state is None else stored.state.version

    def _build_as_asked(self) -> int:
        return self._build("it was asked for", living=self._why_anew(self._states.read()) is None)

    def run_forever(self, stop: threading.Event, *, poll: float = 0.5) -> None:
        """Step until told to stop; a failure is logged and tried again."""
        self._stop = stop
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
            # What is wrong with the way to the cluster is told before anything is tried again and again.
            StateDocument(self._client.options(**self._soon), self._names).read()
            prepare(self._client, self._names)
            self._prepared = True
        self._unsure()
        try:
            # A process of another archive must not lead, nor ask the one that does for anything.
            stored = self._states.read()
            require_own(None if stored is None else stored.state, self._lake, self._names)
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
        require_own(stored.state, self._lake, self._names)
        newest = self._lake.version()
        if stored.state.version > newest == 0:
            raise EngineError(
                f"the lake is empty or away, and the index is of version {stored.state.version}"
            )
        if stored.state.version > newest:
            return f"it is of version {stored.state.version}, and the lake of {newest}"
        return None

    def _build(self, why: str, *, living: bool = False) -> int:
        """Write all indices beside the present ones and show them.

        While the ``living`` ones can be followed on they are, and the new ones catch up in the end.
        """
        version, self._followed = self._lake.version(), self._clock()
        LOG.info("building the index of version %d: %s", version, why)
        asked = self._requests.pending()
        with self._lake.pinned(version):
            tables = self._rows.tables(version, self._meanwhile if living else nothing)
            stored = self._states.read()
            while living and stored is not None and stored.state and stored.state.version > version:
                changes = self._applier.next(version, stored.state.version, None)
                tables, version = self._applier.applied(tables, changes), changes.step.version
                self._meanwhile()
                stored = self._states.read()
        self._show(State(version, tables, moment(), lake=self._lake.identity()), stored)
        self._requests.done(asked)
        return version

    def _meanwhile(self) -> None:
        """Let the living index follow on while another one is written beside."""
        if self._clock() - self._followed < self._policy.slice:
            return
        try:
            stored = self._states.read()
            if stored is not None and stored.state is not None:
                self._follow(stored, stored.state)
        except (LeaseLost, Stopped):
            raise
        except (FeedIncomplete, VersionGone) as error:
            LOG.warning("the present index stays as it is until the next one is there: %s", error)
            self._followed = float("inf")
            return
        except (LakeError, EngineError, ApiError, TransportError) as error:
            self._unsure()
            LOG.warning("the present index waits for the next one: %s", in_words(error))
        self._followed = self._clock()

    def _keep_up(self, stored: Stored, state: State) -> int | None:
        try:
            version = self._follow(stored, state)
        except (FeedIncomplete, VersionGone) as error:
            return self._build(str(error))
        if version is None:
            self._sweep(state)
        return version

    def _follow(self, stored: Stored, state: State) -> int | None:
        """Show the next version, or None when there is none.

        The state first says which versions are written together. A step that was begun up to a version is
        repeated up to there, whoever began it: what it wrote would be wrong, or written twice, in any other.
        """
        tables = self._applier.refitted(state.tables, state.version)
        if tables != state.tables:
            return self._show(replace(state, tables=tables, written=moment()), stored)
        newest, upto = self._lake.version(), state.upto
        if upto is None and newest > state.version and not self._sure:
            upto = self._indices.begun(state)
        if upto is not None and upto > newest:
            raise VersionGone(f"the index has changes of version {upto}, and the lake is of {newest}")
        if newest <= state.version:
            return None
        changes = self._applier.next(state.version, newest, upto)
        if state.upto is None:
            self._lease.require()
            stored = self._states.write(replace(state, upto=changes.step.version), stored)
        applied = self._applier.applied(state.tables, changes)
        shown = State(changes.step.version, applied, moment(), lake=self._lake.identity())
        return self._show(shown, stored)

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
