"""Change the code on purpose and see that a test notices: ``python tests/mutation AREA [--seed N]``.

Each mutation is one small change of meaning (a comparison, a sign, a constant, a condition) at a seeded place
of an area's modules, made in a copy of the tree. One that no test notices is printed with its line, and fails
the run.
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

ROOT = Path(__file__).resolve().parents[2]

AREAS = {
    "geometry": (("sky/*.py",), ("tests/sky",)),
    "follower": (
        ("store/lake/feed.py", "store/duckdb/follower.py", "store/duckdb/delta.py", "store/duckdb/reader.py"),
        ("tests/store",),
    ),
    "resolution": (("vo/adql/*.py",), ("tests/vo/adql",)),
}
"""What is changed, and the tests that must notice."""

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Lt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


@dataclass(frozen=True)
class Mutation:
    """A changed file."""

    path: Path
    line: int
    text: str


def _changes(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield the places that can be changed; annotations and docstrings are none."""
    skipped: set[int] = set()
    for node in ast.walk(tree):
        for name in ("annotation", "returns"):
            part = getattr(node, name, None)
            if part is not None:
                skipped.update(id(inner) for inner in ast.walk(part))
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        comparison = isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS
        operator = isinstance(node, ast.BinOp) and type(node.op) in OPERATORS
        number = isinstance(node, ast.Constant) and type(node.value) in (int, float)
        if comparison or operator or number or isinstance(node, ast.BoolOp | ast.If):
            yield node


def _change(node: ast.AST) -> None:
    match node:
        case ast.Compare():
            node.ops[0] = COMPARISONS[type(node.ops[0])]()
        case ast.BinOp():
            node.op = OPERATORS[type(node.op)]()
        case ast.Constant(value=int() | float() as value):
            node.value = value + 1 if isinstance(value, int) else value * 2 + 1
        case ast.BoolOp():
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        case ast.If():
            node.test = ast.UnaryOp(ast.Not(), node.test)


def mutations(patterns: tuple[str, ...], seed: int, count: int) -> Iterator[Mutation]:
    """Yield ``count`` seeded mutations of the files that match."""
    draw = random.Random(seed)
    places = []
    for path in sorted(found for pattern in patterns for found in ROOT.glob(pattern)):
        tree = ast.parse(path.read_text())
        places += [(path, number) for number, _ in enumerate(_changes(tree))]
    for path, number in draw.sample(places, min(count, len(places))):
        tree = ast.parse(path.read_text())
        node = list(_changes(tree))[number]
        _change(node)
        yield Mutation(
            path.relative_to(ROOT), getattr(node, "lineno", 0), ast.unparse(ast.fix_missing_locations(tree))
        )


def survives(mutation: Mutation, tests: tuple[str, ...], copy: Path) -> bool:
    """Say whether all tests pass with the mutation in place."""
    target = copy / mutation.path
    original = target.read_text()
    target.write_text(mutation.text)
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
        target.write_text(original)
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
            ROOT, copy, ignore=shutil.ignore_patterns(".venv", ".git", "data", ".hypothesis", "*cache*")
        )
        for mutation in mutations(patterns, words.seed, words.count):
            alive = survives(mutation, tests, copy)
            survivors += alive
            sys.stdout.write(f"{'SURVIVES' if alive else 'caught  '} {mutation.path}:{mutation.line}\n")
            sys.stdout.flush()
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
