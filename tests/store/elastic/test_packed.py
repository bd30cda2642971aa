"""Packed rows come back as they were, whatever their values, and other bytes are told from them."""

from __future__ import annotations

import base64
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import Column, Kind, Table
from schemas.arrow import HEALPIX, arrow_type
from schemas.elastic import packed_columns
from store.elastic.packed import pack, unpack
from store.packed import Garbled
from tests.store.elastic.values import VALUES


def table(*columns: Column, **more: Any) -> Table:
    key = (columns[0].name,)
    return Table(schema_name="s", local_name="t", key=key, columns=columns, **more)


ALL = table(
    *(Column(name=f"{kind}", kind=kind) for kind in Kind),
    *(Column(name=f"{kind}s", kind=kind, array="*") for kind in (Kind.SHORT, Kind.DOUBLE, Kind.TEXT)),
)


def values_of(column: Column) -> st.SearchStrategy[Any]:
    values = VALUES[column.kind]
    return st.none() | (st.lists(st.none() | values, max_size=3) if column.array else values)


@st.composite
def batches(draw: st.DrawFn) -> pa.RecordBatch:
    count = draw(st.integers(0, 6))
    return pa.record_batch(
        {
            column.name: pa.array(
                draw(st.lists(values_of(column), min_size=count, max_size=count)), arrow_type(column)
            )
            for column in ALL.columns
        }
    )


def names(declared: Table) -> set[str]:
    return {column.name.lower() for column in declared.columns}


@settings(max_examples=40)
@given(batches())
def test_rows_come_back_as_they_were(batch: pa.RecordBatch) -> None:
    found = unpack(ALL, pack(ALL, batch), names(ALL))
    found.validate(full=True)
    for name in batch.schema.names:
        assert found[name].combine_chunks().equals(batch.column(name)), name


@settings(max_examples=40)
@given(batches(), st.sets(st.sampled_from(sorted(names(ALL)))), st.randoms())
def test_any_rows_in_any_order_and_some_columns_alone_can_be_read(
    batch: pa.RecordBatch, wanted: set[str], chance: Any
) -> None:
    order = list(range(batch.num_rows)) * 2
    chance.shuffle(order)
    packed = pack(ALL, batch)
    found = unpack(ALL, [packed[place] for place in order], wanted)
    assert {name.lower() for name in found.column_names} == wanted
    assert found.num_rows == len(order)
    for name in found.column_names:
        assert found[name].combine_chunks().equals(batch.column(name).take(pa.array(order, pa.int64())))


@settings(max_examples=20)
@given(batches())
def test_a_row_is_whole_threes_of_bytes(batch: pa.RecordBatch) -> None:
    assert all(len(row) % 4 == 0 and "=" not in row for row in pack(ALL, batch))


def test_a_slice_is_packed_as_its_rows_are_alone() -> None:
    declared = table(Column(name="t", kind=Kind.TEXT), Column(name="p", kind=Kind.POLYGON))
    batch = pa.record_batch(
        {
            "t": ["a", None, "cde", ""],
            "p": pa.array([[1.0], [], None, [2.0, 3.0]], arrow_type(declared.columns[1])),
        }
    )
    assert pack(declared, batch.slice(1, 2)) == pack(declared, batch)[1:3]


def test_the_cell_of_a_position_is_part_of_the_row_and_missing_without_one() -> None:
    declared = table(*(Column(name=name, kind=Kind.DOUBLE) for name in ("ra", "dec")), position=("ra", "dec"))
    batch = pa.record_batch({"ra": [1.0, None], "dec": [2.0, None], HEALPIX: pa.array([7, -1], pa.int64())})
    assert unpack(declared, pack(declared, batch), {HEALPIX}).to_pydict() == {HEALPIX: [7, None]}


def test_what_is_no_finite_number_is_missing_and_so_is_a_column_that_the_rows_lack() -> None:
    declared = table(Column(name="x", kind=Kind.FLOAT), Column(name="n", kind=Kind.TEXT))
    batch = pa.record_batch({"X": pa.array([float("nan"), float("-inf"), -0.0], pa.float64())})
    found = unpack(declared, pack(declared, batch), {"x", "n"}).to_pydict()
    assert str(found) == "{'n': [None, None, None], 'x': [None, None, -0.0]}"


@pytest.mark.parametrize(
    "changed",
    [
        (Column(name="a", kind=Kind.INT), Column(name="b", kind=Kind.TEXT)),
        (Column(name="a", kind=Kind.LONG), Column(name="c", kind=Kind.TEXT)),
        (Column(name="a", kind=Kind.LONG), Column(name="b", kind=Kind.TEXT, array="*")),
        (Column(name="a", kind=Kind.LONG),),
    ],
)
def test_another_layout_is_known_by_the_declared_columns(changed: tuple[Column, ...]) -> None:
    one = table(Column(name="b", kind=Kind.TEXT), Column(name="a", kind=Kind.LONG))
    assert packed_columns(one) == packed_columns(table(*reversed(one.columns)))
    assert packed_columns(one) != packed_columns(table(*changed))


@pytest.mark.parametrize(
    "bytes_",
    [b"", b"\xff" * 9, b"\0" * 6, b"\x03" + b"\0" * 8, b"\x03" + b"\0" * 8 + b"\xff\0\0\0" + b"\0" * 5],
)
def test_other_bytes_are_refused(bytes_: bytes) -> None:
    declared = table(Column(name="a", kind=Kind.LONG), Column(name="b", kind=Kind.TEXT))
    with pytest.raises(Garbled):
        unpack(declared, [base64.b64encode(bytes_).decode()], {"a", "b"})


def test_what_is_no_base64_is_refused() -> None:
    with pytest.raises(Garbled):
        unpack(table(Column(name="a", kind=Kind.LONG)), ["abc"], {"a"})
