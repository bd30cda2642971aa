from __future__ import annotations

import io
import math
import re
import shutil
import subprocess
from datetime import datetime
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from astropy.io import votable
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from schemas import Column, Kind
from schemas.arrow import arrow_schema
from store.port import Answer, QueryError
from vo.dali import RowLimit, Rows
from vo.votable.document import NAMESPACE, Head, Info, envelope
from vo.votable.writer import Serialization, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TEXT = st.text(max_size=8) | st.sampled_from(
    ["", "<&>\"'", "a\r\n\tb", "\x01\x1b", "\ufffe\uffff", "😀é", "]]>"]
)
_FLOAT = st.floats(width=32) | st.sampled_from([0.1, -0.0, math.inf, -math.inf, math.nan])
_DOUBLE = st.floats() | st.sampled_from([0.1, 1e-320, 1.7976931348623157e308, math.inf, -math.inf, math.nan])


def _integers(bits: int) -> st.SearchStrategy[int]:
    # The smallest number stands for a missing value in BINARY.
    return st.integers(-(2 ** (bits - 1)) + 1, 2 ** (bits - 1) - 1)


_VALUES: dict[str, tuple[Column, st.SearchStrategy[Any]]] = {
    "boolean": (Column(name="boolean", kind=Kind.BOOLEAN), st.booleans()),
    "short": (Column(name="short", kind=Kind.SHORT), _integers(16)),
    "int": (Column(name="int", kind=Kind.INT), _integers(32)),
    "long": (Column(name="long", kind=Kind.LONG), _integers(64)),
    "float": (Column(name="float", kind=Kind.FLOAT), _FLOAT.map(np.float32).map(float)),
    "double": (Column(name="double", kind=Kind.DOUBLE), _DOUBLE),
    "text": (Column(name="text", kind=Kind.TEXT), _TEXT),
    "ascii": (Column(name="ascii", kind=Kind.TEXT, ascii=True), _TEXT),
    "timestamp": (
        Column(name="timestamp", kind=Kind.TIMESTAMP),
        st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)),  # noqa: DTZ001 - Arrow holds no zone
    ),
    "region": (Column(name="region", kind=Kind.REGION), st.just("CIRCLE ICRS 1.5 2 3")),
    "point": (Column(name="point", kind=Kind.POINT), st.lists(st.floats(-90, 90), min_size=2, max_size=2)),
    "polygon": (Column(name="polygon", kind=Kind.POLYGON), st.lists(st.floats(-90, 90), max_size=6)),
    "longs": (Column(name="longs", kind=Kind.LONG, array="*"), st.lists(_integers(64), max_size=4)),
    "triple": (
        Column(name="triple", kind=Kind.INT, array="3"),
        st.lists(_integers(32), min_size=3, max_size=3),
    ),
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[tuple[Column, ...], list[dict[str, Any]]]:
    names = draw(st.lists(st.sampled_from(sorted(_VALUES)), min_size=1, max_size=6, unique=True))
    columns = tuple(_VALUES[name][0] for name in names)
    row = st.fixed_dictionaries({name: st.none() | _VALUES[name][1] for name in names})
    return columns, draw(st.lists(row, max_size=8))


def _batches(columns: tuple[Column, ...], rows: list[dict[str, Any]], cut: int) -> Iterator[pa.RecordBatch]:
    """Yield the rows in two views of one batch, so that arrays begin at an offset."""
    whole = pa.RecordBatch.from_pylist(rows, schema=arrow_schema(columns))
    yield whole.slice(0, cut)
    yield whole.slice(cut)


def _document(
    columns: tuple[Column, ...], batches: Iterator[pa.RecordBatch], form: str, limit: int = 100
) -> bytes:
    rows = Rows(Answer(1, columns, batches), RowLimit(limit, "the test's limit"))
    return b"".join(write(rows, Head((Info("lake_version", "1"),)), Serialization(form)))


def _as_read(column: Column, value: Any, form: str) -> Any:
    """Return what a reader sees: VOTable knows no missing texts and lists, and not every character."""
    if column.kind is Kind.TIMESTAMP:
        return "" if value is None else re.sub(r"\.?0+\Z", "", value.isoformat(timespec="microseconds"))
    if column.kind in (Kind.TEXT, Kind.REGION):
        text = re.sub(r"[^\x00-\x7f]", "?", value or "") if column.ascii else value or ""
        unwritten = r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]" if form == "TABLEDATA" else "\x00"
        return re.sub(unwritten, "", text)
    if column.kind is Kind.POLYGON or column.array == "*":
        return value or []
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return value


