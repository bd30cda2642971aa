"""The change feed: whoever follows it holds, at every version, exactly what the lake holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from schemas import Column, Kind, Table
from store.lake import FeedIncomplete, Lake, clean_logs, compact, vacuum

Rows = Callable[..., pa.Table]
State = Callable[[Lake, int], dict[str, dict[Any, Any]]]


def write(lake: Lake, method: str, rows: pa.Table, table: str = "archive.files") -> None:
    with lake.writer(method) as writer:
        getattr(writer, method)(table, rows)
        writer.commit()


def take_back(lake: Lake, files: Rows) -> None:
    with lake.writer("dropped") as writer:
        writer.replace("archive.files", files(["a", "z"], size=99))
        writer.delete("archive.files", files(["b"]))


def several_at_once(lake: Lake, files: Rows) -> None:
    """One batch that appends, replaces, deletes and appends again."""
    with lake.writer("mixed") as writer:
        writer.append("archive.files", files(["m", "n"]))
        writer.replace("archive.files", files(["m", "a"], size=3))
        writer.delete("archive.files", files(["n", "b"]))
        writer.append("archive.files", files(["b"], size=4))
        writer.append("phase3v2.provenance", pa.table({"product": ["m"], "source": [1]}))
        writer.commit()


def widen(lake: Lake, files: Rows) -> None:
    table = lake.declared.table("archive.files")
    wide = table.model_copy(update={"columns": (*table.columns, Column(name="grade", kind=Kind.TEXT))})
    lake.declared = lake.declared.with_tables([wide])
    write(lake, "append", files(["wide"]).append_column("grade", pa.array(["A"])))


def publish(lake: Lake, table: Table) -> None:
    with lake.writer("publish") as writer:
        writer.declare(table)
        writer.append(table.name, pa.table({"id": [1, 2]}))
        writer.commit()


def unpublish(lake: Lake, table: Table) -> None:
    with lake.writer("unpublish") as writer:
        writer.undeclare(table.name)
        writer.commit()


def filled(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def life(files: Rows, catalogue: Table) -> dict[str, Callable[[Lake], object]]:
    """Everything that can happen to a lake, in order."""
    return {
        "append": lambda lake: write(lake, "append", files("abcdef")),
        "append again": lambda lake: write(lake, "append", files(["g"])),
        "replace": lambda lake: write(lake, "replace", files(["a", "x"], size=2)),
        "delete": lambda lake: write(lake, "delete", files(["c"])),
        "taken back": lambda lake: take_back(lake, files),
        "several at once": lambda lake: several_at_once(lake, files),
        "compact": compact,
        "publish": lambda lake: publish(lake, catalogue),
        "added column": lambda lake: widen(lake, files),
        "unpublish": lambda lake: unpublish(lake, catalogue),
        "vacuum": lambda lake: vacuum(lake, lake.version()),
        "replace after vacuum": lambda lake: write(lake, "replace", files(["a"], size=5)),
        "clean logs": lambda lake: clean_logs(lake, lake.version()),
        "append after clean-up": lambda lake: write(lake, "append", files(["h"])),
        "publish again": lambda lake: publish(lake, catalogue),
    }


def test_a_follower_that_keeps_up_equals_the_lake_at_every_version(
    lake: Lake, files: Rows, catalogue: Table, follower: Any, state: State
) -> None:
    for happen in life(files, catalogue).values():
        happen(lake)
        follower.follow()
        assert follower.version == lake.version()
        assert {name: rows for name, rows in follower.rows.items() if rows} == {
            name: rows for name, rows in state(lake, lake.version()).items() if rows
        }


def test_a_follower_stopped_before_any_event_catches_up_or_is_told_to_rebuild(
    lake: Lake, files: Rows, catalogue: Table, follower: Any, state: State
) -> None:
    stopped = {}
    for name, happen in life(files, catalogue).items():
        stopped[name] = follower.copy()
        happen(lake)
        follower.follow()
    told = []
    for name, late in stopped.items():
        try:
            late.follow()
        except FeedIncomplete:
            told.append(name)
            late.rebuild()
        assert late.rows == state(lake, lake.version()), name
    names = list(stopped)
    assert told == names[: names.index("clean logs")]


def test_a_late_follower_sees_every_version_when_nothing_was_cleaned(
    lake: Lake, files: Rows, catalogue: Table, follower: Any, state: State
) -> None:
    for name, happen in life(files, catalogue).items():
        if name not in ("vacuum", "clean logs"):
            happen(lake)
    while follower.version < lake.version():
        follower.follow(follower.version + 1)
        assert follower.rows.keys() >= state(lake, follower.version).keys()
        for table, rows in state(lake, follower.version).items():
            assert follower.rows[table] == rows


def test_one_step_over_many_versions_equals_the_steps_between(
    lake: Lake, files: Rows, catalogue: Table, state: State
) -> None:
    for name, happen in life(files, catalogue).items():
        if name not in ("vacuum", "clean logs"):
            happen(lake)
    for after in range(lake.version()):
        before, step = state(lake, after), lake.difference(after, lake.version())
        for name in step.dropped:
            before.pop(name, None)
        for change in step.changes:
            key = lake.schemas().table(change.table).key
            rows = before.setdefault(change.table, {})
            for row in change.removed_keys.to_pylist():
                del rows[tuple(row[name] for name in key)]
            rows.update({tuple(r[name] for name in key): filled(r) for r in change.inserted.to_pylist()})
        now = state(lake, lake.version())
        assert before == now


def test_versions_without_changes_advance_the_follower(lake: Lake, files: Rows) -> None:
    write(lake, "append", files(["a"]))
    write(lake, "append", files(["b"]))
    take_back(lake, files)
    compact(lake)
    kinds = [(step.version, step.kind, len(step.changes)) for step in lake.changes(2)]
    assert kinds == [(3, "repair", 0), (4, "compact", 0)]


def test_reading_past_the_end_is_not_an_error(lake: Lake, files: Rows) -> None:
    write(lake, "append", files(["a"]))
    assert list(lake.changes(1)) == []
    assert list(lake.changes(7)) == []
    assert [step.version for step in lake.changes(0, upto=9)] == [1]


def test_a_row_that_came_and_went_in_one_batch_is_not_told(lake: Lake, files: Rows) -> None:
    write(lake, "append", files(["a"]))
    with lake.writer("mixed") as writer:
        writer.append("archive.files", files(["b"]))
        writer.delete("archive.files", files(["b"]))
        writer.commit()
    (step,) = lake.changes(1)
    assert step.changes == ()


def test_a_replaced_row_is_removed_and_inserted_once(lake: Lake, files: Rows) -> None:
    write(lake, "append", files(["a", "b"]))
    with lake.writer("mixed") as writer:
        for size in (1, 2, 3):
            writer.replace("archive.files", files(["a"], size=size))
        writer.commit()
    (step,) = lake.changes(1)
    (change,) = step.changes
    assert change.removed_keys.to_pylist() == [{"dp_id": "a"}]
    assert change.inserted["size"].to_pylist() == [3]


def test_a_published_table_comes_with_its_declaration_and_goes_with_its_name(
    lake: Lake, catalogue: Table
) -> None:
    publish(lake, catalogue)
    unpublish(lake, catalogue)
    came, went = lake.changes(0)
    assert came.declared == (catalogue,)
    assert [change.table for change in came.changes] == [catalogue.name]
    assert (went.dropped, went.declared, went.changes) == ((catalogue.name,), (), ())


def test_a_declaration_is_told_once(lake: Lake, catalogue: Table, files: Rows) -> None:
    publish(lake, catalogue)
    write(lake, "append", files(["a"]))
    write(lake, "append", pa.table({"id": [7]}), catalogue.name)
    assert [len(step.declared) for step in lake.changes(0)] == [1, 0, 0]


def test_a_table_published_anew_in_another_shape_is_dropped_first(lake: Lake, catalogue: Table) -> None:
    publish(lake, catalogue)
    publish(lake, catalogue.model_copy(update={"columns": catalogue.columns[:1]}))
    *_, step = lake.changes(0)
    assert step.dropped == (catalogue.name,)
    assert [table.name for table in step.declared] == [catalogue.name]
    assert step.changes[0].inserted["id"].to_pylist() == [1, 2]
    assert step.changes[0].removed_keys.num_rows == 0


def test_other_engines_read_the_same_changes(lake: Lake, files: Rows) -> None:
    """Delta's own reader of the feed, netted by key, agrees with ours."""
    write(lake, "append", files("abc"))
    write(lake, "replace", files(["a", "x"], size=2))
    take_back(lake, files)
    write(lake, "delete", files(["b"]))
    pin = lake.entry().tables["archive.files"]
    table = DeltaTable(lake.root / pin.path)
    feed = pa.table(table.load_cdf(0, pin.version)).to_pylist()
    rows: dict[str, int] = {}
    for version in range(pin.version + 1):
        events = [event for event in feed if event["_commit_version"] == version]
        for event in events:
            if event["_change_type"] in ("delete", "update_preimage"):
                rows.pop(event["dp_id"])
        for event in events:
            if event["_change_type"] in ("insert", "update_postimage"):
                rows[event["dp_id"]] = event["size"]
    assert rows == {row["dp_id"]: row["size"] for row in lake.read("archive.files").to_pylist()}


