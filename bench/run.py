"""One run: rows, an archive on each engine, and the questions of all parties in turns."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from bench import cluster, promises, published, rows
from bench.archive import Archive, copied
from bench.bare import BareDuck, BareElastic, BareEngine
from bench.bulk import compare_bulk
from bench.client import Client
from bench.crowd import crowd
from bench.expected import BruteForce
from bench.lines import COUNT, SCS, Parties, Questions, merged
from bench.loading import SMALL_ROWS, load, small_files
from bench.measure import alternate
from bench.promises import AFTER, BARE, BEFORE, QUICK
from bench.report import Report
from bench.sample import Sample
from bench.sizes import Size, Sizes, prefixes, promise_growth, questions_to, same_number
from bench.words import ELASTICSEARCH, EMBEDDED, chosen_engines, end_on_sigterm, words_of_run
from store.elastic import Cluster

BARE_DUCK = "bare DuckDB"
PEER = "peer"
CLIENTS = 8
BULK_DOCUMENTS = 20_000

MANY, SAME = "Many rows", "The same number of rows"
LARGE = 10_000_000
"""Rows from which on an archive with a tenth of them is asked beside."""


@dataclass
class Bench:
    """What a run has opened."""

    report: Report
    folder: Path
    words: argparse.Namespace
    sample: Sample
    truth: BruteForce
    sizes: list[Size]
    cluster: Cluster | None = None
    archives: dict[str, Archive] = field(default_factory=dict)
    clients: dict[str, Client] = field(default_factory=dict)
    failed: bool = False


def main() -> int:
    """Run it; 1 when an answer differs or a stage failed."""
    words = words_of_run()
    end_on_sigterm()
    report = Report(words.json)
    with tempfile.TemporaryDirectory(
        prefix="onedfs-bench-", dir=words.folder, ignore_cleanup_errors=True
    ) as name:
        folder = Path(name)
        path = folder / "rows.parquet"
        began = time.perf_counter()
        rows.write(path, words.rows)
        beside = words.rows // 10 if words.beside is None and words.rows >= LARGE else words.beside
        known, truth = prefixes(path, [*([beside] if beside else []), words.rows])
        report.note("rows", words.rows, f"{words.rows} rows made in {time.perf_counter() - began:.1f} s")
        with ExitStack() as stack:
            bench = Bench(report, folder, words, Sample(path), truth, known)
            _open(bench, stack, path)
            _measure(bench, stack)
        return int(bench.failed)


@contextmanager
def _stage(bench: Bench, name: str) -> Iterator[None]:
    """Tell of a stage that fails, and go on with the others."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - what the others find is of use without it
        bench.failed = True
        text = f"{type(error).__name__}: {error}"
        bench.report.note(f"failed: {name}", text, f"FAILED {name}: {text}")


def _open(bench: Bench, stack: ExitStack, path: Path) -> None:
    """Load the rows into an archive on each engine, one after the other, while its server runs."""
    for engine in chosen_engines(bench.words.engine, bench.report):
        with _stage(bench, engine):
            _open_one(bench, stack, path, engine)


def _open_one(bench: Bench, stack: ExitStack, path: Path, engine: str) -> None:
    if engine == ELASTICSEARCH:
        bench.cluster, what = stack.enter_context(
            cluster.running(bench.folder, bench.words.rows, bench.words.heap)
        )
        bench.report.note("cluster", what, f"Elasticsearch: {what}")
    own = bench.cluster if engine == ELASTICSEARCH else None
    archive = Archive(bench.folder / engine, own, workers=bench.words.workers)
    stack.callback(archive.close)
    archive.start()
    client = Client(archive.base)
    load(archive, client, path, bench.report)
    bench.archives[engine], bench.clients[engine] = archive, client
    _compare(bench, engine, "")


def _compare(bench: Bench, engine: str, when: str) -> None:
    """Hold an archive's answers against those of the brute force."""
    bench.failed |= not _tell_answers(bench, engine, bench.clients[engine], when)


def _tell_answers(bench: Bench, party: str, client: Client, when: str) -> bool:
    expected, found = bench.truth.digests(), client.digests(bench.truth.searches)
    for kind, digest in expected.items():
        same = found[kind] == digest
        verdict = "agree" if same else f"DIFFER: {found[kind]} instead of {digest}"
        name = f"answers {party}{when} {kind}"
        bench.report.note(name, {"rows": digest.rows, "agree": same}, f"{name}: {digest.rows} rows {verdict}")
    return expected == found


