"""Whether the cluster is worth asking now: who waits for one that is away waits once, not each time."""

from __future__ import annotations

import time
from collections.abc import Callable

from elastic_transport import ApiError, TransportError

from store.elastic.client import EngineError, in_words, is_passing

SEARCH_SECONDS = 8.0
"""Time for one search; what takes longer is read from the lake."""

_REST = 5.0
"""How long nothing is asked after a search was not answered, seconds."""


class Reach:
    """What the searches of a process, and its looks at the state, found out about the cluster."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._away: str | None = None
        self._rest: tuple[float, str] = (float("-inf"), "")

    @property
    def trouble(self) -> str | None:
        """Why the lake is to be read instead; None when the cluster is to be asked."""
        if self._away is not None:
            return self._away
        until, reason = self._rest
        return reason if self._clock() < until else None

    @property
    def away(self) -> str | None:
        """Why the state could not be read when it was looked for last."""
        return self._away

    def looked(self, reason: str | None) -> None:
        """Hear why the state could not be read, or None when it was."""
        self._away = reason

    def failed(self, error: ApiError | TransportError | EngineError, seconds: float | None) -> None:
        """Hear that a search failed that had some seconds; one that was given few says nothing."""
        given = seconds is None or seconds >= SEARCH_SECONDS
        if given and not isinstance(error, EngineError) and is_passing(error):
            self._rest = (self._clock() + _REST, in_words(error))
