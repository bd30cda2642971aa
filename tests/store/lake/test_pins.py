"""What somebody reads for long is not cleaned away under them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from store.lake import Lake, VersionGone, floor_for, vacuum
from store.lake.pins import PINS, kept_by_readers

Rows = Callable[..., pa.Table]
NOW = timedelta(0)


@pytest.fixture
def used(lake: Lake, files: Rows) -> Lake:
    """A lake of three versions, each of which replaces all rows."""
    for size in (1, 2, 3):
        with lake.writer("ingest") as writer:
            writer.replace("archive.files", files("abc", size=size))
            writer.commit()
    return lake


def sizes(lake: Lake, version: int) -> set[Any]:
    return set(lake.read("archive.files", version)["size"].to_pylist())


def test_a_pinned_version_survives_clean_up_for_as_long_as_it_is_read(used: Lake) -> None:
    with used.pinned(2), used.pinned(3):
        assert floor_for(used, NOW) == 2
        vacuum(used, floor_for(used, NOW))
        assert sizes(used, 2) == {2}
    assert floor_for(used, NOW) == 3
    vacuum(used, floor_for(used, NOW))
    with pytest.raises(VersionGone):
        sizes(used, 2)


def test_who_died_keeps_nothing(used: Lake) -> None:
    dying = (
        "import os, sys; from pathlib import Path; from store.lake.pins import pin\n"
        "with pin(Path(sys.argv[1]), 1): os.kill(os.getpid(), 9)"
    )
    ended = subprocess.run([sys.executable, "-c", dying, str(used.root / PINS)], check=False)
    assert ended.returncode == -9
    assert list((used.root / PINS).iterdir())
    assert kept_by_readers(used.root / PINS) == []
    assert not list((used.root / PINS).iterdir())


def test_a_lake_that_cannot_be_written_is_read_all_the_same(used: Lake) -> None:
    (used.root / PINS).write_bytes(b"a file where the folder should be")
    with used.pinned(2):
        assert sizes(used, 2) == {2}
