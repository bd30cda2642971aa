"""Which positions and identifiers the benchmark asks for; the same for every server with the same rows."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow.parquet as pq

from bench.expected import Position, Search

DRAWN = 100_000
"""First rows that positions are drawn from."""


class Sample:
    """Positions, dataset identifiers and instruments drawn from the first rows of a file."""

    def __init__(self, path: Path, seed: str = "1", limit: int = DRAWN) -> None:
        wanted = ["s_ra", "s_dec", "obs_publisher_did", "instrument_name"]
        batch = next(pq.ParquetFile(path).iter_batches(limit, columns=wanted))
        self._rows = list(zip(*(batch.column(name).to_pylist() for name in wanted), strict=True))
        self._seed = seed

    def positions(self, test: str, count: int, jitter: float = 0.05) -> list[Position]:
        """Draw positions near rows, degrees; each test has its own."""
        draw = random.Random(f"{self._seed}/{test}")
        shift = random.Random(f"{self._seed}/{test}/jitter")
        found = []
        for ra, dec, _, _ in [draw.choice(self._rows) for _ in range(count)]:
            near = max(-89.9, min(89.9, dec + shift.uniform(-jitter, jitter)))
            found.append((round((ra + shift.uniform(-jitter, jitter)) % 360, 6), round(near, 6)))
        return found

    def searches(self, count: int = 20) -> list[Search]:
        """Draw the searches whose answers are compared."""
        return [
            Search(f"{test}_{radius}deg", test, position, radius)
            for test in ("cone", "intersects")
            for radius in (0.1, 1)
            for position in self.positions(f"answers_{test}_{radius}", count)
        ]

    def instruments(self, count: int) -> list[str]:
        """Draw instruments."""
        draw = random.Random(f"{self._seed}/top")
        known = sorted({row[3] for row in self._rows})
        return [draw.choice(known) for _ in range(count)]

    def identifiers(self, test: str, count: int) -> list[str]:
        """Draw dataset identifiers."""
        draw = random.Random(f"{self._seed}/{test}")
        return [draw.choice(self._rows)[2] for _ in range(count)]
