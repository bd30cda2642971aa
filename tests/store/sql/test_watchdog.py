"""Deadlines interrupt what runs too long, and what ended costs nothing more."""

import time
import weakref
from collections.abc import Callable

import duckdb

from store.sql.watchdog import Watchdog


def _within(seconds: float, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.01)


def test_a_deadline_that_passes_interrupts_its_connection() -> None:
    watchdog, connection = Watchdog(), duckdb.connect()
    deadline = watchdog.watch(connection, 0.05)
    _within(30, lambda: deadline.passed)
    deadline.cancel()


def test_a_query_without_a_limit_is_left_alone() -> None:
    deadline = Watchdog().watch(duckdb.connect(), None)
    assert not deadline.passed


def test_a_cancelled_deadline_never_passes() -> None:
    watchdog, connection = Watchdog(), duckdb.connect()
    first = watchdog.watch(connection, 0.05)
    first.cancel()
    later = watchdog.watch(connection, 0.1)
    _within(30, lambda: later.passed)
    later.cancel()
    assert not first.passed


def test_all_queries_that_ended_are_forgotten_at_the_next_deadline() -> None:
    watchdog, connection = Watchdog(), duckdb.connect()
    ended = []
    for _ in range(50):
        deadline = watchdog.watch(connection, 3600)
        deadline.cancel()
        ended.append(weakref.ref(deadline))
    del deadline
    due = watchdog.watch(connection, 0.05)
    _within(30, lambda: due.passed)
    due.cancel()
    _within(30, lambda: not any(reference() for reference in ended))
