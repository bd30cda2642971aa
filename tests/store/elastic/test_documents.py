"""Rows become documents, value by value, and nothing is lost on the way."""

from __future__ import annotations

from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import Column, Kind, Table
from schemas.arrow import arrow_type
from store.elastic import documents as module
from store.elastic.documents import creations, deletions, document_keys, endings, live_at
from tests.store.elastic.values import VALUES


def bodies(operations: Any) -> list[dict[str, Any]]:
    """The documents as written, without their packed rows."""
    found = [orjson.loads(lines.splitlines()[1]) for _, lines in operations]
    for body in found:
        assert isinstance(body.pop("@row"), str)
    return found


@pytest.mark.parametrize("kind", Kind)
@given(data=st.data())
def test_values_of_every_kind_come_through_unchanged(kind: Kind, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.none() | VALUES[kind], max_size=9))
    column = Column(name="v", kind=kind)
    table = Table(
        schema_name="s", local_name="t", key=("k",), columns=(Column(name="k", kind=Kind.INT), column)
    )
    batch = pa.record_batch(
        {"k": pa.array(range(len(values)), pa.int32()), "v": pa.array(values, arrow_type(column))}
    )
    found = bodies(creations(table, [batch.slice(1)], 7))
    assert [body.get("v") for body in found] == values[1:]
    assert [set(body) - {"@key", "@since", "k", "v"} for body in found] == [set()] * len(found)


def test_whole_rows_are_as_they_are_told_value_by_value(
    obs: Any, rows_of: Any, document_of: Any, declared: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS", 7)
    rows = rows_of("sky.obs", obs(100))
    table = declared.table("sky.obs")
    place = rows.schema.get_field_index("day")
    told = rows.set_column(place, "day", rows["day"].cast(pa.int64())).to_pylist()
    expected = [document_of("sky.obs", row) | {"@since": 3} for row in told]
    assert bodies(creations(table, rows.to_batches(max_chunksize=23), 3)) == expected


def test_no_number_that_json_lacks_is_written(declared: Any) -> None:
    batch = pa.record_batch(
        {"a": pa.array([1, 2], pa.int32()), "b": ["x", "y"], "v": [float("nan"), float("-inf")]}
    )
    assert bodies(creations(declared.table("sky.plain"), [batch], 1)) == [
        {"a": 1, "b": "x", "@key": "1\x1fx", "@since": 1},
        {"a": 2, "b": "y", "@key": "2\x1fy", "@since": 1},
    ]


def test_a_document_s_id_tells_the_row_and_the_version(declared: Any) -> None:
    batch = pa.record_batch({"a": pa.array([1], pa.int32()), "b": ['x"\n'], "v": [0.5]})
    [(name, lines)] = creations(declared.table("sky.plain"), [batch], 42)
    assert name == '1\x1fx"\n@42'
    assert lines.count(b"\n") == 2
    assert orjson.loads(lines.splitlines()[0]) == {"create": {"_id": name}}


@given(st.lists(st.text(min_size=1) | st.text("a", min_size=470, max_size=490), unique=True))
def test_keys_of_any_length_stay_different_and_fit_an_id(keys: list[str]) -> None:
    found = document_keys(pa.table({"k": pa.array(keys, pa.string())}), ["k"])
    assert len(set(found)) == len(keys)
    assert all(len(f"{key}@{2**63}".encode()) <= 512 for key in found)
    assert [key for key in found if not key.startswith("#")] == [
        key for key in keys if len(key.encode()) <= 480 and not key.startswith("#")
    ]


def test_endings_and_deletions_are_lines_of_a_bulk_request() -> None:
    assert list(endings(["a@1", "b@1"], 5)) == [
        ("a@1", b'{"update":{"_id":"a@1"}}\n{"doc":{"@until":5}}\n'),
        ("b@1", b'{"update":{"_id":"b@1"}}\n{"doc":{"@until":5}}\n'),
    ]
    assert list(deletions(["a@1"])) == [("a@1", b'{"delete":{"_id":"a@1"}}\n')]


@given(st.integers(1, 9), st.none() | st.integers(1, 9), st.integers(1, 9))
def test_a_row_is_there_from_its_version_up_to_that_of_its_end(
    since: int, until: int | None, at: int
) -> None:
    query = live_at(at)["bool"]
    [began], [ended] = query["filter"], query["must_not"]
    alive = since <= began["range"]["@since"]["lte"] and not (
        until is not None and until <= ended["range"]["@until"]["lte"]
    )
    assert alive == (since <= at and (until is None or at < until))
