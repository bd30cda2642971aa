"""What an engine offers: an ``Index`` to those who ask, a ``Maintainer`` to those who keep it up to date.

Callers know only this; ``docs/adding-an-engine.md`` says what an engine must keep beyond the signatures.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

import schemas
from schemas.arrow import arrow_schema

if TYPE_CHECKING:
    # The geometry below it takes a second to import, and who only looks at an engine's state needs none.
    from query import tree


class QueryError(Exception):
    """A query that this engine cannot answer; the message is for the user.

    QueryError
    ├── QueryTimeout     it ran longer than allowed
    ├── QueryTooLarge    it needs more memory or disk than allowed
    ├── QueryRejected    valid ADQL that the engine cannot run; says what
    └── IndexNotReady    the index has not caught up with anything yet
    """


class QueryTimeout(QueryError):  # noqa: N818 - names the condition, as the protocols do
    """It ran longer than allowed."""


class QueryTooLarge(QueryError):  # noqa: N818
    """It needs more memory or disk than allowed."""


class QueryRejected(QueryError):  # noqa: N818
    """Valid, but the engine cannot run it."""


class IndexNotReady(QueryError):  # noqa: N818
    """The index has not caught up with anything yet."""


class EngineAway(Exception):  # noqa: N818 - names the condition
    """The engine's servers do not answer, or not as they should."""


class IndexStalled(Exception):  # noqa: N818 - names the condition
    """The process that maintains the index did not build it in time."""


NO_UPLOADS: Mapping[str, pa.Table] = MappingProxyType({})
"""A query came without tables of its own."""


@dataclass(frozen=True, slots=True)
class Site:
    """What served values are made of: the naming authority (no ``ivo://``) and the public base URL."""

    authority: str
    public_url: str


@dataclass(slots=True)
class Answer:
    """A running query's rows.

    ``batches`` have one column per entry of ``columns``, in that order, of the Arrow type of its kind
    (``schemas.arrow``); region values are STC-S text. Iterate to the end or ``close``; both release the
    engine's resources.
    """

    version: int
    columns: tuple[schemas.Column, ...]
    batches: Iterator[pa.RecordBatch]
    notes: tuple[str, ...] = ()

    def close(self) -> None:
        """Stop the query; harmless when it has ended."""
        close = getattr(self.batches, "close", None)
        if close is not None:
            close()

    def table(self) -> pa.Table:
        """Read all rows."""
        batches = list(self.batches)
        if batches:
            return pa.Table.from_batches(batches)
        return arrow_schema(self.columns).empty_table()


@dataclass(frozen=True, slots=True)
class Sought:
    """What a search of one table wants to know.

    ``page`` is a query of a table that says which of the rows that fulfil its condition come first, and how
    many of them, ``top``. All of them are counted where ``counted``, and by the values of each column of
    ``facets``, of which at most ``most_values`` are told.
    """

    page: tree.Select
    counted: bool
    facets: tuple[schemas.Column, ...]
    most_values: int


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found, all at one version.

    ``rows`` have the columns of ``Answer.batches``; ``total`` is None when it was not wanted. Each facet has
    pairs of value and number of rows in any order, and one more than ``most_values`` when there are more.
    """

    version: int
    rows: pa.Table
    total: int | None
    facets: tuple[list[tuple[Any, int]], ...]


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that an engine does not take: where it stands in the lake, and why."""

    table: str
    key: str
    version: int
    reason: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A table that the index does not hold as the lake does, in words for the operator."""

    table: str
    message: str


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """How far an index is: ``version`` applied, ``lake_version`` there is, and why it is not ready.

    ``away`` says why the engine's servers do not answer; None when they do, or there are none.
    """

    engine: str
    version: int | None
    lake_version: int
    reason: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    away: str | None = None

    @property
    def ready(self) -> bool:
        """Whether queries can be answered."""
        return self.version is not None


class Snapshot(Protocol):
    """The index at one version; every query run on it sees that version."""

    @property
    def version(self) -> int:
        """The lake version."""
        ...

    @property
    def schemas(self) -> schemas.Schemas:
        """The declarations in force at that version, published catalogues included."""
        ...

    def run(
        self,
        query: tree.Query,
        *,
        limit: int | None = None,
        timeout: float | None = None,
        uploads: Mapping[str, pa.Table] = NO_UPLOADS,
    ) -> Answer:
        """Start a query; at most ``limit`` rows, at most ``timeout`` seconds from the call to the last row.

        ``uploads`` has the rows of tables that came with the query, by lower-case qualified name, in
        the columns and types (``schemas.arrow``) that the query's own declarations of them have.

        Raises
        ------
        QueryError
            When it cannot be run; later failures are raised while iterating.
        """
        ...

    def search(self, sought: Sought, *, timeout: float | None = None) -> Found:
        """Return the first rows that match, how many do, and their values; in at most ``timeout`` seconds.

        ``store.search.by_queries`` does it by queries; an engine may do better, with the same answer.

        Raises
        ------
        QueryError
            When it cannot be run.
        """
        ...

    def explain(self, query: tree.Query, *, timeout: float | None = None) -> Mapping[str, Any]:
        """Say how a query would be answered: ``engine``, ``version``, and what narrows and refines it.

        Finding that out takes at most ``timeout`` seconds.

        Raises
        ------
        QueryError
            When it cannot be run.
        """
        ...


class Index(Protocol):
    """A projection of the lake that answers queries."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Pin the newest applied version for as long as the context lasts.

        Raises
        ------
        IndexNotReady
            When nothing has been applied yet.
        """
        ...

    def status(self) -> IndexStatus:
        """Say how far it is."""
        ...

    def differences(self, *, thorough: bool) -> Iterator[Difference]:
        """Compare what the engine itself holds with the lake at the version that is shown.

        Rows are counted; with ``thorough`` an engine that keeps copies of rows elsewhere compares them too.

        Raises
        ------
        EngineAway
            When the engine's servers do not answer.
        """
        ...

    def close(self) -> None:
        """Release files and memory."""
        ...


class Maintainer(Protocol):
    """Brings an index up to date with the lake; of all processes, one at a time does."""

    @property
    def leads(self) -> bool:
        """Whether this process is the one that does."""
        ...

    @property
    def reason(self) -> str | None:
        """Why the last step failed; None when it did not."""
        ...

    def step(self) -> int | None:
        """Do what is due now; return the version of the index that was built, if one was."""
        ...

    def rebuild(self) -> int:
        """Build the index anew from a snapshot of the lake's newest version; return that version.

        Where another process maintains the index, it is the one to do it, and this waits for that.

        Raises
        ------
        IndexStalled
            When the other process does not do it in time.
        """
        ...

    def run_forever(self, stop: threading.Event, *, poll: float = 0.5) -> None:
        """Step every ``poll`` seconds until told to stop; a failure is logged and tried again."""
        ...

    def close(self) -> None:
        """Let another process maintain the index."""
        ...
