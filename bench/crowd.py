"""How many requests per second several clients get answered, each over a connection of its own.

Little beyond the standard library is imported here: each client is a process, and starts with this module.
"""

from __future__ import annotations

import http.client
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context

from bench.refusal import error_of

SLICE = 3.0
"""Seconds for which one party is asked before it is another's turn."""

_HEADERS = {"Accept-Encoding": "identity"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Target:
    """A server, and the requests that it is sent: method, path, and body as a form."""

    host: str
    port: int
    requests: tuple[tuple[str, str, bytes | None], ...]


@dataclass
class Rate:
    """What a crowd got: requests answered per second, and how long each took, milliseconds."""

    line: str
    party: str
    clients: int
    seconds: float = 0.0
    failures: int = 0
    lasted: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Requests answered per second."""
        return round(len(self.lasted) / self.seconds, 1) if self.seconds else 0.0

    @property
    def p50(self) -> float:
        """Median of what a request took, milliseconds."""
        return round(statistics.median(self.lasted) * 1e3, 2) if self.lasted else 0.0


def hammer(target: Target, first: int, step: int, start: float, seconds: float) -> tuple[list[float], int]:
    """Send requests one after the other for some seconds; how long each took, and how many failed."""
    found: list[float] = []
    failures, number = 0, first
    connection = http.client.HTTPConnection(target.host, target.port, timeout=60)
    time.sleep(max(0.0, start - time.time()))
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        method, path, form = target.requests[number % len(target.requests)]
        number += step
        began = time.perf_counter()
        try:
            connection.request(method, path, form, _HEADERS | (_FORM if form else {}))
            answer = connection.getresponse()
            error = error_of(answer.read())
        except (OSError, http.client.HTTPException):
            failures += 1
            connection.close()
            time.sleep(0.05)
            continue
        now = time.perf_counter()
        if answer.status != http.HTTPStatus.OK or error is not None:
            failures += 1
        elif now <= end:
            found.append(now - began)
    connection.close()
    return found, failures


@contextmanager
def crowd(clients: int) -> Iterator[Crowd]:
    """Give a crowd of clients for as long as the context lasts."""
    with ProcessPoolExecutor(clients, mp_context=get_context("spawn")) as pool:
        yield Crowd(pool, clients)


class Crowd:
    """Clients that ask at the same time."""

    def __init__(self, pool: ProcessPoolExecutor, clients: int) -> None:
        self._pool = pool
        self._clients = clients

    def measure(self, lines: Mapping[str, Mapping[str, Target]], slices: int) -> list[Rate]:
        """Ask each party in turns of some seconds, and each so often."""
        rates = {
            (line, party): Rate(line, party, self._clients)
            for line, targets in lines.items()
            for party in targets
        }
        for turn in range(slices):
            for (line, party), rate in rates.items():
                self._turn(lines[line][party], rate, turn)
        return list(rates.values())

    def _turn(self, target: Target, rate: Rate, turn: int) -> None:
        start = time.time() + 0.3
        shift = turn * 1009
        waiting = [
            self._pool.submit(hammer, target, shift + number, self._clients, start, SLICE)
            for number in range(self._clients)
        ]
        parts: Sequence[tuple[list[float], int]] = [each.result() for each in waiting]
        rate.seconds += SLICE
        for lasted, failures in parts:
            rate.lasted += lasted
            rate.failures += failures
