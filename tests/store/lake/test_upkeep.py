"""Compaction, vacuum and log clean-up: smaller, and still everything from the floor on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from schemas import Table
from store.lake import Lake, VersionGone, clean_logs, compact, floor_for, vacuum
from store.lake.ledger import now

Rows = Callable[..., pa.Table]
State = Callable[[Lake, int], dict[str, dict[Any, Any]]]


@pytest.fixture
def used(lake: Lake, files: Rows) -> Lake:
    """A lake of 12 versions: nine appends, two replacements, one deletion."""
    for name in "abcdefghi":
        with lake.writer("ingest") as writer:
            writer.append("archive.files", files([name]))
            writer.commit()
    for size in (1, 2):
        with lake.writer("remap") as writer:
            writer.replace("archive.files", files("abc", size=size))
            writer.commit()
    with lake.writer("withdraw") as writer:
        writer.delete("archive.files", files(["d"]))
        writer.commit()
    return lake


def file_count(lake: Lake) -> int:
    return len(list(lake.root.glob("archive/files/**/part-*.parquet")))


def test_compaction_merges_files_and_keeps_rows(used: Lake, state: State) -> None:
    before = state(used, 12)
    assert compact(used) == 13
    assert len(used.files("archive.files")) == 1
    assert used.ledger.file_count() == 1
    assert state(used, 13) == before
    assert [entry.version for entry in used.ledger.history()] == list(range(1, 14))


def test_compaction_with_nothing_to_merge_makes_no_version(used: Lake) -> None:
    assert [compact(used), compact(used)] == [13, 13]


@pytest.mark.parametrize("floor", [0, 5, 10, 13])
def test_everything_from_the_floor_on_stays(used: Lake, state: State, follower: Any, floor: int) -> None:
    compact(used)
    states = {version: state(used, version) for version in range(floor, 14)}
    follower.follow(floor)
    vacuum(used, floor)
    clean_logs(used, floor)
    vacuum(used, floor)
    other = Lake(used.root, used.declared)
    for lake in (used, other):
        assert {version: state(lake, version) for version in range(floor, 14)} == states
        assert lake.entry(2).kind == "ingest"
        assert [entry.version for entry in lake.ledger.history()] == list(range(1, 14))
    follower.lake = other
    follower.follow()
    assert follower.rows == states[13]


def test_what_is_below_the_floor_goes(used: Lake) -> None:
    compact(used)
    assert vacuum(used, 13) > 15
    assert clean_logs(used, 13) > 10
    assert file_count(used) == 1
    assert len(list(used.root.glob("*/*/_delta_log/*.json"))) == 1
    with pytest.raises(VersionGone):
        Lake(used.root, used.declared).read("archive.files", 8)


def test_writing_goes_on_after_clean_up(used: Lake, files: Rows) -> None:
    compact(used)
    vacuum(used, 13)
    clean_logs(used, 13)
    for lake in (used, Lake(used.root, used.declared)):
        with lake.writer("ingest", batch="x") as writer:
            writer.append("archive.files", files(["x"]), dedupe=True)
            writer.replace("archive.files", files(["a"], size=9))
            writer.commit()
    assert used.version() == 14
    assert used.row_count("archive.files") == 9


def test_a_lower_floor_than_before_brings_nothing_back_and_breaks_nothing(used: Lake, state: State) -> None:
    before = state(used, 12)
    clean_logs(used, 10)
    vacuum(used, 11)
    vacuum(used, 0)
    clean_logs(used, 0)
    assert state(Lake(used.root, used.declared), 12) == before


def test_a_sleeping_reader_wakes_up_after_log_clean_up(used: Lake, files: Rows) -> None:
    sleeper = Lake(used.root, used.declared)
    assert sleeper.version() == 12
    for name in "xyz":
        with used.writer("ingest") as writer:
            writer.append("archive.files", files([name]))
            writer.commit()
    clean_logs(used, 15)
    assert sleeper.version() == 15
    assert sleeper.row_count("archive.files") == 11


def test_other_engines_open_the_table_after_clean_up(used: Lake) -> None:
    compact(used)
    clean_logs(used, 13)
    assert DeltaTable(used.root / "archive/files").count() == 8
    assert DeltaTable(used.root / "_ledger").version() == 13


def test_a_withdrawn_table_goes_when_no_kept_version_has_it(
    lake: Lake, catalogue: Table, files: Rows
) -> None:
    with lake.writer("publish") as writer:
        writer.declare(catalogue)
        writer.append(catalogue.name, pa.table({"id": [1]}))
        writer.commit()
    with lake.writer("unpublish") as writer:
        writer.undeclare(catalogue.name)
        writer.commit()
    vacuum(lake, 1)
    assert lake.row_count(catalogue.name, 1) == 1
    vacuum(lake, 2)
    assert not (lake.root / "catalogues/stars").exists()
    with lake.writer("ingest") as writer:
        writer.append("archive.files", files(["a"]))
        writer.commit()


def test_unfinished_files_of_a_dead_writer_go(used: Lake) -> None:
    left = used.root / "archive/files/part-00000-left-by-a-dead-writer.parquet"
    left.write_bytes(b"half")
    orphan = used.root / "archive/other/_delta_log"
    orphan.mkdir(parents=True)
    vacuum(used, 0)
    assert not left.exists()
    assert not orphan.parent.exists()


def test_upkeep_of_an_empty_lake_does_nothing(lake: Lake) -> None:
    assert (compact(lake), vacuum(lake, 0), clean_logs(lake, 0)) == (0, 0, 0)


def test_the_floor_keeps_what_is_young_or_pinned(used: Lake) -> None:
    age = now() - used.entry(5).time
    assert floor_for(used, age) in (4, 5)
    assert floor_for(used, timedelta(0)) == 12
    assert floor_for(used, timedelta(days=1)) == 0
    assert floor_for(used, timedelta(0), pinned=[7, 3]) == 3
