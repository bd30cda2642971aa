"""Deadlines of running queries."""

from __future__ import annotations

import heapq
import threading
import time

import duckdb

from store.limits import Stop

_AGAIN = 0.1
"""Seconds after which a query that is still there is interrupted again: the engine forgets an interruption
that comes before it runs, while it reads or plans a statement."""


class Watchdog:
    """Interrupts queries at their deadlines, with one thread for all of them."""

    def __init__(self) -> None:
        self._wake = threading.Condition()
        self._deadlines: list[tuple[float, int, Deadline]] = []
        self._thread: threading.Thread | None = None

    def watch(
        self, connection: duckdb.DuckDBPyConnection, seconds: float | None, stop: Stop | None = None
    ) -> Deadline:
        """Interrupt the connection after so many seconds, or when told to stop, unless cancelled before."""
        deadline = Deadline(connection)
        if seconds is not None:
            self._add(time.monotonic() + seconds, deadline)
        if stop is not None:
            stop.add(lambda: self._add(time.monotonic(), deadline))
        return deadline

    def _add(self, when: float, deadline: Deadline) -> None:
        with self._wake:
            heapq.heappush(self._deadlines, (when, id(deadline), deadline))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="query-watchdog", daemon=True)
                self._thread.start()
            if self._deadlines[0][2] is deadline:
                self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                # One wake-up clears all that ended meanwhile; a wake-up for each would slow down what runs.
                while self._deadlines and self._deadlines[0][2].cancelled:
                    heapq.heappop(self._deadlines)
                if not self._deadlines:
                    self._wake.wait()
                    continue
                pause = self._deadlines[0][0] - time.monotonic()
                if pause > 0:
                    self._wake.wait(pause)
                    continue
                _, _, deadline = heapq.heappop(self._deadlines)
            if deadline.fire():
                self._add(time.monotonic() + _AGAIN, deadline)


class Deadline:
    """One query's deadline."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection: duckdb.DuckDBPyConnection | None = connection
        self._lock = threading.Lock()
        self.passed = False

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._connection is None

    def fire(self) -> bool:
        """Interrupt the query, if it still runs; tell whether it did."""
        with self._lock:
            if self._connection is None:
                return False
            self.passed = True
            self._connection.interrupt()
            return True

    def cancel(self) -> None:
        """Leave the query alone from now on."""
        with self._lock:
            self._connection = None