def _read(column: Column, value: Any) -> Any:
    any_length = column.array == "*" or column.kind is Kind.POLYGON
    if value is None or value is np.ma.masked:
        return [] if any_length else None
    if isinstance(value, np.ndarray):
        found = value.tolist()
        return None if not any_length and all(item is None for item in found) else found
    found = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(found, float) and math.isnan(found) else found


def _without_blanks(value: Any) -> Any:
    return value.strip(" \t\r\n") if isinstance(value, str) else value


@pytest.mark.parametrize("form", list(Serialization))
@given(table=tables(), data=st.data())
def test_a_reader_sees_what_was_written(form: str, table: Any, data: st.DataObject) -> None:
    columns, rows = table
    cut = data.draw(st.integers(0, len(rows)))
    document = _document(columns, _batches(columns, rows, cut), form)
    found = votable.parse(io.BytesIO(document), verify="ignore").get_first_table().array
    assert len(found) == len(rows)
    for column in columns:
        seen = [_read(column, value) for value in found[column.name]]
        expected = [_as_read(column, row[column.name], form) for row in rows]
        if form == Serialization.TABLEDATA:
            # astropy drops white space around the text of a cell.
            seen, expected = ([_without_blanks(value) for value in values] for values in (seen, expected))
        assert seen == expected


@pytest.mark.parametrize("form", list(Serialization))
@given(table=tables())
def test_every_document_is_valid(form: str, table: Any) -> None:
    columns, rows = table
    document = _document(columns, _batches(columns, rows, 0), form, limit=4)
    _schema().assertValid(etree.fromstring(document))


def _schema() -> etree.XMLSchema:
    folder = resources.files("astropy.io.votable") / "data"
    return etree.XMLSchema(etree.fromstring((folder / "VOTable.v1.4.xsd").read_bytes()))


_NUMBER = Column(name="n", kind=Kind.INT, description="a <b> & c", unit="m", ucd="meta.number")


def _numbers(count: int, size: int = 3) -> Iterator[pa.RecordBatch]:
    for start in range(0, count, size):
        rows = [{"n": at} for at in range(start, min(count, start + size))]
        yield pa.RecordBatch.from_pylist(rows, schema=arrow_schema([_NUMBER]))


def _statuses(document: bytes) -> list[tuple[str, str]]:
    found = etree.fromstring(document).iter("{*}INFO")
    return [(node.get("value"), node.text or "") for node in found if node.get("name") == "QUERY_STATUS"]


@pytest.mark.parametrize("form", list(Serialization))
@pytest.mark.parametrize("count", [0, 1, 5, 6, 7, 8])
def test_overflow_is_said_exactly_when_a_row_is_missing(form: str, count: int) -> None:
    document = _document((_NUMBER,), _numbers(min(count, 7)), form, limit=6)
    values = votable.parse(io.BytesIO(document)).get_first_table().array["n"].tolist()
    assert values == list(range(min(count, 6)))
    statuses = _statuses(document)
    assert statuses[0] == ("OK", "")
    assert [status for status, _ in statuses[1:]] == (["OVERFLOW"] if count > 6 else [])
    assert all("6" in text and "the test's limit" in text for _, text in statuses[1:])


@pytest.mark.parametrize("form", list(Serialization))
def test_maxrec_zero_describes_the_columns_and_overflows(form: str) -> None:
    document = _document((_NUMBER,), iter(()), form, limit=0)
    assert [status for status, _ in _statuses(document)] == ["OK", "OVERFLOW"]
    assert len(votable.parse(io.BytesIO(document)).get_first_table().array) == 0


def test_the_status_stands_before_the_table_and_the_overflow_after_it() -> None:
    document = etree.fromstring(_document((_NUMBER,), _numbers(9), "TABLEDATA", limit=2))
    tags = [etree.QName(node).localname for node in document[0]]
    assert (tags[0], tags[-2:]) == ("INFO", ["TABLE", "INFO"])


@pytest.mark.parametrize("form", list(Serialization))
def test_a_failure_between_rows_ends_the_document_well(form: str) -> None:
    def failing() -> Iterator[pa.RecordBatch]:
        yield from _numbers(3)
        raise QueryError("the disk is <full>")

    document = _document((_NUMBER,), failing(), form)
    assert _statuses(document)[1:] == [("ERROR", "UsageFault: the disk is <full>")]
    assert votable.parse(io.BytesIO(document)).get_first_table().array["n"].tolist() == [0, 1, 2]


