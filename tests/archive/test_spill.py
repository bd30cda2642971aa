"""What queries spill stays below the run folder, and goes with its process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from archive.spill import spill_folder, sweep

SPILLS = """
import os, sys
from pathlib import Path
from archive.spill import spill_folder

folder = spill_folder(Path(sys.argv[1]))
folder.mkdir()
(folder / "rows.tmp").write_text("rows")
if sys.argv[2] == "dies":
    os._exit(9)
folder.joinpath("rows.tmp").unlink()
folder.rmdir()
"""


def run(root: Path, end: str) -> int:
    return subprocess.run([sys.executable, "-c", SPILLS, root, end], check=False).returncode


def names(root: Path) -> list[str]:
    return [path.name for path in root.glob("*spill-*")]


def test_what_a_killed_process_left_is_removed_by_the_next_one(tmp_path: Path) -> None:
    assert run(tmp_path, "dies") == 9
    assert len(names(tmp_path)) == 2
    sweep(tmp_path)
    assert names(tmp_path) == []


def test_a_process_that_ends_leaves_nothing(tmp_path: Path) -> None:
    assert run(tmp_path, "ends") == 0
    assert names(tmp_path) == []


def test_what_a_living_process_has_stays(tmp_path: Path) -> None:
    ours = spill_folder(tmp_path)
    ours.mkdir()
    (ours / "rows.tmp").write_text("rows")
    assert spill_folder(tmp_path) != ours
    assert (ours / "rows.tmp").exists()


def test_a_folder_whose_lock_is_gone_is_removed(tmp_path: Path) -> None:
    (tmp_path / "spill-my.host-12").mkdir()
    sweep(tmp_path)
    assert names(tmp_path) == []


def test_where_nothing_can_be_written_there_is_nothing_to_spill(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    assert not spill_folder(tmp_path / "file").exists()