def _measure(bench: Bench, stack: ExitStack) -> None:
    words, report = bench.words, bench.report
    if not bench.archives:
        return
    questions = Questions(bench.sample, _parties(bench, stack), words.requests)
    lines = [*questions.quick(), *same_number(questions, bench.sizes[-1])]
    report.time(QUICK, alternate(lines, words.requests, words.seconds))
    report.time(MANY, alternate(questions.dumps(), 5, words.seconds / 3))
    if words.slices:
        with _stage(bench, "many clients"), crowd(CLIENTS) as clients:
            report.crowd(clients.measure(questions.crowds(), words.slices))
    if words.rows == published.ROWS:
        _beside_published(bench)
    if bench.cluster is not None and ELASTICSEARCH in bench.archives:
        report.say()
        with _stage(bench, "bulk"):
            _bulk(bench, bench.cluster)
        promises.beside_bare(report)
    if len(bench.sizes) > 1:
        with _stage(bench, "growth"):
            _beside_smaller(bench, stack)
    if words.peer:
        with _stage(bench, "answers of the peer"):
            _tell_answers(bench, PEER, Client(tap=words.peer), "")
    if words.small_loads:
        with _stage(bench, "small loads"):
            _small_loads(bench, stack)


def _parties(bench: Bench, stack: ExitStack) -> Parties:
    peers: dict[str, Client] = {}
    engines: dict[str, BareEngine] = {}
    if bench.words.peer:
        peers[PEER] = Client(tap=bench.words.peer, scs=bench.words.peer_scs)
    if bench.cluster is not None and ELASTICSEARCH in bench.archives:
        elastic = BareElastic.of(bench.cluster)
        stack.callback(elastic.close)
        engines[BARE] = elastic
        bench.report.note("index bytes", elastic.size(), f"index: {elastic.size() / 1e6:.0f} MB")
    if EMBEDDED in bench.archives:
        duck = BareDuck(bench.folder / "rows.parquet", bench.folder / "bare.duckdb")
        stack.callback(duck.close)
        engines[BARE_DUCK] = duck
    return Parties(bench.clients, peers, engines)


def _beside_smaller(bench: Bench, stack: ExitStack) -> None:
    """Ask for the same number of rows of an archive that has fewer, in turns."""
    smaller, larger = bench.sizes
    serving = Sizes(bench.report, bench.folder, list(bench.archives), stack, bench.cluster)
    if not serving.serve(smaller):
        bench.failed = True
        return
    larger.archives = bench.archives
    if bench.cluster is not None and ELASTICSEARCH in bench.archives:
        larger.bare = BareElastic.of(bench.cluster)
        stack.callback(larger.bare.close)
    lines = merged(
        [
            line
            for size in bench.sizes
            for line in same_number(questions_to(size, bench.sample, bench.words.requests), size)
        ]
    )
    bench.report.time(SAME, alternate(lines, bench.words.requests, bench.words.seconds / 2))
    promise_growth(bench.report, SAME, bench.sizes)


def _beside_published(bench: Bench) -> None:
    report = bench.report
    report.say(f"\nBeside {published.NAME}, measured on another day on such a machine")
    measured = [*report.timings[QUICK], *report.timings[MANY]]
    for line in published.table(measured, report.rates, list(bench.archives)):
        report.say(line)


def _bulk(bench: Bench, of: Cluster) -> None:
    found = compare_bulk(bench.archives[ELASTICSEARCH].data, of, min(BULK_DOCUMENTS, bench.words.rows))
    bench.report.note(
        "bulk",
        found.__dict__,
        f"bulk, {found.documents} documents in turns: ours {found.ours:.0f}/s from rows, "
        f"parallel_bulk {found.helper:.0f}/s of ready ones",
    )
    bench.report.promise("bulk, time beside parallel_bulk", found.ratio, 1.3, "x")


def _small_loads(bench: Bench, stack: ExitStack) -> None:
    """Load many small files, and ask the same again beside an archive that is as it was before."""
    words, report = bench.words, bench.report
    clients: dict[str, Client] = {}
    if EMBEDDED in bench.archives:
        rest = copied(bench.archives[EMBEDDED].data, bench.folder / "before", index=True)
        before = Archive(rest, workers=words.workers)
        stack.callback(before.close)
        before.start()
        clients[BEFORE] = Client(before.base)
    first, added = words.rows, SMALL_ROWS * words.small_loads
    table = pa.concat_tables(rows.chunks(first + added)).slice(first)
    paths = list(small_files(table, bench.folder))
    report.say()
    for engine, archive in bench.archives.items():
        began = time.perf_counter()
        archive.load(paths)
        lasted = time.perf_counter() - began
        report.note(
            f"small loads {engine}",
            round(lasted, 1),
            f"{engine}: {len(paths)} loads of {SMALL_ROWS} rows, each until visible: {lasted:.1f} s",
        )
    bench.truth.add(table)
    for engine in bench.archives:
        _compare(bench, engine, " after small loads")
    questions = Questions(bench.sample, Parties(clients | bench.clients), words.requests)
    lines = [questions.nothing(), questions.scs(0.1), questions.counted(), questions.tap_cone(0.1)]
    report.time(AFTER, alternate(lines, words.requests, words.seconds / 2))
    for line in (SCS, COUNT):
        for engine in bench.archives:
            report.promise(
                f"{line}, {engine}, after beside before", promises.grown(report, line, engine), 1.5, "x"
            )
