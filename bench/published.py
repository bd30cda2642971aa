"""How a peer answered the same questions of the same rows on another day.

DaCHS 2.7 on PostgreSQL 15 with q3c and pgSphere (4 GB of shared buffers, analysed, no JIT), 1,000,000 rows,
two cores and 24 GiB, asked as ``bench.lines`` asks. Times of two days differ by what the machine did
meanwhile; a server that runs now is asked by ``--peer``.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from bench.crowd import Rate
from bench.measure import Measured
from bench.report import aligned

ROWS = 1_000_000
"""Rows that the peer had."""

NAME = "DaCHS 2.7"


def published() -> dict[str, tuple[float | None, float | None]]:
    """Return the median in ms and the requests per second by line; what was not measured is None."""
    with Path(__file__).with_name("dachs.csv").open(encoding="utf-8", newline="") as file:
        return {
            row["line"]: (_number(row["median_ms"]), _number(row["requests_per_second"]))
            for row in csv.DictReader(file)
        }


def factors(measured: Sequence[Measured], rates: Sequence[Rate]) -> dict[tuple[str, str], float]:
    """Return how many times faster each party answers each line than the peer did."""
    known = published()
    found: dict[tuple[str, str], float] = {}
    for each in measured:
        theirs, _ = known.get(each.line, (None, None))
        if theirs is not None and each.timing is not None:
            found[each.line, each.party] = theirs / each.timing.p50
    for rate in rates:
        line = f"{rate.clients} clients: {rate.line}"
        _, theirs = known.get(line, (None, None))
        if theirs is not None:
            found[line, rate.party] = rate.per_second / theirs
    return found


def table(measured: Sequence[Measured], rates: Sequence[Rate], parties: Sequence[str]) -> list[str]:
    """Return a line of text for each question: what the peer did, and how many times faster each party is."""
    found = factors(measured, rates)
    rows = [["", NAME, *parties]]
    for line, (median, rate) in published().items():
        theirs = f"{median:g} ms" if rate is None else f"{rate:g} /s"
        ours = [found.get((line, party)) for party in parties]
        rows.append([line, theirs, *("" if factor is None else f"{factor:.1f}x" for factor in ours)])
    return aligned(rows)


def _number(text: str) -> float | None:
    return float(text) if text else None