@pytest.mark.parametrize("lost", ["commit", "data"])
def test_a_lost_file_makes_the_feed_incomplete(lake: Lake, files: Rows, lost: str) -> None:
    write(lake, "append", files(["a"]))
    write(lake, "append", files(["b"]))
    folder = lake.root / "archive/files"
    if lost == "data":
        lake.files("archive.files", 1)[0].unlink()
    else:
        (folder / "_delta_log/00000000000000000001.json").unlink()
    with pytest.raises(FeedIncomplete, match=r"archive\.files"):
        list(Lake(lake.root, lake.declared).changes(0))


def test_the_size_of_changes_is_known_before_they_are_read(lake: Lake, files: Rows) -> None:
    for method, names in (("append", "abcdef"), ("replace", "ab"), ("delete", "c")):
        write(lake, method, files(names))
    compact(lake)
    assert lake.change_sizes(0, 1) == {"archive.files": 6}
    assert lake.change_sizes(2, 3) == {"archive.files": 1}
    assert lake.change_sizes(3, 4)["archive.files"] == 0
    assert lake.change_sizes(1, 3)["archive.files"] >= sum(
        change.inserted.num_rows + change.removed_keys.num_rows for change in lake.difference(1, 3).changes
    )
    assert lake.difference(0, 3, without={"archive.files"}).changes == ()
