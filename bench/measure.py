"""Times requests of several parties in turns, so that what is compared is measured in the same minutes.

The speed of a machine wanders; a quotient of two medians stays when the requests behind them alternate.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import orjson
import pyarrow as pa

Ask = Callable[[int], object]
"""Sends the request of that number; returns the answer."""

WARM_UP = 5
"""Rounds that do not count."""

LEAST_ROUNDS = 5
"""Rounds that count at least, however long they take."""

_MOST_FAILURES = 5


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds from sending a request to the last byte of its answer, and mean rows of an answer."""

    p50: float
    p95: float
    count: int
    rows: float | None = None


def timing(seconds: Sequence[float], rows: float | None = None) -> Timing:
    """Summarise durations."""
    ordered = sorted(seconds)
    late = ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]
    return Timing(round(statistics.median(ordered) * 1e3, 3), round(late * 1e3, 3), len(ordered), rows)


@dataclass(frozen=True)
class Line:
    """One question, and how each party is asked it."""

    name: str
    asks: Mapping[str, Ask]


@dataclass
class Measured:
    """What one party needed for one question."""

    line: str
    party: str
    timing: Timing | None
    failures: int = 0
    reason: str = ""


@dataclass
class _Turn:
    line: str
    party: str
    ask: Ask
    seconds: list[float] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    failures: int = 0
    reason: str = ""

    def take(self, number: int, *, counts: bool) -> None:
        began = time.perf_counter()
        try:
            answer = self.ask(number)
        except Exception as error:  # noqa: BLE001 - one party's failure is told, and the others go on
            self.failures += 1
            self.reason = self.reason or f"{type(error).__name__}: {error}"[:200]
            return
        lasted = time.perf_counter() - began
        if counts:
            self.seconds.append(lasted)
            found = rows_of(answer)
            if found is not None:
                self.rows.append(found)

    def measured(self) -> Measured:
        rows = round(statistics.fmean(self.rows), 1) if self.rows else None
        found = timing(self.seconds, rows) if self.seconds else None
        return Measured(self.line, self.party, found, self.failures, self.reason)


def alternate(lines: Iterable[Line], rounds: int, seconds: float) -> list[Measured]:
    """Ask every question of every party once a round, in a new order each time.

    Parameters
    ----------
    lines
        The questions.
    rounds
        Rounds that count.
    seconds
        No new round begins after this time, once enough for a median are done. A party that fails
        repeatedly is not asked that question again.
    """
    turns = [_Turn(line.name, party, ask) for line in lines for party, ask in line.asks.items()]
    order = list(turns)
    shuffle = random.Random(1).shuffle
    end = time.monotonic() + seconds
    for number in range(-WARM_UP, rounds):
        if number >= LEAST_ROUNDS and time.monotonic() > end:
            break
        shuffle(order)
        for turn in order:
            if turn.failures < _MOST_FAILURES:
                turn.take(number + WARM_UP, counts=number >= 0)
    return [turn.measured() for turn in turns]


def rows_of(answer: object) -> int | None:
    """Count the rows of an answer whose form shows them: a VOTable in tags, CSV, JSON, a list."""
    if isinstance(answer, list | pa.Table):
        return len(answer)
    if not isinstance(answer, bytes):
        return None
    if answer.startswith(b"<"):
        return answer.count(b"<TR>") + answer.count(b"<TR ") if b"<TABLEDATA" in answer else None
    if answer.startswith(b"{"):
        found = orjson.loads(answer).get("total")
        return found if isinstance(found, int) else None
    return max(answer.count(b"\n") - 1, 0)
