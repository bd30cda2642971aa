"""Change the code on purpose and see that a test notices: ``python -m tests.mutation AREA [--seed N]``.

Each mutation is one small change of meaning at a seeded place of an area's modules, made in a copy of the
tree; see :mod:`tests.mutation.changes`. It is noticed when a test or its fixture fails, or when tests do not
end in time. Where no test can begin, another one is drawn. One that nothing notices fails the run.
"""

from __future__ import annotations

import argparse
import ast
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.changes import changed, changes

ROOT = Path(__file__).resolve().parents[2]

_FOLLOWING = (
    *("follower", "delta", "few", "generation", "layout", "packed", "planned"),
    *("selection", "snapshot", "state", "wanted"),
)

_ANSWERING = (
    *("aggregates", "asked", "circles", "columns", "filters", "first", "gather"),
    *("inside", "packed", "patterns", "selection", "snapshot", "together", "whole"),
)

AREAS = {
    "geometry": (("sky/*.py",), ("tests/sky",)),
    "follower": (
        (
            *(f"store/duckdb/{name}.py" for name in _FOLLOWING),
            "store/follower.py",
            "store/spherical/refine.py",
            "store/sql/running.py",
            "store/lake/feed.py",
            "store/lake/ledger.py",
        ),
        ("tests/store/duckdb", "tests/store/lake", "tests/store/test_planner.py"),
    ),
    "elastic": (
        (*(f"store/elastic/{name}.py" for name in _ANSWERING), "store/packed.py", "store/planner.py"),
        (
            "tests/store/test_planner.py",
            *(
                f"tests/store/elastic/test_{name}.py"
                for name in (
                    *("circles", "filters", "inside", "packed"),
                    *("patterns", "together", "whole", "answers"),
                )
            ),
            *(f"tests/conformance/test_{name}.py" for name in ("answers", "bounds")),
        ),
    ),
    "resolution": (("vo/adql/*.py", "query/*.py"), ("tests/vo/adql", "tests/query")),
}
"""What is changed, and the tests that must notice."""

MEMORY = 6_000_000
"""Address space that tests may take [KiB], lest a changed size takes the machine's."""

PATIENCE = 600
"""Seconds after which tests are taken to hang."""

_FAILED = re.compile(r"^(FAILED|ERROR) \S+::", re.MULTILINE)
"""Of a test that ran, in pytest's summary; of modules that cannot be imported it names the file alone."""


@dataclass(frozen=True)
class Mutation:
    """A changed file: what stood where, and what stands there now."""

    path: Path
    line: int
    words: str
    text: str


def mutations(patterns: tuple[str, ...], seed: int) -> Iterator[Mutation]:
    """Yield the mutations of the files that match, in a seeded order."""
    draw = random.Random(seed)
    places = []
    for path in sorted(found for pattern in patterns for found in ROOT.glob(pattern)):
        found = changes(ast.parse(path.read_text(encoding="utf-8")))
        places += [(path, change) for change in found]
    for path, change in draw.sample(places, len(places)):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        line, words = changed(tree, change)
        yield Mutation(path.relative_to(ROOT), line, words, ast.unparse(ast.fix_missing_locations(tree)))


def verdict(mutation: Mutation, tests: tuple[str, ...], copy: Path) -> str:
    """Run the tests with the mutation in place: "caught", "timed out", "SURVIVES" or "no test began"."""
    target = copy / mutation.path
    original = target.read_text(encoding="utf-8")
    target.write_text(mutation.text, encoding="utf-8")
    pytest = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", "not slow", *tests]
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", f'ulimit -v {MEMORY} && exec "$@"', "sh", *pytest],
            cwd=copy,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "timed out"
    finally:
        target.write_text(original, encoding="utf-8")
    if done.returncode == 0:
        return "SURVIVES"
    return "caught" if _FAILED.search(done.stdout) else "no test began"


def main() -> int:
    """Run one area; 1 when a mutation survives."""
    parser = argparse.ArgumentParser(prog="mutation")
    parser.add_argument("area", choices=AREAS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=10)
    words = parser.parse_args()
    patterns, tests = AREAS[words.area]
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / "tree"
        shutil.copytree(
            ROOT,
            copy,
            ignore=shutil.ignore_patterns(".venv", ".git", "data", "build", ".hypothesis", "*cache*"),
        )
        # Where a real Elasticsearch has been put together.
        (ROOT / "build").mkdir(exist_ok=True)
        (copy / "build").symlink_to(ROOT / "build")
        for mutation in mutations(patterns, words.seed):
            told = verdict(mutation, tests, copy)
            found[told] += 1
            sys.stdout.write(f"{told:<13} {mutation.path}:{mutation.line} {mutation.words}\n")
            sys.stdout.flush()
            if found.total() - found["no test began"] >= words.count:
                break
    return 1 if found["SURVIVES"] else 0


if __name__ == "__main__":
    sys.exit(main())
