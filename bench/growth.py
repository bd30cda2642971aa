"""How answers slow down as an archive grows: ``python -m bench.growth --sizes 10000,100000``.

Archives of all sizes serve at the same time and take turns, so that their times can be compared. What was
found is kept when a size fails.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bench import cluster, rows
from bench.archive import ENGINES, Archive, copied, size_of
from bench.bare import BareElastic
from bench.client import TABLE, Client
from bench.expected import BruteForce, Digest, Nearest, Position, Search
from bench.lines import Parties, Questions, merged
from bench.measure import Line, Measured, alternate
from bench.promises import BARE
from bench.report import Report
from bench.run import bare_engine, chosen_engines, end_on_sigterm
from bench.sample import Sample
from store.elastic import Cluster

EMBEDDED, ELASTICSEARCH = ENGINES
HITS = 100
"""Rows of the answers whose number does not grow."""

SAME_SCS, SAME_TAP = f"SCS, {HITS} rows", f"TAP cone, {HITS} rows"
TITLE, MANY = "Growth", "Growth, many rows"
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


def main() -> int:
    """Run it; 1 when an answer differs or a size failed."""
    words = _words()
    end_on_sigterm()
    report = Report(words.json)
    with (
        tempfile.TemporaryDirectory(
            prefix="onedfs-growth-", dir=words.folder, ignore_cleanup_errors=True
        ) as name,
        ExitStack() as stack,
    ):
        folder, sizes = Path(name), sorted(words.sizes)
        path = folder / "rows.parquet"
        began = time.perf_counter()
        rows.write(path, sizes[-1])
        known = prefixes(path, sizes)
        report.note("sizes", sizes, f"{sizes[-1]} rows made in {time.perf_counter() - began:.0f} s")
        growth = _Growth(report, folder, chosen_engines(words.engine, report), stack)
        if ELASTICSEARCH in growth.engines:
            growth.cluster, what = stack.enter_context(cluster.running(folder, sum(sizes), words.heap))
            report.note("cluster", what, f"Elasticsearch: {what}")
        serving = [size for size in known if growth.serve(size)]
        quick, dumps = _lines(serving, path, words.requests)
        report.time(TITLE, alternate(quick, words.requests, words.seconds))
        report.time(MANY, alternate(dumps, 3, words.seconds / 4))
        _tell(report, serving, growth.engines)
        if words.markdown:
            write_between(words.markdown, markdown(report, serving, growth.engines))
        agree = all(fact.get("agree", True) for fact in report.facts.values() if isinstance(fact, dict))
        return 0 if agree and len(serving) == len(known) else 1


def _words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench.growth", description="The same questions of growing archives."
    )
    parser.add_argument(
        "--sizes",
        type=lambda text: [int(part) for part in text.split(",")],
        default=[10_000, 100_000, 1_000_000],
        help="numbers of rows, separated by commas",
    )
    parser.add_argument("--engine", choices=(*ENGINES, "both"), help="both when Elasticsearch can be had")
    parser.add_argument("--requests", type=int, default=60, help="rounds of questions")
    parser.add_argument("--seconds", type=float, default=240, help="no round begins later")
    parser.add_argument("--heap", help="heap of the Elasticsearch node, such as 2g")
    parser.add_argument("--folder", type=Path, help="where to put the data; several GB per million rows")
    parser.add_argument("--json", type=Path, help="file for the results")
    parser.add_argument("--markdown", type=Path, help="page whose tables are written anew")
    return parser.parse_args()


def prefixes(path: Path, sizes: Sequence[int]) -> list[Size]:
    """Compute, for the first rows of a file, what searches find and which circles hold ``HITS`` rows."""
    sample = Sample(path, limit=sizes[0])
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
    return found


@dataclass
class _Growth:
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
            size.bare = bare_engine(own)
            self.stack.callback(size.bare.close)
            fact |= {"index_bytes": size.bare.size(), "shards": size.bare.shards()}
        fact["agree"] = Client(archive.base).digests(size.searches) == size.expected
        size.archives[engine] = archive
        self.report.note(
            f"{engine} {size.rows}",
            fact,
            f"{size.name}, {engine}: ready after {lasted:.1f} s, index {fact['index_bytes'] / 1e6:.0f} MB, "
            f"answers {'agree' if fact['agree'] else 'DIFFER'}",
        )


def _lines(serving: Sequence[Size], path: Path, count: int) -> tuple[list[Line], list[Line]]:
    """Return the questions to all sizes, the quick ones and the others.

    Those for one number of rows have other circles for each size.
    """
    quick: list[Line] = []
    dumps: list[Line] = []
    sample = Sample(path, limit=min(size.rows for size in serving))
    for size in serving:
        servers = {f"{engine} {size.name}": Client(each.base) for engine, each in size.archives.items()}
        engines = {} if size.bare is None else {f"{BARE} {size.name}": size.bare}
        questions = Questions(sample, Parties(servers, engines=engines), count)
        quick += [
            questions.nothing(),
            questions.cones(SAME_SCS, size.circles),
            questions.tap_circles(SAME_TAP, size.circles),
            questions.scs(0.1),
            questions.tap_intersects(0.1),
            questions.by_identifier(),
            questions.newest(),
            questions.counted(),
            questions.grouped(),
            questions.facet(),
        ]
        dumps += questions.dumps()
    return merged(quick), merged(dumps)


def _tell(report: Report, serving: Sequence[Size], engines: Sequence[str]) -> None:
    """Compare each size with the one before, and keep what serving took of memory."""
    for size in serving:
        for engine, archive in size.archives.items():
            report.facts[f"{engine} {size.rows}"]["serving_memory"] = archive.memory()
    for smaller, larger in pairwise(serving):
        for line in (SAME_SCS, SAME_TAP):
            for engine in engines:
                few = report.found(TITLE, line, f"{engine} {smaller.name}")
                many = report.found(TITLE, line, f"{engine} {larger.name}")
                if few and many:
                    name = f"{line}, {engine}, {larger.name} beside {smaller.name}"
                    report.promise(name, round(many.p50 / few.p50, 2), 1.5, "x")


BEGIN, END = "<!-- tables of bench.growth -->", "<!-- end of the tables -->"
"""What the tables stand between on a page."""


def write_between(page: Path, tables: str) -> None:
    """Write the tables into a page, in place of those that it has; else at its end."""
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    if BEGIN not in text:
        text = f"{text}{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n\n{tables}\n{END}{after}", encoding="utf-8")


def markdown(report: Report, serving: Sequence[Size], engines: Sequence[str]) -> str:
    """Write the tables: times of each engine by size, then what each size takes."""
    parts = [_times(report, party, serving) for party in (*engines, *([BARE] if len(engines) > 1 else []))]
    return "\n".join([*parts, _costs(report, serving, engines)])


def _times(report: Report, party: str, serving: Sequence[Size]) -> str:
    rows: dict[str, dict[str, Measured]] = {}
    for each in (*report.timings[TITLE], *report.timings[MANY]):
        rows.setdefault(each.line, {})[each.party] = each
    body = []
    for line, found in rows.items():
        cells = [_cell(found.get(f"{party} {size.name}")) for size in serving]
        if any(cells):
            body.append([line, *cells])
    return _table([f"{party}, ms", *(size.name for size in serving)], body)


def _cell(each: Measured | None) -> str:
    if each is None or each.timing is None:
        return ""
    rows = f" ({each.timing.rows:.0f})" if each.timing.rows is not None else ""
    return f"{each.timing.p50:.1f}{rows}"


_COSTS = {
    "ready after, s": ("index_seconds", 1.0, ".0f"),
    "index, MB": ("index_bytes", 1e6, ".0f"),
    "memory of its processes, MB": ("serving_memory", 1e6, ".0f"),
    "shards": ("shards", 1.0, ".0f"),
}


def _costs(report: Report, serving: Sequence[Size], engines: Sequence[str]) -> str:
    body = [
        ["lake: loaded in, s", *(f"{_fact(report, 'lake', size)['seconds']:.0f}" for size in serving)],
        ["lake, MB", *(f"{_fact(report, 'lake', size)['bytes'] / 1e6:.0f}" for size in serving)],
    ]
    for engine in engines:
        for name, (key, unit, form) in _COSTS.items():
            values = [_fact(report, engine, size).get(key) for size in serving]
            if any(value is not None for value in values):
                cells = ["" if value is None else format(value / unit, form) for value in values]
                body.append([f"{engine}: {name}", *cells])
    return _table(["", *(size.name for size in serving)], body)


def _fact(report: Report, name: str, size: Size) -> Mapping[str, Any]:
    found: Mapping[str, Any] = report.facts[f"{name} {size.rows}"]
    return found


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    rule = ["---", *("--:" for _ in head[1:])]
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, rule, *body))


if __name__ == "__main__":
    sys.exit(main())
