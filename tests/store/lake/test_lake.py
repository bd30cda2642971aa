"""What readers and writers of the lake may rely on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from schemas import Column, Kind, Schema, Schemas, Table, UnknownTableError
from store.lake import Incompatible, Lake, LakeError, VersionGone

Rows = Callable[..., pa.Table]


def ids(table: pa.Table) -> list[str]:
    return sorted(table["dp_id"].to_pylist())


def ingest(lake: Lake, rows: pa.Table) -> int:
    with lake.writer("ingest") as writer:
        writer.append("archive.files", rows)
        return writer.commit({"accepted": rows.num_rows})


def test_a_lake_that_is_not_there_is_version_zero_and_empty(lake: Lake) -> None:
    assert lake.version() == 0
    assert lake.read("archive.files").num_rows == 0
    assert lake.row_count("archive.files") == 0
    assert list(lake.changes(0)) == []
    assert not lake.root.exists()


def test_each_batch_makes_the_next_version(lake: Lake, files: Rows) -> None:
    assert [ingest(lake, files([name])) for name in "abc"] == [1, 2, 3]
    assert lake.version() == 3


def test_what_a_process_committed_it_does_not_read_back(
    lake: Lake, files: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    monkeypatch.setattr(type(lake.ledger), "_read", lambda _, version: read.append(version))
    assert ingest(lake, files(["a"])) == 1
    assert lake.entry(1).kind == "ingest"
    assert not read


def test_a_batch_over_several_tables_is_one_version(lake: Lake, files: Rows) -> None:
    with lake.writer("ingest") as writer:
        writer.append("phase3v2.provenance", pa.table({"product": ["a"], "source": [1]}))
        writer.append("archive.files", files(["a"]))
        assert lake.version() == 0
        assert lake.read("archive.files").num_rows == 0
        version = writer.commit({"accepted": 1})
    entry = lake.entry(version)
    assert (entry.kind, entry.batch, entry.summary) == ("ingest", writer.batch, {"accepted": 1})
    assert set(entry.tables) == {"phase3v2.provenance", "archive.files"}


def test_every_version_stays_readable(lake: Lake, files: Rows) -> None:
    for name in "abc":
        ingest(lake, files([name]))
    with lake.writer("withdraw") as writer:
        writer.delete("archive.files", pa.table({"dp_id": ["b"]}))
        writer.commit()
    assert [ids(lake.read("archive.files", version)) for version in range(5)] == [
        [],
        ["a"],
        ["a", "b"],
        ["a", "b", "c"],
        ["a", "c"],
    ]
    assert [lake.row_count("archive.files", version) for version in range(5)] == [0, 1, 2, 3, 2]


def test_another_process_sees_versions_as_they_come(lake: Lake, files: Rows) -> None:
    reader = Lake(lake.root, lake.declared)
    for number, name in enumerate("abc", start=1):
        ingest(lake, files([name]))
        assert reader.version() == number
        assert reader.row_count("archive.files") == number


def test_reads_choose_columns_and_rows(lake: Lake, files: Rows) -> None:
    ingest(lake, files(["a", "b"], size=7))
    found = lake.read("ARCHIVE.Files", columns=["size"], filter=pc.field("dp_id") == "b")
    assert found.to_pylist() == [{"size": 7}]
    assert lake.batches("archive.files", columns=["dp_id"]).read_all().num_rows == 2
    assert [path.suffix for path in lake.files("archive.files")] == [".parquet"]


def test_values_come_back_as_they_went_in(lake: Lake, files: Rows) -> None:
    rows = files(["a", "b"], size=2**40)
    ingest(lake, rows)
    assert lake.read("archive.files").select(rows.column_names).equals(rows)


def test_rows_carry_the_batch_that_wrote_them(lake: Lake, files: Rows) -> None:
    with lake.writer("ingest", batch="night-1") as writer:
        writer.append("archive.files", files(["a"]))
        writer.commit()
    assert lake.read("archive.files")["_batch"].to_pylist() == ["night-1"]


def test_append_leaves_out_known_and_repeated_keys_when_asked(lake: Lake, files: Rows) -> None:
    ingest(lake, files(["a", "b"], size=1))
    with lake.writer("ingest") as writer:
        left_out = writer.append("archive.files", files(["b", "c", "c"], size=2), dedupe=True)
        writer.commit()
    assert left_out["dp_id"].to_pylist() == ["b", "c"]
    assert lake.read("archive.files", filter=pc.field("dp_id") == "b")["size"].to_pylist() == [1]
    assert ids(lake.read("archive.files")) == ["a", "b", "c"]


def test_dedupe_tells_keys_of_several_columns_apart(lake: Lake) -> None:
    def links(*pairs: tuple[str, int]) -> pa.Table:
        return pa.table({"product": [p for p, _ in pairs], "source": [s for _, s in pairs]})

    with lake.writer("ingest") as writer:
        writer.append("phase3v2.provenance", links(("a", 11), ("a1", 1)))
        left_out = writer.append("phase3v2.provenance", links(("a", 11), ("a", 1)), dedupe=True)
        assert writer.delete("phase3v2.provenance", links(("a1", 1), ("a1", 2))) == 1
        writer.commit()
    assert left_out.select(["product", "source"]).to_pylist() == [{"product": "a", "source": 11}]
    assert sorted(lake.read("phase3v2.provenance")["source"].to_pylist()) == [1, 11]


def test_replace_takes_the_place_of_rows_and_the_last_of_equals_counts(lake: Lake, files: Rows) -> None:
    ingest(lake, files(["a", "b"], size=1))
    with lake.writer("replace") as writer:
        rows = pa.concat_tables([files(["b", "c"], size=2), files(["b"], size=3)])
        assert writer.replace("archive.files", rows) == 1
        writer.commit()
    sizes = {row["dp_id"]: row["size"] for row in lake.read("archive.files").to_pylist()}
    assert sizes == {"a": 1, "b": 3, "c": 2}


def test_replacing_many_keys_at_once(lake: Lake, files: Rows) -> None:
    names = [f"{number:06d}" for number in range(60_000)]
    ingest(lake, files(names))
    with lake.writer("remap") as writer:
        assert writer.replace("archive.files", files(names[5_000:], size=1)) == 55_000
        writer.commit()
    assert pc.sum(lake.read("archive.files")["size"]).as_py() == 55_000
    assert lake.row_count("archive.files") == 60_000


def test_lookup_answers_from_the_lake_and_from_the_batch_itself(lake: Lake, files: Rows) -> None:
    ingest(lake, files(["a", "b"], size=1))
    with lake.writer("ingest") as writer:
        writer.append("archive.files", files(["c"], size=2))
        writer.replace("archive.files", files(["a"], size=3))
        found = writer.lookup("archive.files", "path", ["/a", "/c", "/x"], ["size"])
    sizes = {row["dp_id"]: row["size"] for row in found.to_pylist()}
    assert sizes == {"a": 3, "c": 2}


def test_lookup_forgets_what_was_taken_back(lake: Lake, files: Rows) -> None:
    ingest(lake, files(["a"]))
    with lake.writer("ingest") as writer:
        writer.append("archive.files", files(["b"]))
        assert writer.lookup("archive.files", "dp_id", ["a", "b"]).num_rows == 2
    with lake.writer("ingest") as writer:
        assert writer.lookup("archive.files", "dp_id", ["a", "b"])["dp_id"].to_pylist() == ["a"]


def test_a_table_whose_first_batch_was_taken_back_begins_anew(lake: Lake, files: Rows) -> None:
    with lake.writer("ingest") as writer:
        writer.append("archive.files", files(["a"]), dedupe=True)
        assert writer.lookup("archive.files", "dp_id", ["a"]).num_rows == 1
    with lake.writer("ingest") as writer:
        writer.append("archive.files", files(["b"]))
        assert writer.append("archive.files", files(["a"]), dedupe=True).num_rows == 0
        writer.commit()
    assert ids(lake.read("archive.files")) == ["a", "b"]


def test_lookup_sees_what_another_process_wrote(lake: Lake, files: Rows) -> None:
    ingest(lake, files(["a"]))
    other = Lake(lake.root, lake.declared)
    for name in "bc":
        with lake.writer("ingest") as writer:
            assert writer.lookup("archive.files", "dp_id", [name]).num_rows == 0
        ingest(other, files([name]))
        with lake.writer("ingest") as writer:
            assert writer.lookup("archive.files", "dp_id", [name]).num_rows == 1


def test_without_commit_a_batch_never_was(lake: Lake, files: Rows) -> None:
    ingest(lake, files(["a"]))
    with lake.writer("ingest") as writer:
        writer.append("archive.files", files(["b"]))
        writer.append("phase3v2.provenance", pa.table({"product": ["b"], "source": [1]}))
    with suppress(ZeroDivisionError), lake.writer("ingest") as writer:
        writer.delete("archive.files", pa.table({"dp_id": ["a"]}))
        raise ZeroDivisionError
    assert ids(lake.read("archive.files")) == ["a"]
    assert lake.read("phase3v2.provenance").num_rows == 0


def test_a_batch_that_changes_nothing_makes_no_version(lake: Lake, files: Rows) -> None:
    ingest(lake, files(["a"]))
    with lake.writer("ingest") as writer:
        writer.append("archive.files", files([]))
        writer.delete("archive.files", pa.table({"dp_id": ["x"]}))
        assert writer.commit() == 1
    assert lake.version() == 1


def test_a_replayed_batch_does_nothing(lake: Lake, files: Rows) -> None:
    for _ in range(2):
        with lake.writer("ingest", batch="night-1") as writer:
            writer.append("archive.files", files(["a"]))
            assert writer.commit() == 1
    assert writer.replayed == 1
    assert lake.row_count("archive.files") == 1


def test_a_batch_that_ended_takes_no_more(lake: Lake, files: Rows) -> None:
    with lake.writer("ingest") as writer:
        writer.append("archive.files", files(["a"]))
        writer.commit()
        with pytest.raises(LakeError, match="ended"):
            writer.append("archive.files", files(["b"]))
    with pytest.raises(LakeError, match="ended"):
        writer.commit()


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (pa.table({"dp_id": ["a"], "colour": ["red"]}), "declares no column colour"),
        (pa.table({"dp_id": ["a"], "size": ["big"]}), "archive.files.size"),
        (pa.table({"dp_id": pa.array([None], pa.string())}), "without a value of their key dp_id"),
        (pa.table({"size": [1]}), "without a value of their key dp_id"),
    ],
)
def test_rows_that_contradict_the_declaration_are_refused(lake: Lake, rows: pa.Table, reason: str) -> None:
    with lake.writer("ingest") as writer, pytest.raises(Incompatible, match=reason):
        writer.append("archive.files", rows)


def test_versions_that_are_not_there_are_named(lake: Lake, files: Rows) -> None:
    ingest(lake, files(["a"]))
    with pytest.raises(VersionGone, match="no version 2; the newest is 1"):
        lake.read("archive.files", 2)
    with pytest.raises(UnknownTableError):
        lake.read("archive.nothing")


def wider(*more: Column) -> Schemas:
    table = Table(
        schema_name="archive",
        local_name="files",
        key=("dp_id",),
        columns=(*more, Column(name="dp_id", kind=Kind.TEXT), Column(name="size", kind=Kind.LONG)),
    )
    return Schemas([Schema(name="archive", tables=(table,))])


def test_an_added_column_is_null_in_older_rows(lake: Lake) -> None:
    old = Lake(lake.root, wider())
    ingest(old, pa.table({"dp_id": ["a"], "size": [1]}))
    new = Lake(lake.root, wider(Column(name="grade", kind=Kind.TEXT)))
    assert new.read("archive.files", 1)["grade"].to_pylist() == [None]
    with new.writer("replace") as writer:
        writer.replace("archive.files", pa.table({"dp_id": ["b"], "size": [1], "grade": ["A"]}))
        writer.commit()
    grades = {row["dp_id"]: row["grade"] for row in new.read("archive.files").to_pylist()}
    assert grades == {"a": None, "b": "A"}
    assert ids(old.read("archive.files")) == ["a", "b"]


def test_a_column_of_another_type_asks_for_a_migration(lake: Lake) -> None:
    ingest(Lake(lake.root, wider(Column(name="grade", kind=Kind.TEXT))), pa.table({"dp_id": ["a"]}))
    changed = Lake(lake.root, wider(Column(name="grade", kind=Kind.INT)))
    with changed.writer("ingest") as writer, pytest.raises(Incompatible, match="grade changed type"):
        writer.append("archive.files", pa.table({"dp_id": ["b"]}))


def test_a_published_table_is_declared_in_the_lake(lake: Lake, catalogue: Table) -> None:
    with lake.writer("publish") as writer:
        writer.declare(catalogue)
        writer.append("catalogues.stars", pa.table({"id": [1, 2], "mag": [5.5, None]}))
        writer.commit()
    other = Lake(lake.root, lake.declared)
    assert other.schemas().table("Catalogues.Stars") == catalogue
    assert other.read("catalogues.stars")["id"].to_pylist() == [1, 2]
    assert "catalogues.stars" not in other.schemas(0)


def test_a_withdrawn_table_stays_at_its_versions_and_may_come_again(lake: Lake, catalogue: Table) -> None:
    for number in (1, 2):
        with lake.writer("publish") as writer:
            writer.declare(catalogue)
            writer.append("catalogues.stars", pa.table({"id": [number]}))
            writer.commit()
        with lake.writer("unpublish") as writer:
            writer.undeclare("CATALOGUES.stars")
            writer.commit()
    assert [lake.row_count("catalogues.stars", version) for version in (1, 3)] == [1, 1]
    assert lake.read("catalogues.stars", 3)["id"].to_pylist() == [2]
    assert "catalogues.stars" not in lake.schemas()
    with lake.writer("unpublish") as writer, pytest.raises(UnknownTableError):
        writer.undeclare("catalogues.stars")


def test_publishing_again_keeps_rows_when_columns_are_only_added(lake: Lake, catalogue: Table) -> None:
    wide = catalogue.model_copy(update={"columns": (*catalogue.columns, Column(name="note", kind=Kind.TEXT))})
    narrow = catalogue.model_copy(update={"columns": catalogue.columns[:1]})
    counts: list[int] = []
    for declaration in (catalogue, wide, narrow):
        with lake.writer("publish") as writer:
            writer.declare(declaration)
            writer.append("catalogues.stars", pa.table({"id": [len(counts)]}))
            writer.commit()
        counts.append(lake.row_count("catalogues.stars"))
    assert counts == [1, 2, 1]


def test_our_own_tables_cannot_be_published_over(lake: Lake, declared: Schemas) -> None:
    with lake.writer("publish") as writer, pytest.raises(Incompatible, match="own tables"):
        writer.declare(declared.table("archive.files"))


def test_a_lake_is_a_folder_or_a_file_url(lake: Lake, files: Rows, declared: Schemas) -> None:
    ingest(lake, files(["a"]))
    assert Lake(lake.root.as_uri(), declared).row_count("archive.files") == 1
    with pytest.raises(LakeError, match="s3://"):
        Lake("s3://bucket/lake", declared)
    with pytest.raises(LakeError, match="percent sign"):
        Lake(lake.root / "a%20b", declared)


def test_a_corrupt_log_is_an_error_with_a_name(lake: Lake, files: Rows) -> None:
    ingest(lake, files(["a"]))
    (lake.root / "archive/files/_delta_log/00000000000000000001.json").write_text("{broken")
    with pytest.raises(LakeError, match="files"):
        Lake(lake.root, lake.declared).read("archive.files")


def test_a_lost_log_is_an_error_and_nothing_is_written(lake: Lake, files: Rows) -> None:
    ingest(lake, files(["a"]))
    (lake.root / "archive/files/_delta_log/00000000000000000001.json").unlink()
    with pytest.raises(LakeError, match="version 0 of 1"), Lake(lake.root, lake.declared).writer("ingest"):
        pass


def test_names_may_hold_any_character(tmp_path: Path, declared: Schemas) -> None:
    lake = Lake(tmp_path / "a b ü" / "lake", declared)
    names = ["a%20b/ü", "a_20b__", "..", ""]
    tables = [
        Table(schema_name="my cats", local_name=n, key=("id",), columns=(Column(name="id", kind=Kind.INT),))
        for n in names
    ]
    with lake.writer("publish") as writer:
        for number, table in enumerate(tables):
            writer.declare(table)
            writer.append(table.name, pa.table({"id": [number]}))
            writer.replace(table.name, pa.table({"id": [number]}))
        writer.commit()
    again = Lake(lake.root, lake.declared)
    assert [again.read(table.name)["id"].to_pylist() for table in tables] == [[0], [1], [2], [3]]
    assert {path.name for path in lake.root.iterdir()} == {"my_cats", "_lake", "_ledger", "_lease"}
