"""A client that goes away while it is answered stops its queries."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from archive.incoming import Incoming
from store.limits import STOP, Stop, TimeLimit

if TYPE_CHECKING:
    from starlette.types import Message

BOUND = 30.0
"""Seconds after which something that has to happen is taken not to."""


def scripted(*messages: Message) -> tuple[asyncio.Queue[Message], Stop]:
    """Return what a client sends, and what its request is stopped by."""
    queue: asyncio.Queue[Message] = asyncio.Queue()
    for message in messages:
        queue.put_nowait(message)
    return queue, Stop()


WHOLE: Message = {"type": "http.request", "body": b"", "more_body": False}
GONE: Message = {"type": "http.disconnect"}


async def _until_said(stop: Stop) -> None:
    said = asyncio.Event()
    stop.add(said.set)
    await asyncio.wait_for(said.wait(), BOUND)


def test_a_route_that_receives_nothing_is_told_that_its_client_has_gone() -> None:
    async def run() -> list[Message]:
        queue, stop = scripted(WHOLE, GONE)
        incoming = Incoming(queue.get, stop, has_body=False)
        await _until_said(stop)
        seen = [await incoming(), await incoming()]
        incoming.close()
        return seen

    assert asyncio.run(run()) == [WHOLE, GONE]


@pytest.mark.parametrize("parts", [1, 3])
def test_a_body_arrives_whole_and_in_order_while_somebody_watches(parts: int) -> None:
    async def run() -> bytes:
        queue, stop = scripted()
        incoming = Incoming(queue.get, stop, has_body=True)
        got = b""
        for number in range(parts):
            await asyncio.sleep(0.4)
            queue.put_nowait(
                {"type": "http.request", "body": b"%d" % number, "more_body": number < parts - 1}
            )
            got += (await incoming())["body"]
        assert not stop.is_said
        queue.put_nowait(GONE)
        await _until_said(stop)
        incoming.close()
        return got

    assert asyncio.run(run()) == b"012"[:parts]


def test_queries_of_a_stopped_request_have_no_time_left() -> None:
    stop = Stop()
    token = STOP.set(stop)
    limit = TimeLimit(3600)
    STOP.reset(token)
    assert limit.left
    stop.say()
    assert limit.left == 0.0
    assert TimeLimit(3600).left
