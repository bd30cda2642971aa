"""A writer may die at any moment: the next one repairs the lake, and no reader sees half a batch."""

from __future__ import annotations

import random
import runpy
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from store.lake import Lake, compact
from store.lake.ledger import Ledger
from store.lake.tables import LakeTable

SCRIPT = Path(__file__).with_name("busy_writer.py")
BUSY = runpy.run_path(str(SCRIPT))


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPT), str(folder), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def rows(lake: Lake, table: str, version: int) -> dict[str, int]:
    found = lake.read(table, version, columns=["id", "size"]).to_pylist()
    assert len({row["id"] for row in found}) == len(found)
    return {row["id"]: row["size"] for row in found}


def assert_whole(lake: Lake) -> None:
    """Every version holds whole batches, in both tables."""
    for version in range(1, lake.version() + 1):
        expected = BUSY["expected"](BUSY["done"](lake, version))
        assert rows(lake, "archive.files", version) == expected
        assert rows(lake, "archive.headers", version) == expected


class Killed(BaseException):
    """Stands for ``kill -9``: no clean-up of ours runs after it."""


WRITES = [
    (LakeTable, "create"),
    (LakeTable, "append"),
    (LakeTable, "delete"),
    (LakeTable, "restore"),
    (LakeTable, "compact"),
    (Ledger, "_write"),
]
"""Everything that changes what is on disk."""


def dies_at(monkeypatch: pytest.MonkeyPatch, moment: int) -> None:
    """Let the process die at a moment: before (even) or after (odd) its n-th write, and write no more."""
    seen = 0

    def wrapped(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> None:
            nonlocal seen
            seen += 1
            if 2 * (seen - 1) >= moment:
                raise Killed
            method(*arguments, **named)
            if 2 * seen - 1 >= moment:
                raise Killed

        return call

    for owner, name in WRITES:
        monkeypatch.setattr(owner, name, wrapped(getattr(owner, name)))


def killed_at(moment: int, work: Callable[[Lake], object], root: Path) -> bool:
    """Do something in a process of its own, so to say; return whether it died of it."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        dies_at(monkeypatch, moment)
        try:
            work(Lake(root, BUSY["DECLARED"]))
        except Killed:
            return True
    return False


@pytest.fixture(scope="module")
def three_batches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lake = Lake(tmp_path_factory.mktemp("three") / "lake", BUSY["DECLARED"])
    for _ in range(3):
        BUSY["write"](lake)
    return lake.root


def take_back(lake: Lake) -> None:
    with lake.writer("dropped") as writer:
        writer.append("archive.headers", BUSY["rows_of"]({"dropped": 1}))


@pytest.mark.slow
@pytest.mark.parametrize("work", [BUSY["write"], take_back, compact], ids=["batch", "taken back", "compact"])
def test_dying_between_any_two_writes_is_repaired(
    three_batches: Path, tmp_path: Path, work: Callable[[Lake], object]
) -> None:
    """The repair, too, is killed at each of its own writes before one is left alone."""
    for moment in count():
        root = shutil.copytree(three_batches, tmp_path / str(moment))
        if not killed_at(moment, work, root):
            break
        assert_whole(Lake(root, BUSY["DECLARED"]))
        for repair in count():
            if not killed_at(repair, take_back, root):
                break
            assert_whole(Lake(root, BUSY["DECLARED"]))
        lake = Lake(root, BUSY["DECLARED"])
        BUSY["write"](lake)
        assert_whole(lake)
        assert_feed_agrees(lake)
    assert moment >= 6


def test_dying_in_the_first_batch_of_all_is_repaired(tmp_path: Path) -> None:
    for moment in count():
        root = tmp_path / str(moment)
        if not killed_at(moment, BUSY["write"], root):
            break
        lake = Lake(root, BUSY["DECLARED"])
        assert lake.version() in (0, 1)
        BUSY["write"](lake)
        assert_whole(lake)
        assert sorted(path.name for path in (root / "archive").iterdir()) == ["files", "headers"]


def assert_feed_agrees(lake: Lake) -> None:
    """A follower from the beginning ends where the lake is."""
    held: dict[str, dict[str, int]] = {"archive.files": {}, "archive.headers": {}}
    for step in lake.changes(0):
        for change in step.changes:
            for row in change.removed_keys.to_pylist():
                del held[change.table][row["id"]]
            held[change.table].update({r["id"]: r["size"] for r in change.inserted.to_pylist()})
        for table, found in held.items():
            assert found == rows(lake, table, step.version)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_a_writer_killed_at_a_random_time_leaves_whole_batches(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    root = tmp_path / "lake"
    for _ in range(2):
        writer = start(root)
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0, 0.8))
        writer.kill()
        said = [int(line.split()[1]) for line in writer.stdout if line.endswith("\n")]
        writer.wait()
        writer.stdout.close()
        lake = Lake(root, BUSY["DECLARED"])
        assert BUSY["done"](lake, lake.version()) >= max(said, default=-1) + 1
        assert_whole(lake)
    BUSY["write"](lake)
    assert_whole(lake)
    assert_feed_agrees(lake)


@pytest.mark.slow
def test_four_writers_at_once_take_turns(tmp_path: Path) -> None:
    writers = [start(tmp_path / "lake", "8") for _ in range(4)]
    said = [int(line.split()[1]) for writer in writers for line in finished(writer) if line != "ready"]
    assert sorted(said) == list(range(32))
    lake = Lake(tmp_path / "lake", BUSY["DECLARED"])
    assert BUSY["done"](lake, lake.version()) == 32
    assert_whole(lake)


def finished(writer: subprocess.Popen[str]) -> list[str]:
    output, _ = writer.communicate(timeout=120)
    assert writer.returncode == 0
    return output.splitlines()


def test_a_full_disk_is_an_error_and_the_batch_never_was(tmp_path: Path) -> None:
    """A limit on file sizes stands for the disk: the operating system refuses to write on."""
    lake = Lake(tmp_path / "lake", BUSY["DECLARED"])
    BUSY["write"](lake)
    code = f"""
import resource, runpy, signal, sys
busy = runpy.run_path({str(SCRIPT)!r})
from store.lake import Lake, LakeError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    with Lake(sys.argv[1], busy["DECLARED"]).writer("ingest") as writer:
        writer.append("archive.headers", busy["rows_of"]({{"small": 1}}))
        writer.append("archive.files", busy["rows_of"]({{str(n**3): n for n in range(50_000)}}))
        writer.commit()
except LakeError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(lake.root)], capture_output=True, text=True, check=True
    )
    assert "appending to archive.files" in done.stdout
    assert_whole(lake)
    BUSY["write"](lake)
    assert_whole(lake)
