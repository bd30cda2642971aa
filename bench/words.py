"""What a run is told on its command line, and what follows of that."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from bench import cluster
from bench.archive import ENGINES
from bench.loading import SMALL_ROWS
from bench.report import Report

EMBEDDED, ELASTICSEARCH = ENGINES


def words_of_run() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="bench", description="Both engines, bare engines and a peer in turns."
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--engine", choices=(*ENGINES, "both"), help="both when Elasticsearch can be had")
    parser.add_argument("--requests", type=int, default=100, help="rounds of the quick questions")
    parser.add_argument("--seconds", type=float, default=60, help="no round of questions begins later")
    parser.add_argument("--small-loads", type=int, default=100, help=f"loads of {SMALL_ROWS} rows")
    parser.add_argument(
        "--beside",
        type=int,
        help="rows of a smaller archive that is asked too; 0: none; of many rows a tenth",
    )
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="serving processes of each archive"
    )
    parser.add_argument("--slices", type=int, default=2, help="turns of 3 s that each crowd gets; 0: none")
    parser.add_argument("--heap", help="heap of the Elasticsearch node, such as 2g")
    parser.add_argument("--peer", help="TAP URL of another server with the same rows")
    parser.add_argument("--peer-scs", help="its cone search, to be asked too")
    parser.add_argument("--folder", type=Path, help="where to put the data; several GB per million rows")
    parser.add_argument("--json", type=Path, help="file for the results")
    return parser.parse_args()


def chosen_engines(asked: str | None, report: Report) -> list[str]:
    """Return the engines to run: those asked for, or all that can be had."""
    if asked == EMBEDDED:
        return [EMBEDDED]
    why = cluster.missing()
    if why is not None and asked is not None:
        raise SystemExit(f"bench: no Elasticsearch: {why}")
    if why is not None:
        report.say(f"without Elasticsearch: {why}")
        return [EMBEDDED]
    return [ELASTICSEARCH] if asked == ELASTICSEARCH else list(ENGINES)


def end_on_sigterm() -> None:
    """Let SIGTERM end the run as Ctrl-C does: with what it started."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
