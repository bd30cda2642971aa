"""What comes from the client of a request, and the word that it has gone."""

from __future__ import annotations

import asyncio

from starlette.types import Message, Receive

from store.limits import Stop

PATIENCE = 0.3
"""Seconds that a request may take before somebody looks whether its client is still there."""


class Incoming:
    """Hands on what is received; a client that goes away while it is answered stops its queries.

    Routes that run a query in a thread receive nothing meanwhile, so a watcher does.
    """

    def __init__(self, receive: Receive, stop: Stop, *, has_body: bool) -> None:
        self._receive = receive
        self._stop = stop
        self._held: list[Message] = []
        self._is_whole = False
        self._has_body = has_body
        self._lock = asyncio.Lock()
        self._watcher: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(PATIENCE, self._begin)

    async def __call__(self) -> Message:
        """Return the next message, as ASGI has it."""
        if self._held:
            return self._held.pop(0)
        async with self._lock:
            if self._held:
                return self._held.pop(0)
            message = await self._receive()
            self._note(message)
            return message

    def close(self) -> None:
        """End the watch: the request was answered."""
        self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()

    def _begin(self) -> None:
        self._watcher = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while not self._stop.is_said:
            if self._lock.locked() or (self._has_body and not self._is_whole):
                # The route receives by itself.
                await asyncio.sleep(PATIENCE)
                continue
            async with self._lock:
                message = await self._receive()
                self._note(message)
                self._held.append(message)

    def _note(self, message: Message) -> None:
        if message["type"] == "http.disconnect":
            self._stop.say()
        elif message.get("more_body"):
            # Held messages must not grow: the rest is left to the route, whatever the method.
            self._has_body = True
        else:
            self._is_whole = True
