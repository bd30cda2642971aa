"""Archives of several sizes that serve at the same time: the first so many rows of one file."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bench import rows
from bench.archive import ENGINES, Archive, copied, size_of
from bench.bare import BareElastic
from bench.client import TABLE, Client
from bench.expected import BruteForce, Digest, Nearest, Position, Search
from bench.lines import Parties, Questions
from bench.measure import Line
from bench.promises import BARE
from bench.report import Report
from bench.sample import DRAWN, Sample
from store.elastic import Cluster

EMBEDDED, ELASTICSEARCH = ENGINES
HITS = 100
"""Rows of the answers whose number does not grow."""

SAME_SCS, SAME_TAP = f"SCS, {HITS} rows", f"TAP cone, {HITS} rows"
_TESTED = ["obs_publisher_did", "s_ra", "s_dec", "s_region"]
_STEP = 10_000


@dataclass
class Size:
    """What is known of the first so many rows, and what serves them."""

    rows: int
    searches: Sequence[Search]
    expected: dict[str, Digest]
    circles: list[tuple[Position, float]]
    archives: dict[str, Archive] = field(default_factory=dict)
    bare: BareElastic | None = None

    @property
    def name(self) -> str:
        """The number of rows as people write it."""
        return named(self.rows)


def named(number: int) -> str:
    """Write a number of rows: 10 k, 1 M."""
    for unit, suffix in ((1_000_000, " M"), (1000, " k")):
        if number >= unit:
            return f"{number / unit:g}{suffix}"
    return str(number)


def prefixes(path: Path, sizes: Sequence[int]) -> tuple[list[Size], BruteForce]:
    """Compute, for the first rows of a file, what searches find and which circles hold ``HITS`` rows.

    The brute force is returned too, to go on with.
    """
    sample = Sample(path, limit=min(sizes[0], DRAWN))
    places = sample.positions("growth", 40)
    truth, nearest = BruteForce(sample.searches()), Nearest(places, HITS)
    found: list[Size] = []
    seen = 0
    for batch in pq.ParquetFile(path).iter_batches(_STEP, columns=_TESTED):
        table = pa.Table.from_batches([batch])
        while table.num_rows:
            part = table.slice(0, sizes[len(found)] - seen)
            truth.add(part)
            nearest.add(part)
            seen += part.num_rows
            table = table.slice(part.num_rows)
            if seen == sizes[len(found)]:
                circles = list(zip(places, nearest.radii(), strict=True))
                found.append(Size(seen, truth.searches, truth.digests(), circles))
    return found, truth


@dataclass
class Sizes:
    """Where archives of all sizes are opened."""

    report: Report
    folder: Path
    engines: Sequence[str]
    stack: ExitStack
    cluster: Cluster | None = None

    def serve(self, size: Size) -> bool:
        """Load so many rows, and serve them with each engine; whether that came about."""
        try:
            lake = self._load(size)
            for engine in self.engines:
                self._serve(size, engine, copied(lake, self.folder / f"{engine}-{size.rows}", index=False))
        except Exception as error:  # noqa: BLE001 - a size that fails is told, and the others are measured
            self.report.note(
                f"failed {size.rows}", str(error), f"{size.name}: {type(error).__name__}: {error}"
            )
            return False
        shutil.rmtree(lake)
        return True

    def _load(self, size: Size) -> Path:
        lake = self.folder / f"lake-{size.rows}"
        path = self.folder / f"rows-{size.rows}.parquet"
        rows.write(path, size.rows)
        began = time.perf_counter()
        Archive(lake).run("load", str(path), "--table", TABLE, "--no-wait")
        lasted = time.perf_counter() - began
        path.unlink()
        size_of_lake = size_of(lake / "lake")
        self.report.note(
            f"lake {size.rows}",
            {"seconds": round(lasted, 1), "bytes": size_of_lake},
            f"{size.name}: loaded into the lake in {lasted:.1f} s, {size_of_lake / 1e6:.0f} MB",
        )
        return lake

    def _serve(self, size: Size, engine: str, data: Path) -> None:
        own = None
        if engine == ELASTICSEARCH and self.cluster is not None:
            own = replace(self.cluster, prefix=f"{self.cluster.prefix}_{size.rows}")
        # All sizes serve at the same time: they do not look for new data five times per second.
        archive = Archive(data, own, poll=5.0)
        self.stack.callback(archive.close)
        began = time.perf_counter()
        archive.start()
        lasted = time.perf_counter() - began
        fact: dict[str, Any] = {"index_seconds": round(lasted, 1)}
        if own is None:
            fact["index_bytes"] = size_of(data / "index")
        else:
            size.bare = BareElastic.of(own)
            self.stack.callback(size.bare.close)
            size.bare.settle()
            fact |= {"index_bytes": size.bare.size(), "shards": size.bare.shards()}
        fact["agree"] = Client(archive.base).digests(size.searches) == size.expected
        size.archives[engine] = archive
        self.report.note(
            f"{engine} {size.rows}",
            fact,
            f"{size.name}, {engine}: ready after {lasted:.1f} s, index {fact['index_bytes'] / 1e6:.0f} MB, "
            f"answers {'agree' if fact['agree'] else 'DIFFER'}",
        )


def questions_to(size: Size, sample: Sample, count: int) -> Questions:
    """Return the questions to the archives of a size, which are told apart by its name."""
    servers = {f"{engine} {size.name}": Client(each.base) for engine, each in size.archives.items()}
    engines = {} if size.bare is None else {f"{BARE} {size.name}": size.bare}
    return Questions(sample, Parties(servers, engines=engines), count)


def same_number(questions: Questions, size: Size) -> list[Line]:
    """Return the questions that ``HITS`` rows answer."""
    return [questions.cones(SAME_SCS, size.circles), questions.tap_circles(SAME_TAP, size.circles)]


def promise_growth(report: Report, title: str, serving: Sequence[Size]) -> None:
    """Compare what each size needs for the same number of rows with the size before."""
    for smaller, larger in pairwise(serving):
        for line in (SAME_SCS, SAME_TAP):
            for engine in larger.archives:
                few = report.found(title, line, f"{engine} {smaller.name}")
                many = report.found(title, line, f"{engine} {larger.name}")
                if few and many:
                    name = f"{line}, {engine}, {larger.name} beside {smaller.name}"
                    report.promise(name, round(many.p50 / few.p50, 2), 1.5, "x")
