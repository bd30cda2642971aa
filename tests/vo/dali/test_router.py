"""Long answers stream, short ones are whole, and no query outlives its client."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from fastapi import FastAPI, Request, Response

from vo.dali.router import respond
from vo.reply import Body, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE = bytes(300_000)


class _Answer:
    """A document of so many pieces that knows how much was asked for and whether it was closed."""

    def __init__(self, pieces: int, *, fails: bool = False) -> None:
        self.asked = 0
        self.closed = False
        self._count = pieces
        self._fails = fails

    def reply(self) -> Reply:
        resources = ExitStack()
        resources.callback(self._close)
        return Reply(Body(self._pieces(), resources), "text/plain")

    def _pieces(self) -> Iterator[bytes]:
        for _ in range(self._count):
            self.asked += 1
            yield _PIECE
        if self._fails:
            raise RuntimeError("the disk is full")

    def _close(self) -> None:
        self.closed = True


def _app(ports: Any, answer: _Answer) -> FastAPI:
    app = FastAPI()

    @app.get("/")
    async def show(request: Request) -> Response:
        return await respond(request, ports, lambda _: answer.reply())

    return app


async def _exchange(app: FastAPI, *, leave_after: int | None = None) -> list[dict[str, Any]]:
    """Send a request as a server would; the client leaves after so many messages."""
    sent: list[dict[str, Any]] = []
    gone = anyio.Event()

    async def receive() -> dict[str, Any]:
        if not hasattr(receive, "asked"):
            receive.asked = True  # type: ignore[attr-defined]
            return {"type": "http.request", "body": b"", "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        if leave_after is not None and len(sent) >= leave_after:
            gone.set()
            await anyio.sleep(0.05)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "path": "/",
        "raw_path": b"/",
        "root_path": "",
        "scheme": "http",
        "query_string": b"",
        "headers": [],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await app(scope, receive, send)
    return sent


def _bodies(sent: list[dict[str, Any]]) -> list[bytes]:
    return [message.get("body", b"") for message in sent if message["type"] == "http.response.body"]


def test_a_short_answer_is_sent_whole_with_its_length(ports: Any) -> None:
    answer = _Answer(2)
    sent = anyio.run(_exchange, _app(ports, answer))
    assert (b"content-length", b"600000") in sent[0]["headers"]
    assert [len(body) for body in _bodies(sent)] == [600_000]
    assert answer.closed


def test_a_long_answer_is_sent_in_pieces(ports: Any) -> None:
    answer = _Answer(20)
    bodies = _bodies(anyio.run(_exchange, _app(ports, answer)))
    assert sum(map(len, bodies)) == 20 * len(_PIECE)
    assert max(map(len, bodies)) < 5 * len(_PIECE)
    assert answer.closed


def test_the_query_stops_when_the_client_leaves(ports: Any) -> None:
    answer = _Answer(10_000)

    async def leave() -> None:
        await _exchange(_app(ports, answer), leave_after=3)

    anyio.run(leave)
    assert answer.closed
    assert answer.asked < 100


def test_a_failure_breaks_a_long_answer(ports: Any) -> None:
    answer = _Answer(20, fails=True)
    with pytest.raises(RuntimeError, match="the disk is full"):
        anyio.run(_exchange, _app(ports, answer))
    assert answer.closed


def test_a_failure_before_anything_is_sent_is_an_error_document(ports: Any) -> None:
    answer = _Answer(1, fails=True)
    sent = anyio.run(_exchange, _app(ports, answer))
    assert sent[0]["status"] == 500
    assert b"QUERY_STATUS" in _bodies(sent)[0]
    assert answer.closed


def test_a_form_that_cannot_be_read_is_refused(client: Any) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"}
    reply = client.post("/tap/sync", content=b"--y nonsense", headers=headers)
    assert reply.status_code == 400
    assert b"UsageFault" in reply.content


@pytest.mark.parametrize("kind", ["application/json", "text/xml", None])
def test_a_body_that_is_no_form_is_refused_by_its_kind(client: Any, kind: str | None) -> None:
    headers = {} if kind is None else {"content-type": kind}
    reply = client.post("/tap/sync", content=b"QUERY=SELECT", headers=headers)
    assert reply.status_code == 400
    assert f"not as {repr(kind) if kind else 'a body without Content-Type'}" in reply.text


def test_a_post_without_a_body_has_the_parameters_of_its_url(client: Any) -> None:
    reply = client.post("/tap/sync", params={"QUERY": "SELECT id FROM demo.Stars", "MAXREC": "0"})
    assert reply.status_code == 200


def test_a_request_that_is_too_large_is_refused(client: Any) -> None:
    for path, bytes_sent, words in (
        ("/sia2/query", 9 * 2**20, b"larger than 8388608 bytes"),
        ("/tap/sync", 9 * 2**20, b"exceeded maximum size"),
        ("/tap/sync", 101 * 10**6, b"larger than 100000000 bytes"),
    ):
        sent = (
            {"files": {"f": b"x" * bytes_sent}} if b"larger" in words else {"data": {"f": "x" * bytes_sent}}
        )
        reply = client.post(path, **sent)
        assert reply.status_code == 400
        assert words in reply.content