def test_the_first_bytes_come_before_the_last_row_is_asked_for() -> None:
    asked: list[int] = []

    def slow() -> Iterator[pa.RecordBatch]:
        for at, batch in enumerate(_numbers(9)):
            asked.append(at)
            yield batch

    rows = Rows(Answer(1, (_NUMBER,), slow()), RowLimit(100, ""))
    pieces = write(rows, Head(), Serialization.TABLEDATA)
    assert next(pieces).startswith(b"<?xml")
    assert b"<TD>0</TD>" in next(pieces)
    assert asked == [0]


def test_columns_name_their_coordinate_and_time_systems() -> None:
    columns = (
        Column(name="ra", kind=Kind.DOUBLE, unit="deg", ucd="pos.eq.ra;meta.main"),
        Column(name="t_min", kind=Kind.DOUBLE, unit="d", ucd="time.start;obs.exposure"),
        Column(name="made", kind=Kind.TIMESTAMP, ucd="time.creation"),
        Column(name="period", kind=Kind.DOUBLE, unit="d", ucd="time.period"),
    )
    document = etree.fromstring(_document(columns, iter(()), "BINARY2"))
    systems = {node.get("ID"): node for tag in ("COOSYS", "TIMESYS") for node in document.iter(f"{{*}}{tag}")}
    assert [node.get("ref") for node in document.iter("{*}FIELD")] == ["icrs", "mjd", "utc", None]
    assert systems["icrs"].get("system") == "ICRS"
    assert systems["mjd"].get("timeorigin") == "MJD-origin"
    assert systems["utc"].get("timeorigin") is None


@pytest.mark.parametrize(
    "other",
    [{"unit": "m"}, {"description": "<?rows here?>"}, {"ucd": "time.epoch"}, {"name": "m"}, {"array": "*"}],
    ids=lambda other: next(iter(other)),
)
def test_columns_that_differ_a_little_are_each_described_as_they_are(other: dict[str, str]) -> None:
    column = Column(name="n", kind=Kind.LONG, unit="s", description="one", ucd="time.duration")
    documents = [
        b"".join(envelope([each], Head(), [("TABLEDATA", {})], declare_null=declare_null))
        for each in (column, column.model_copy(update=other), column)
        for declare_null in (False, True)
    ]
    assert documents[:2] == documents[4:]
    assert len(set(documents)) == 4 - ("array" in other)
    for document in documents:
        (table,) = etree.fromstring(document).iter(f"{{{NAMESPACE}}}TABLE")
        assert next(node.tag for node in table) == f"{{{NAMESPACE}}}FIELD"


def test_a_table_without_columns_is_a_document_too() -> None:
    document = b"".join(envelope([], Head(), [("TABLEDATA", {})], declare_null=False))
    assert not list(etree.fromstring(document).iter(f"{{{NAMESPACE}}}FIELD"))


def test_what_xml_cannot_hold_is_left_out_of_infos() -> None:
    rows = Rows(Answer(1, (_NUMBER,), iter(()), ("a\x00note",)), RowLimit(1, ""))
    document = b"".join(write(rows, Head((Info("query", "a\x07<b>"),)), Serialization.TABLEDATA))
    infos = {node.get("name"): node for node in etree.fromstring(document).iter("{*}INFO")}
    assert infos["query"].get("value") == "a<b>"
    assert infos["WARNING"].text == "anote"


@pytest.mark.slow
@pytest.mark.parametrize("form", list(Serialization))
def test_votlint_finds_nothing(form: str, tmp_path: Path) -> None:
    stilts = shutil.which("stilts")
    assert stilts is not None
    # votlint 3.4.7 cannot read lists of floating-point numbers of any length: it reads none of their numbers
    # in BINARY, and takes an empty cell for a bad number.
    columns = tuple(column for name, (column, _) in _VALUES.items() if name != "polygon")
    samples = {
        "boolean": True,
        "short": -3,
        "int": 4,
        "long": 2**62,
        "float": 0.5,
        "double": math.inf,
        "text": "é <&> 😀",
        "ascii": "plain",
        "timestamp": datetime(2020, 1, 1, 12),  # noqa: DTZ001 - Arrow holds no zone
        "region": "CIRCLE ICRS 1 2 3",
        "point": [1.0, 2.0],
        "longs": [1, 2, 3],
        "triple": [1, 2, 3],
    }
    rows = [samples, dict.fromkeys(samples), samples]
    path = tmp_path / "answer.xml"
    path.write_bytes(_document(columns, _batches(columns, rows, 1), form, limit=2))
    done = subprocess.run([stilts, "votlint", f"votable={path}"], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""
