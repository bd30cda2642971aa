"""Documents are written whatever a cluster answers for a while, against a stand-in that answers as told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson
import pytest
from elastic_transport import (
    ApiResponseMeta,
    BaseNode,
    ConnectionError,  # noqa: A004
    ConnectionTimeout,
    HttpHeaders,
    TransportError,
)
from elastic_transport._node import NodeApiResponse
from elasticsearch import Elasticsearch
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from store.elastic.bulk import BulkWriter, Pace, Refused, Tally, WriteFailed, chunks
from store.elastic.documents import Operation

Answer = Callable[[list[str]], tuple[int, Any]]
"""What is said to a request for documents of these ids; or an exception is raised."""


def item(action: str, status: int, kind: str | None = None) -> dict[str, Any]:
    error = {} if kind is None else {"error": {"type": kind, "reason": f"because {kind}"}}
    return {action: {"status": status, **error}}


def takes(ids: list[str]) -> tuple[int, Any]:
    return 200, {"errors": False, "items": [item("create", 201) for _ in ids]}


def says(status: int) -> Answer:
    return lambda _: (status, {"error": {"type": "x", "reason": "not now"}, "status": status})


def fails(error: type[TransportError]) -> Answer:
    def answer(_: list[str]) -> tuple[int, Any]:
        raise error("gone", errors=(OSError("gone"),))

    return answer


def items(**statuses: tuple[int, str]) -> Answer:
    """Take all documents but those named."""

    def answer(ids: list[str]) -> tuple[int, Any]:
        told = [item("create", *statuses.get(name, (201, None))) for name in ids]
        return 200, {"errors": True, "items": told}

    return answer


class Server:
    """Answers one request after the other as it was told, and takes everything after that."""

    def __init__(self, answers: Iterable[Answer] = (), then: Answer = takes) -> None:
        self.answers = list(answers)
        self.then = then
        self.requests: list[list[str]] = []
        self.taken: list[str] = []
        self.lock = threading.Lock()

    def client(self, **options: Any) -> Elasticsearch:
        server = self

        class Node(BaseNode):
            @override
            def perform_request(self, *_: Any, body: Any = None, **__: Any) -> NodeApiResponse:
                ids = [next(iter(orjson.loads(line).values()))["_id"] for line in body.splitlines()[::2]]
                with server.lock:
                    server.requests.append(ids)
                    status, told = (server.answers.pop(0) if server.answers else server.then)(ids)
                    if status == 200:
                        done = [next(iter(one.values())).get("status") for one in told["items"]]
                        server.taken += [name for name, code in zip(ids, done, strict=True) if code < 300]
                headers = HttpHeaders(
                    {"x-elastic-product": "Elasticsearch", "content-type": "application/json"}
                )
                meta = ApiResponseMeta(status, "1.1", headers, 0.0, self.config)
                return NodeApiResponse(meta, orjson.dumps(told))

            @override
            def close(self) -> None:
                pass

        return Elasticsearch(["http://nowhere:9200"], node_class=Node, **options)


def operations(names: Iterable[str], size: int = 0) -> list[Operation]:
    return [(name, orjson.dumps({"create": {"_id": name}}) + b"\n{" + b" " * size + b"}\n") for name in names]


Written = tuple[Tally, list[Refused]]


@pytest.fixture
def write() -> Callable[..., Written]:
    """Write documents to a server; time passes by pauses alone."""

    def run(server: Server, names: Iterable[str], *, chunk: int = 10**6, **options: Any) -> Written:
        now = [0.0]

        def passes(_: threading.Event, seconds: float | None = None) -> bool:
            now[0] += seconds or 0.0
            return False

        refused: list[Refused] = []
        pace = Pace(threads=1, chunk_bytes=chunk, patience=60.0)
        writer = BulkWriter(server.client(), pace, clock=lambda: now[0], pause=passes, **options)
        try:
            return writer.write("index", operations(names), refused.extend), refused
        finally:
            writer.close()

    return run


def test_everything_is_written_in_order(write: Any) -> None:
    server = Server()
    tally, refused = write(server, "abcdef", chunk=80)
    assert server.taken == list("abcdef")
    assert server.requests == [["a", "b", "c"], ["d", "e", "f"]]
    assert (tally, refused) == (Tally(done=6), [])


@pytest.mark.parametrize(
    "answer",
    [
        says(429),
        says(503),
        says(502),
        says(500),
        fails(ConnectionTimeout),
        fails(ConnectionError),
    ],
    ids=["429", "503", "502", "500", "time-out", "connection"],
)
def test_what_the_cluster_cannot_do_now_is_asked_again(write: Any, answer: Answer) -> None:
    server = Server([answer] * 4)
    tally, refused = write(server, "abc")
    assert server.taken == ["a", "b", "c"]
    assert (tally, refused) == (Tally(done=3), [])


def test_only_the_documents_that_are_missing_are_sent_again(write: Any) -> None:
    server = Server(
        [items(b=(429, "es_rejected_execution_exception"), d=(503, "unavailable_shards_exception"))]
    )
    tally, _ = write(server, "abcd")
    assert server.requests == [["a", "b", "c", "d"], ["b", "d"]]
    assert tally == Tally(done=4)


def test_a_document_that_was_there_is_no_failure(write: Any) -> None:
    server = Server([items(b=(409, "version_conflict_engine_exception"))])
    tally, refused = write(server, "abc")
    assert (tally, refused) == (Tally(done=2, known=1), [])


def test_an_update_that_collides_is_sent_again_and_one_of_nothing_is_done(write: Any) -> None:
    first = [
        item("update", 409, "version_conflict_engine_exception"),
        item("update", 404, "document_missing_exception"),
        item("delete", 404),
    ]
    server = Server([lambda _: (200, {"errors": True, "items": first})])
    tally, _ = write(server, "abc")
    assert server.requests == [["a", "b", "c"], ["a"]]
    assert tally == Tally(done=1, known=2)


def test_a_poison_document_is_set_aside_with_its_reason(write: Any) -> None:
    server = Server([items(b=(400, "document_parsing_exception"))])
    tally, refused = write(server, "abc")
    assert server.taken == ["a", "c"]
    assert (tally, refused) == (
        Tally(done=2, refused=1),
        [Refused("b", "because document_parsing_exception")],
    )


@pytest.mark.parametrize("status", [400, 413])
def test_in_a_request_that_is_refused_whole_the_one_to_blame_is_found(write: Any, status: int) -> None:
    server = Server(then=lambda ids: says(status)(ids) if "e" in ids else takes(ids))
    tally, refused = write(server, "abcdefg")
    assert sorted(server.taken) == list("abcdfg")
    assert [one.id for one in refused] == ["e"]
    assert "not now" in refused[0].reason
    assert tally == Tally(done=6, refused=1)


def test_a_cluster_that_stays_away_is_given_up(write: Any) -> None:
    server = Server(then=says(503))
    with pytest.raises(WriteFailed, match=r"3 documents could not be written: .*not now"):
        write(server, "abc")
    assert 5 < len(server.requests) < 30


def test_a_cluster_that_takes_one_at_a_time_is_not_given_up(write: Any) -> None:
    names = [f"{number:03d}" for number in range(100)]

    def one(ids: list[str]) -> tuple[int, Any]:
        busy = [item("create", 429, "busy") for _ in ids[1:]]
        return 200, {"errors": True, "items": [item("create", 201), *busy]}

    server = Server(then=one)
    assert write(server, names)[0] == Tally(done=100)


@pytest.mark.parametrize(
    "answer", [says(401), says(403), items(a=(404, "index_not_found_exception")), items(a=(403, "x"))]
)
def test_a_cluster_that_refuses_us_is_not_asked_again(write: Any, answer: Answer) -> None:
    server = Server([answer])
    with pytest.raises(WriteFailed, match=r"40[134]"):
        write(server, "a")
    assert len(server.requests) == 1


def test_who_may_not_write_any_more_sends_nothing(write: Any) -> None:
    class LostError(Exception):
        pass

    def guard() -> None:
        if server.requests:
            raise LostError

    server = Server()
    with pytest.raises(LostError):
        write(server, "abcdef", chunk=40, guard=guard)
    assert len(server.requests) == 1


def test_no_more_is_read_than_can_be_sent() -> None:
    """The reader waits for the cluster, so that memory holds a few chunks and not a table."""
    go, read = threading.Event(), 0

    def slow(ids: list[str]) -> tuple[int, Any]:
        assert go.wait(60)
        return takes(ids)

    def source() -> Iterable[Operation]:
        nonlocal read
        for operation in operations(f"{n:03d}" for n in range(200)):
            read += 1
            yield operation

    writer = BulkWriter(Server(then=slow).client(), Pace(threads=2, chunk_bytes=1))
    thread = threading.Thread(target=lambda: writer.write("index", source()))
    thread.start()
    try:
        thread.join(0.5)
        assert read < 10
    finally:
        go.set()
        thread.join(60)
        writer.close()
    assert read == 200


@given(st.lists(st.integers(0, 50)), st.integers(1, 200))
def test_chunks_hold_everything_in_order_and_no_more_than_they_may(sizes: Sequence[int], most: int) -> None:
    all_of_them = [(str(number), b"x" * size) for number, size in enumerate(sizes)]
    found = list(chunks(all_of_them, most))
    assert [operation for chunk in found for operation in chunk] == all_of_them
    assert all(chunk and (len(chunk) == 1 or sum(len(b) for _, b in chunk) <= most) for chunk in found)
