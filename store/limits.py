"""How long answering one query may take, from its start."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar

import numpy as np
from numpy.typing import NDArray

from store.port import QueryTimeout

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

FIRST_CHUNK = 256
"""Rows tested before the first look at the clock."""

LONGEST_STEP = 0.05
"""Seconds that a chunk of tests may take before the next ones are made smaller."""


class Stop:
    """The word that nobody waits for an answer any more; what has to be done then is added while it runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._actions: list[Callable[[], None]] = []
        self.is_said = False

    def say(self) -> None:
        """End what runs; harmless when said before."""
        with self._lock:
            self.is_said = True
            actions, self._actions = self._actions, []
        for action in actions:
            action()

    def add(self, action: Callable[[], None]) -> None:
        """Have something done when the word is said, at once if it was."""
        with self._lock:
            if not self.is_said:
                self._actions.append(action)
                return
        action()


STOP: ContextVar[Stop | None] = ContextVar("STOP", default=None)
"""What ends the queries that are begun in this context."""


class TimeLimit:
    """The moment by which a query must be answered, so many seconds from now; None: it may take forever.

    It comes at once when the ``STOP`` of the context is said.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._seconds = seconds
        self._end = None if seconds is None else time.monotonic() + seconds
        self.stop = STOP.get()

    @property
    def left(self) -> float | None:
        """Seconds that are left, 0 when there are none, None when there is no limit."""
        if self.stop is not None and self.stop.is_said:
            return 0.0
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    def check(self) -> None:
        """Go on only if there is time.

        Raises
        ------
        QueryTimeout
            When there is none left.
        """
        if self.left == 0.0:
            raise self.passed()

    def passed(self) -> QueryTimeout:
        """Return what is said of a query that was not answered in time."""
        # Whoever gives an engine what is left of a minute has allowed a minute.
        seconds = self._seconds or 0.0
        allowed = f" ({math.ceil(seconds) if seconds > 1 else seconds:g} s)" if seconds else ""
        return QueryTimeout(
            f"the query ran longer than allowed{allowed}; narrow it, such as by a region or an identifier, "
            "or ask for parts of it one after the other"
        )

    def tested(self, test: Callable[[IntArray], BoolArray], rows: IntArray) -> BoolArray:
        """Test rows chunk by chunk, as many at once as take a moment, and look at the clock between."""
        holds = np.zeros(len(rows), np.bool_)
        first, size = 0, FIRST_CHUNK
        while first < len(rows):
            self.check()
            began = time.monotonic()
            holds[first : first + size] = test(rows[first : first + size])
            first += size
            took = time.monotonic() - began
            size = max(1, size // 2 if took > LONGEST_STEP else size * 4)
        return holds
