"""The bounds that we promise, against what a run found."""

from __future__ import annotations

from bench.archive import ENGINES
from bench.lines import COUNT, FACET, FACETS, GROUP_BY, INTERSECTS_1, NO_OP, SCS
from bench.report import Report

EMBEDDED, ELASTICSEARCH = ENGINES
BARE = "bare elasticsearch"
BEFORE = "embedded, before"
QUICK, AFTER = "Questions", "After small loads"


def beside_bare(report: Report) -> None:
    """Compare what goes through HTTP with the bare engine."""

    def median(line: str, party: str) -> float | None:
        found = report.found(QUICK, line, party)
        return None if found is None else found.p50

    for line, bound in ((SCS, 3.0), (FACET, 2.0), (FACETS, 2.0), (INTERSECTS_1, 3.0)):
        ours, bare = median(line, ELASTICSEARCH), median(line, BARE)
        if ours and bare:
            report.promise(f"{line}, beside the bare query", round(ours / bare, 2), bound, "x")
    for line in (COUNT, GROUP_BY):
        ours, bare, idle = median(line, ELASTICSEARCH), median(line, BARE), median(NO_OP, ELASTICSEARCH)
        if ours and bare and idle:
            bound = round(idle + 2 * bare + 5, 2)
            report.promise(f"{line}, no-op + 2x bare + 5 ms", ours, bound, " ms")


def grown(report: Report, line: str, engine: str) -> float | None:
    """Return how many times longer an engine takes than before the small loads.

    The archive that is as it was before is asked in the same minutes. What it takes then and took before
    tells how the machine changed meanwhile, for the engine that has no such copy.
    """
    after, beside = report.found(AFTER, line, engine), report.found(AFTER, line, BEFORE)
    if after is None:
        return None
    if engine == EMBEDDED:
        return None if beside is None else round(after.p50 / beside.p50, 2)
    before, then = report.found(QUICK, line, engine), report.found(QUICK, line, EMBEDDED)
    if before is None:
        return None
    machine = beside.p50 / then.p50 if beside and then else 1.0
    return round(after.p50 / before.p50 / machine, 2)
