"""What is written as a VOTable and read as an upload is what it was, in every datatype."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import Column
from schemas.arrow import arrow_schema
from schemas.datatype import TEXTS, Datatype
from schemas.votable import votable_type
from store.port import Answer
from vo.dali import RowLimit, Rows
from vo.uploads.fields import FieldElement, column_of
from vo.uploads.limits import UploadLimits
from vo.uploads.votable import read_votable
from vo.votable.document import Head
from vo.votable.writer import Serialization, write

DATATYPES = (
    "boolean",
    "bit",
    "unsignedByte",
    "short",
    "int",
    "long",
    "char",
    "unicodeChar",
    "float",
    "double",
    "floatComplex",
    "doubleComplex",
)

SIZES = (None, "1", "3", "*", "4*", "2x3", "2x*")


def _element(datatype: str) -> st.SearchStrategy[Any]:
    bounds = {"unsignedByte": (0, 255)} | {
        name: (-(2 ** (bits - 1)) + 1, 2 ** (bits - 1) - 1)
        for name, bits in (("short", 16), ("int", 32), ("long", 64))
    }
    if datatype in ("boolean", "bit"):
        return st.booleans()
    if datatype in bounds:
        return st.integers(*bounds[datatype])
    width = 32 if datatype.startswith("float") else 64
    return st.floats(width=width, allow_nan=False)


def _text(declared: Datatype) -> st.SearchStrategy[str]:
    wide = declared.datatype == "unicodeChar"
    alphabet = st.characters(min_codepoint=33, max_codepoint=0x2FFF if wide else 126)
    most = declared.size if declared.size is not None else 6
    return st.text(alphabet, min_size=1, max_size=most)


def _values(declared: Datatype) -> st.SearchStrategy[Any]:
    if declared.datatype in TEXTS:
        return _text(declared)
    element = _element(declared.datatype)
    if not declared.is_list:
        return element
    if declared.numbers is not None:
        return st.lists(element, min_size=declared.numbers, max_size=declared.numbers)
    step = declared.width * (2 if "x" in (declared.arraysize or "") else 1)
    return st.integers(1, 3).flatmap(lambda n: st.lists(element, min_size=n * step, max_size=n * step))


@st.composite
def tables(draw: st.DrawFn) -> tuple[tuple[Column, ...], list[list[Any]]]:
    """Return columns as uploads declare them, and their values by column; some are missing."""
    rows = draw(st.integers(0, 5))
    columns, values = [], []
    for at in range(draw(st.integers(1, 6))):
        datatype, size = draw(st.sampled_from(DATATYPES)), draw(st.sampled_from(SIZES))
        column = column_of(
            FieldElement({"name": f"c{at}", "datatype": datatype} | ({"arraysize": size} if size else {})), at
        )
        one = _values(votable_type(column))
        if datatype not in ("bit", "unsignedByte"):
            one = st.none() | one
        columns.append(column)
        values.append(draw(st.lists(one, min_size=rows, max_size=rows)))
    return tuple(columns), values


def _written(columns: Sequence[Column], values: list[list[Any]], form: Serialization) -> bytes:
    schema = arrow_schema(columns)
    arrays = [pa.array(each, field.type) for each, field in zip(values, schema, strict=True)]
    batch = pa.RecordBatch.from_arrays(arrays, schema=schema)
    rows = Rows(Answer(1, tuple(columns), iter([batch])), RowLimit(1000, "enough"))
    return b"".join(bytes(piece) for piece in write(rows, Head(), form))


@pytest.mark.parametrize("form", list(Serialization))
@given(table=tables())
def test_every_datatype_comes_back_as_it_was(form: Serialization, table: Any) -> None:
    columns, values = table
    document = _written(columns, values, form)
    read, arrays = read_votable(io.BytesIO(document), UploadLimits())
    assert [(c.name, c.kind, c.votable, c.array) for c in read] == [
        (c.name, c.kind, c.votable, c.array) for c in columns
    ]
    schema = arrow_schema(columns)
    assert [a.to_pylist() for a in arrays] == [
        pa.array(v, f.type).to_pylist() for v, f in zip(values, schema, strict=True)
    ]


def _document(fields: str, cells: str) -> io.BytesIO:
    data = f"<DATA><TABLEDATA>{cells}</TABLEDATA></DATA>"
    return io.BytesIO(f"<VOTABLE><RESOURCE><TABLE>{fields}{data}</TABLE></RESOURCE></VOTABLE>".encode())


def test_metadata_are_kept() -> None:
    (column,), _ = read_votable(
        _document(
            '<FIELD name="flux &amp; more" datatype="short" unit="mJy" ucd="phot.flux" utype="a:b.c" '
            'xtype="odd">'
            '<DESCRIPTION> How\n bright </DESCRIPTION><VALUES null="-9"/></FIELD>',
            "",
        ),
        UploadLimits(),
    )
    assert (column.name, column.unit, column.ucd, column.utype) == (
        "flux & more",
        "mJy",
        "phot.flux",
        "a:b.c",
    )
    assert (column.description, column.null) == ("How bright", -9)
    assert votable_type(column) == Datatype("short", None, "odd")


def test_numbers_are_read_in_all_forms_that_votable_has() -> None:
    fields = '<FIELD name="a" datatype="int"/><FIELD name="b" datatype="double"/>'
    cells = "".join(
        f"<TR><TD>{a}</TD><TD>{b}</TD></TR>"
        for a, b in (("0x1F", "NaN"), (" +5 ", "+Inf"), ("-7", "-Inf"), ("", ""), ("0", "1e-3"))
    )
    _, (a, b) = read_votable(_document(fields, cells), UploadLimits())
    assert a.to_pylist() == [31, 5, -7, None, 0]
    first, *rest = b.to_pylist()
    assert math.isnan(first)
    assert rest == [math.inf, -math.inf, None, 1e-3]


def test_flags_may_stand_without_spaces() -> None:
    fields = (
        '<FIELD name="a" datatype="bit" arraysize="4"/><FIELD name="b" datatype="boolean" arraysize="*"/>'
    )
    _, (a, b) = read_votable(_document(fields, "<TR><TD>0110</TD><TD>T?F</TD></TR>"), UploadLimits())
    assert a.to_pylist() == [[False, True, True, False]]
    assert b.to_pylist() == [[True, None, False]]


def test_the_declared_null_is_a_missing_value_also_within_lists() -> None:
    fields = '<FIELD name="a" datatype="int" arraysize="*"><VALUES null="-1"/></FIELD>'
    _, (a,) = read_votable(_document(fields, "<TR><TD>1 -1 2</TD></TR>"), UploadLimits())
    assert a.to_pylist() == [[1, None, 2]]


def test_an_empty_text_and_none_are_told_apart_by_binary2() -> None:
    column = column_of(FieldElement({"name": "a", "datatype": "unicodeChar", "arraysize": "*"}), 0)
    document = _written((column,), [["", None, "x"]], Serialization.BINARY2)
    _, (a,) = read_votable(io.BytesIO(document), UploadLimits())
    assert a.to_pylist() == ["", None, "x"]
