"""The ingester may die at any moment, and several may run at once: the rows come out the same."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from schemas import load_schemas
from store.database import QuarantineStore, open_database
from store.lake import Lake

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SCRIPT = Path(__file__).with_name("busy_ingester.py")
TABLES = (
    "ivoa.ObsCore",
    "dbo.raw",
    "phase3v2.files",
    "phase3v2.provenance",
    "archive.files",
    "archive.aliases",
    "archive.headers",
)
TIMES = ("_batch", "ingested", "last_mod_date")


@pytest.fixture(scope="module")
def holdings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of files that have every kind of outcome."""
    made = __import__("runpy").run_path(str(Path(__file__).with_name("conftest.py")))["Made"]()
    folder = tmp_path_factory.mktemp("holdings") / "night"
    for number in range(60):
        place = folder / f"{number % 5}" / f"{number}.fits"
        place.parent.mkdir(parents=True, exist_ok=True)
        cards = {"OBJECT": f"T {number // 2 if number % 10 == 1 else number}"}
        if number % 4 == 0:
            cards |= {"ARCFILE": f"ISAAC.2006-04-13T06:32:{number // 8:02d}.944.fits", "INSTRUME": "ISAAC"}
        content = made.sky_image(**cards)
        place.write_bytes(content[:4000] if number % 9 == 5 else content)
    (folder / "copy.fits").write_bytes((folder / "2/2.fits").read_bytes())
    return folder


def rows(root: Path) -> dict[str, list[str]]:
    """Return the sorted rows of all tables, but for what tells when they were written."""
    lake = Lake(root / "lake", load_schemas())
    found = {}
    for name in TABLES:
        table = lake.read(name).to_pylist()
        kept = ({key: value for key, value in row.items() if key not in TIMES} for row in table)
        found[name] = sorted(json.dumps(row, default=str, sort_keys=True) for row in kept)
    engine = open_database(f"sqlite:///{root}/onedfs.sqlite")
    refused = QuarantineStore(engine).list()
    engine.dispose()
    found["quarantine"] = sorted(f"{entry.path} {entry.code} {entry.reason}" for entry in refused)
    return found


@contextmanager
def started(root: Path, holding: str, *folders: Path) -> Iterator[subprocess.Popen[str]]:
    root.mkdir(exist_ok=True)
    command = [sys.executable, str(SCRIPT), str(root), holding, *map(str, folders)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def finished(root: Path, holding: str, *folders: Path) -> str:
    with started(root, holding, *folders) as process:
        said, _ = process.communicate(timeout=300)
        assert process.returncode == 0
        return said.splitlines()[-1]


@pytest.fixture(scope="module")
def undisturbed(
    holdings: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, list[str]], float]:
    """The rows of a run that nobody disturbs, and how long it takes once it has begun."""
    root = tmp_path_factory.mktemp("undisturbed")
    with started(root, "copy", holdings) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        begun = time.monotonic()
        assert process.wait(300) == 0
    return rows(root), time.monotonic() - begun


@pytest.mark.parametrize("seed", range(4))
def test_a_killed_ingester_leaves_what_the_next_run_completes(
    holdings: Path, undisturbed: Any, tmp_path: Path, seed: int
) -> None:
    expected, seconds = undisturbed
    with started(tmp_path, "copy", holdings) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(random.Random(seed).uniform(0.3, 1.0) * seconds)
        process.kill()
        process.wait()
    finished(tmp_path, "copy", holdings)
    assert rows(tmp_path) == expected
    assert [path for path in (tmp_path / "files/.incoming").iterdir() if path.is_dir()] == []
    names = {
        row["location"] for row in Lake(tmp_path / "lake", load_schemas()).read("archive.files").to_pylist()
    }
    files = tmp_path / "files"
    assert {path.relative_to(files).as_posix() for path in files.rglob("*") if path.is_file()} >= names
