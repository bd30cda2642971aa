"""Change the code on purpose and see that a test notices: ``python -m tests.mutation AREA [--seed N]``.

Each mutation is one small change of meaning at a seeded place of an area's modules, made in a copy of the
tree; see :mod:`tests.mutation.changes`. One that no test notices is printed, and fails the run.
"""

from __future__ import annotations

import argparse
import ast
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.changes import changed, changes

ROOT = Path(__file__).resolve().parents[2]

_FOLLOWING = ("follower", "delta", "generation", "state", "wanted", "selection", "snapshot", "layout")

AREAS = {
    "geometry": (("sky/*.py",), ("tests/sky",)),
    "follower": (
        (
            *(f"store/duckdb/{name}.py" for name in _FOLLOWING),
            "store/lake/feed.py",
            "store/lake/ledger.py",
        ),
        ("tests/store/duckdb", "tests/store/lake", "tests/store/test_planner.py"),
    ),
    "resolution": (("vo/adql/*.py", "query/*.py"), ("tests/vo/adql", "tests/query")),
}
"""What is changed, and the tests that must notice."""


@dataclass(frozen=True)
class Mutation:
    """A changed file: what stood where, and what stands there now."""

    path: Path
    line: int
    words: str
    text: str


def mutations(patterns: tuple[str, ...], seed: int, count: int) -> Iterator[Mutation]:
    """Yield ``count`` seeded mutations of the files that match."""
    draw = random.Random(seed)
    places = []
    for path in sorted(found for pattern in patterns for found in ROOT.glob(pattern)):
        found = changes(ast.parse(path.read_text(encoding="utf-8")))
        places += [(path, change) for change in found]
    for path, change in draw.sample(places, min(count, len(places))):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        line, words = changed(tree, change)
        yield Mutation(path.relative_to(ROOT), line, words, ast.unparse(ast.fix_missing_locations(tree)))


def survives(mutation: Mutation, tests: tuple[str, ...], copy: Path) -> bool:
    """Say whether all tests pass with the mutation in place."""
    target = copy / mutation.path
    original = target.read_text(encoding="utf-8")
    target.write_text(mutation.text, encoding="utf-8")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", "not slow", *tests],
            cwd=copy,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            timeout=600,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    finally:
        target.write_text(original, encoding="utf-8")
    return done.returncode == 0


def main() -> int:
    """Run one area; 1 when a mutation survives."""
    parser = argparse.ArgumentParser(prog="mutation")
    parser.add_argument("area", choices=AREAS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=10)
    words = parser.parse_args()
    patterns, tests = AREAS[words.area]
    survivors = 0
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / "tree"
        shutil.copytree(
            ROOT,
            copy,
            ignore=shutil.ignore_patterns(".venv", ".git", "data", "build", ".hypothesis", "*cache*"),
        )
        for mutation in mutations(patterns, words.seed, words.count):
            alive = survives(mutation, tests, copy)
            survivors += alive
            verdict = "SURVIVES" if alive else "caught  "
            sys.stdout.write(f"{verdict} {mutation.path}:{mutation.line} {mutation.words}\n")
            sys.stdout.flush()
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
