"""What the index holds: one document, changed by compare-and-set and read together with its version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from elastic_transport import ApiError, ConnectionTimeout, TransportError
from elasticsearch import BadRequestError, ConflictError, Elasticsearch, NotFoundError

from store.elastic.client import Cluster, EngineError, in_words, is_other_product, open_client, soon
from store.elastic.names import FORMAT, META, Names
from store.lake import Lake
from store.port import EngineAway

_STATE = "state"


class Superseded(EngineError):  # noqa: N818 - names the condition
    """Another process changed the state first."""


class OtherArchive(EngineError):  # noqa: N818 - names the condition
    """What the cluster holds under our names is not of this archive."""


@dataclass(frozen=True, slots=True)
class TableIndex:
    """The index that holds a table, how many rows it has there, and how many were refused.

    ``mapping`` is the fingerprint of what its documents are like.
    """

    index: str
    rows: int = 0
    refused: int = 0
    mapping: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """The version that can be asked for, and the indices of its tables by lower-case name.

    ``written`` is when it became so, UTC in ISO 8601. ``upto`` is the version that changes are being written
    for, None while none are: whoever goes on writes those of the same versions together, so that documents
    that a process still sends which slept meanwhile are the same. It is nothing that queries see. ``lake``
    is the identity of the lake whose rows they are, empty when it had none yet.
    """

    version: int
    tables: Mapping[str, TableIndex] = field(default_factory=dict)
    written: str = ""
    upto: int | None = field(default=None, compare=False)
    lake: str = field(default="", compare=False)

    def document(self) -> dict[str, Any]:
        """Return what is stored of it."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def read(cls, source: Mapping[str, Any]) -> State | None:
        """Return what was stored; None for another format."""
        if source.get("format") != FORMAT:
            return None
        tables = {name: TableIndex(**table) for name, table in source["tables"].items()}
        return cls(source["version"], tables, source["written"], source.get("upto"), source.get("lake", ""))


@dataclass(frozen=True, slots=True)
class Stored:
    """A document's content and its place in the order of writes; ``state`` is None in another format."""

    state: State | None
    seq_no: int
    primary_term: int


def require_own(state: State | None, lake: Lake, names: Names) -> None:
    """See to it that a state is of a lake, and not of that of another archive in the same cluster.

    Raises
    ------
    OtherArchive
        When it is of another one.
    """
    own = lake.identity()
    if state is not None and state.lake and own and state.lake != own:
        raise OtherArchive(
            f"the indices {names.all} are of another archive; set another ONEDFS_ELASTICSEARCH_PREFIX, "
            "or delete them if that archive is gone"
        )


class StateDocument:
    """Reads and replaces the state; safe for any number of processes."""

    def __init__(self, client: Elasticsearch, names: Names) -> None:
        self._client = client
        self._index = names.state

    def read(self) -> Stored | None:
        """Return the state at this moment, refreshed or not; None before the first."""
        found = read_document(self._client, self._index, _STATE)
        if found is None:
            return None
        source, seq_no, primary_term = found
        return Stored(State.read(source), seq_no, primary_term)

    def write(self, state: State, over: Stored | None) -> Stored:
        """Put a state in the place of the one that was read.

        Raises
        ------
        Superseded
            When that one is not there any more.
        """
        document = state.document()
        place = write_document(
            self._client,
            self._index,
            _STATE,
            document,
            None if over is None else (over.seq_no, over.primary_term),
        )
        if place is None:
            raise Superseded("another process changed the state of the index")
        return Stored(state, *place)


def version_in(cluster: Cluster) -> int | None:
    """Return the version that a cluster's index shows; None while it shows none.

    Raises
    ------
    EngineAway
        When the cluster does not answer, or refuses.
    """
    client = open_client(cluster, **soon(cluster))
    try:
        stored = StateDocument(client, Names.of(cluster)).read()
    except (ApiError, TransportError) as error:
        raise EngineAway(in_words(error)) from None
    finally:
        client.close()
    return None if stored is None or stored.state is None else stored.state.version


def moment() -> str:
    """Return the present time as the state holds it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def prepare(client: Elasticsearch, names: Names) -> None:
    """Create the index of the state, and see to it that none of ours comes into being by a mere write."""
    template = f"{names.prefix}-explicit"
    client.indices.put_index_template(
        name=template,
        index_patterns=[names.all],
        allow_auto_create=False,
        priority=500,
        meta={META: {"prefix": names.prefix}},
    )
    with already_there():
        client.indices.create(
            index=names.state,
            settings={"number_of_shards": 1, "auto_expand_replicas": "0-2"},
            mappings={"dynamic": False, "properties": {}},
        )
        # Nothing depends on it before it has its copies.
        patient = client.options(ignore_status=408)
        patient.cluster.health(index=names.state, wait_for_status="green", timeout="20s")


@contextmanager
def already_there() -> Iterator[None]:
    """Take it for success that an index has been created before."""
    try:
        yield
    except BadRequestError as error:
        if error.message != "resource_already_exists_exception":
            raise


Place = tuple[int, int]
"""Sequence number and primary term of a document's last write."""


def read_document(client: Elasticsearch, index: str, name: str) -> tuple[dict[str, Any], int, int] | None:
    """Return a document as it is now, with its place; None when there is none."""
    try:
        found = client.get(index=index, id=name)
    except NotFoundError as error:
        if is_other_product(error):
            raise
        return None
    return found["_source"], found["_seq_no"], found["_primary_term"]


def write_document(
    client: Elasticsearch, index: str, name: str, document: dict[str, Any], over: Place | None
) -> Place | None:
    """Put a document in the place of what was read (None: of nothing); None when something else is there."""
    condition: dict[str, Any] = {"op_type": "create"}
    if over is not None:
        condition = {"if_seq_no": over[0], "if_primary_term": over[1]}
    try:
        answer = client.index(index=index, id=name, document=document, **condition)
    except (ConflictError, ConnectionTimeout) as error:
        # A write whose answer was lost conflicts with itself when it is sent again.
        found = read_document(client, index, name)
        if found is not None and found[0] == document:
            return found[1], found[2]
        if isinstance(error, ConnectionTimeout):
            raise
        return None
    return answer["_seq_no"], answer["_primary_term"]
