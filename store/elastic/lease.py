"""Who keeps the index up to date: one process, for as long as it says so every few seconds.

The clocks of different machines are not compared: whoever waits takes the lease when it has seen no renewal
for a whole term by its own clock, and the holder stops writing well before that by its own. One that runs
where the holder did sees that its process is gone, and need not wait.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from elastic_transport import ApiError, TransportError
from elasticsearch import Elasticsearch

from store.elastic.client import EngineError, in_words
from store.elastic.names import Names
from store.elastic.state import Place, read_document, write_document

LOG = logging.getLogger(__name__)

_LEASE = "lease"
_SAFE = 0.75
"""Part of the term after which a holder that could not renew does not write any more."""
_RENEWALS = 4
"""Renewals in a term."""


class LeaseLost(EngineError):  # noqa: N818 - names the condition
    """Another process keeps the index up to date now."""


class Lease:
    """The right to write, held by one process at a time.

    ``term`` is in seconds. While it is held, a thread renews it.
    """

    def __init__(
        self,
        client: Elasticsearch,
        names: Names,
        *,
        term: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        # A renewal that fails is tried again soon, and tells so meanwhile.
        self._client = client.options(
            request_timeout=max(1.0, term / _RENEWALS), max_retries=len(client.transport.node_pool.all())
        )
        self._index = names.state
        self._term = term
        self._clock = clock
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._count = 0
        self._place: Place | None = None
        self._renewed = 0.0
        self._seen: tuple[Place, float] | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def held(self) -> bool:
        """Whether this process may write."""
        return self._place is not None and self._clock() - self._renewed < _SAFE * self._term

    def require(self) -> None:
        """Go on only while the lease is held.

        Raises
        ------
        LeaseLost
            When it is not.
        """
        if not self.held:
            raise LeaseLost("another process keeps the index up to date now")

    def acquire(self) -> bool:
        """Take the lease if nobody holds it; tell whether it is ours."""
        if self.held:
            return True
        self._halt()
        found = read_document(self._client, self._index, _LEASE)
        if found is None:
            return self._take(None)
        document, *place = found
        here = (place[0], place[1])
        if document["holder"] in ("", self._holder):
            return self._take(here)
        if self._seen is None or self._seen[0] != here:
            self._seen = (here, self._clock())
        if self._clock() - self._seen[1] < self._term and not _is_gone(document):
            return False
        LOG.warning("%s has not renewed its lease; taking it over", document["holder"])
        return self._take(here)

    def release(self) -> None:
        """Let another process have it at once."""
        self._halt()
        if self._place is not None:
            try:
                self._write("", self._place)
            except (ApiError, TransportError) as error:
                LOG.info("the lease runs out by itself: %s", in_words(error))
            self._place = None

    def _take(self, over: Place | None) -> bool:
        started = self._clock()
        self._place = self._write(self._holder, over)
        if self._place is None:
            return False
        self._renewed, self._seen = started, None
        self._stop.clear()
        self._thread = threading.Thread(target=self._renew_often, name="lease", daemon=True)
        self._thread.start()
        return True

    def _write(self, holder: str, over: Place | None) -> Place | None:
        self._count += 1
        document = {
            "holder": holder,
            "count": self._count,
            "by": self._holder,
            "process": os.getpid(),
            "where": _where(),
        }
        return write_document(self._client, self._index, _LEASE, document, over)

    def _renew_often(self) -> None:
        pause = self._term / _RENEWALS
        while not self._stop.wait(pause):
            started = self._clock()
            try:
                place = self._write(self._holder, self._place)
            except (ApiError, TransportError) as error:
                LOG.warning("the lease could not be renewed: %s", in_words(error))
                pause = self._term / _RENEWALS / 4
                continue
            if place is None and not self._is_ours():
                self._place = None
                return
            if place is not None:
                self._place, self._renewed, pause = place, started, self._term / _RENEWALS

    def _is_ours(self) -> bool:
        """Whether the lease names us after all, by a renewal whose answer never came."""
        try:
            found = read_document(self._client, self._index, _LEASE)
        except (ApiError, TransportError):
            return True
        if found is None or found[0]["holder"] != self._holder:
            return False
        self._place = (found[1], found[2])
        return True

    def _halt(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None


@cache
def _where() -> str:
    """Return what is the same where numbers of processes mean the same, until the machine starts again."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        # Nobody else is there.
        return uuid.uuid4().hex


def _is_gone(document: Mapping[str, Any]) -> bool:
    """Whether the process that wrote a lease ran where this one does, and does not any more."""
    if document.get("where") != _where():
        return False
    try:
        os.kill(document["process"], 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
