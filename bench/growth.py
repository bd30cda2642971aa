"""How answers slow down as an archive grows: ``python -m bench.growth --sizes 10000,100000``.

Archives of all sizes serve at the same time and take turns, so that their times can be compared. What was
found is kept when a size fails.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench import cluster, rows
from bench.archive import ENGINES
from bench.lines import merged
from bench.measure import Line, Measured, alternate
from bench.promises import BARE
from bench.report import Report
from bench.sample import DRAWN, Sample
from bench.sizes import ELASTICSEARCH, Size, Sizes, prefixes, promise_growth, questions_to, same_number
from bench.words import chosen_engines, end_on_sigterm

TITLE, MANY = "Growth", "Growth, many rows"


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
        known, _ = prefixes(path, sizes)
        report.note("sizes", sizes, f"{sizes[-1]} rows made in {time.perf_counter() - began:.0f} s")
        growth = Sizes(report, folder, chosen_engines(words.engine, report), stack)
        if ELASTICSEARCH in growth.engines:
            growth.cluster, what = stack.enter_context(cluster.running(folder, sum(sizes), words.heap))
            report.note("cluster", what, f"Elasticsearch: {what}")
        serving = [size for size in known if growth.serve(size)]
        quick, dumps = _lines(serving, path, words.requests)
        report.time(TITLE, alternate(quick, words.requests, words.seconds))
        report.time(MANY, alternate(dumps, 3, words.seconds / 4))
        for size in serving:
            for engine, archive in size.archives.items():
                report.facts[f"{engine} {size.rows}"]["serving_memory"] = archive.memory()
        promise_growth(report, TITLE, serving)
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


def _lines(serving: Sequence[Size], path: Path, count: int) -> tuple[list[Line], list[Line]]:
    """Return the questions to all sizes, the quick ones and the others.

    Those for one number of rows have other circles for each size.
    """
    quick: list[Line] = []
    dumps: list[Line] = []
    sample = Sample(path, limit=min(DRAWN, *(size.rows for size in serving)))
    for size in serving:
        questions = questions_to(size, sample, count)
        quick += [
            questions.nothing(),
            *same_number(questions, size),
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
