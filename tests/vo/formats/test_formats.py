from __future__ import annotations

import csv
import io
import json
import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits, votable
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from schemas import Column, Kind
from schemas.arrow import arrow_schema
from store.port import Answer, QueryError
from vo.dali import RowLimit, Rows, UsageFault
from vo.formats.registry import FORMATS, choose
from vo.votable.document import Head, Info

if TYPE_CHECKING:
    from collections.abc import Iterator

_COLUMNS = (
    Column(name="text", kind=Kind.TEXT, description="é & <x>", ucd="meta.note"),
    Column(name="long", kind=Kind.LONG, unit="km"),
    Column(name="double", kind=Kind.DOUBLE, unit="deg"),
    Column(name="flag", kind=Kind.BOOLEAN),
    Column(name="time", kind=Kind.TIMESTAMP),
    Column(name="point", kind=Kind.POINT),
    Column(name="ints", kind=Kind.INT, array="*"),
)
_TEXT = st.text(st.characters(codec="utf-8"), max_size=6) | st.sampled_from(
    ["", '"', "a,b", "\r\n", "\t", "\\", " x ", "\x00", "\x1f"]
)
_ROW = st.fixed_dictionaries(
    {
        "text": st.none() | _TEXT,
        "long": st.none() | st.integers(-(2**63) + 1, 2**63 - 1),
        "double": st.none() | st.floats(),
        "flag": st.none() | st.booleans(),
        "time": st.none() | st.datetimes(datetime(1, 1, 1), datetime(9999, 1, 1)),  # noqa: DTZ001 - no zone
        "point": st.none() | st.lists(st.floats(-90, 90), min_size=2, max_size=2),
        "ints": st.none() | st.lists(st.integers(-9, 9), max_size=3),
    }
)
_ROWS = st.lists(_ROW, max_size=6)


def _rows(rows: list[dict[str, Any]], limit: int = 100) -> Rows:
    batch = pa.RecordBatch.from_pylist(rows, schema=arrow_schema(_COLUMNS))
    half = len(rows) // 2
    return Rows(
        Answer(3, _COLUMNS, iter([batch.slice(0, half), batch.slice(half)])), RowLimit(limit, "of the test")
    )


def _write(name: str, rows: list[dict[str, Any]], limit: int = 100) -> bytes:
    form, _ = choose(name)
    return b"".join(form.write(_rows(rows, limit), Head((Info("lake_version", "3"),))))


def _time(value: datetime | None) -> str:
    return "" if value is None else value.isoformat(timespec="microseconds").rstrip("0").rstrip(".")


def _same_number(seen: str, value: float | None) -> bool:
    if value is None:
        return seen == ""
    return float(seen) == value or (math.isnan(value) and seen == "NaN")


@given(_ROWS)
def test_csv_reads_back(rows: list[dict[str, Any]]) -> None:
    lines = list(csv.reader(io.StringIO(_write("csv", rows).decode(), newline="")))
    assert lines[0] == [column.name for column in _COLUMNS]
    assert len(lines) == len(rows) + 1
    for line, row in zip(lines[1:], rows, strict=True):
        text, number, double, flag, time, _, _ = line
        assert (text, number) == (row["text"] or "", "" if row["long"] is None else str(row["long"]))
        assert _same_number(double, row["double"])
        assert (flag, time) == ({None: "", True: "true", False: "false"}[row["flag"]], _time(row["time"]))


def test_csv_tells_an_empty_text_from_a_missing_one() -> None:
    columns = ({"text": ""}, {"text": None})
    lines = _write("csv", list(columns)).splitlines()
    assert [line.split(b",")[0] for line in lines[1:]] == [b'""', b""]


@given(_ROWS)
def test_tsv_has_one_line_per_row(rows: list[dict[str, Any]]) -> None:
    lines = _write("tsv", rows).decode().split("\n")
    assert [line.count("\t") for line in lines] == [len(_COLUMNS) - 1] * (len(rows) + 1) + [0]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    double = row["double"]
    if double is not None and not math.isfinite(double):
        double = None
    return {**row, "double": double, "time": None if row["time"] is None else _time(row["time"])}


@given(_ROWS)
def test_json_reads_back(rows: list[dict[str, Any]]) -> None:
    document = json.loads(_write("json", rows))
    names = [column["name"] for column in document["metadata"]]
    assert [dict(zip(names, row, strict=True)) for row in document["data"]] == [_plain(row) for row in rows]
    assert document["status"] == "OK"
    assert document["info"] == {"lake_version": "3"}


@given(_ROWS)
def test_json_lines_read_back(rows: list[dict[str, Any]]) -> None:
    lines = _write("ndjson", rows).decode().split("\n")[:-1]
    assert [json.loads(line) for line in lines] == [_plain(row) for row in rows]


def test_json_says_when_rows_are_missing() -> None:
    document = json.loads(_write("json", [{"long": 1}, {"long": 2}], limit=1))
    assert (document["status"], len(document["data"])) == ("OVERFLOW", 1)
    assert "of the test" in document["message"]


@given(_ROWS)
def test_parquet_and_arrow_hold_the_same_table(rows: list[dict[str, Any]]) -> None:
    expected = pa.Table.from_pylist(rows, schema=arrow_schema(_COLUMNS))
    parquet = pq.read_table(pa.BufferReader(_write("parquet", rows))).replace_schema_metadata()
    with pa.ipc.open_stream(_write("arrow", rows)) as reader:
        stream = reader.read_all()
    for found in (parquet.cast(expected.schema), stream):
        assert repr(found.to_pylist()) == repr(expected.to_pylist())


def test_parquet_describes_its_columns_as_votable() -> None:
    metadata = pq.read_metadata(
        pa.BufferReader(_write("parquet", [{"long": 1}, {"long": 2}], limit=1))
    ).metadata
    assert metadata[b"IVOA.VOTable-Parquet.version"] == b"1.0"
    document = metadata[b"IVOA.VOTable-Parquet.content"]
    fields = votable.parse(io.BytesIO(document)).get_first_table().fields
    assert [(field.name, str(field.unit)) for field in fields][1:3] == [("long", "km"), ("double", "deg")]
    assert b'value="OVERFLOW"' in document


def test_an_arrow_stream_says_how_it_ended() -> None:
    with pa.ipc.open_stream(_write("arrow", [{"long": 1}, {"long": 2}], limit=1)) as reader:
        endings = [metadata for _, metadata in reader.iter_batches_with_custom_metadata()]
    assert endings[-1][b"QUERY_STATUS"] == b"OVERFLOW"


@given(_ROWS)
def test_fits_reads_back(rows: list[dict[str, Any]]) -> None:
    with fits.open(io.BytesIO(_write("fits", rows)), logical_as_bytes=True) as found:
        found.verify("exception")
        header, data = found[1].header, found[1].data
        assert header["NAXIS2"] == len(rows)
        assert (header["TUNIT2"], header["TUCD1"]) == ("km", "meta.note")
        null = header["TNULL2"]
        for at, row in enumerate(rows):
            assert data["long"][at] == (null if row["long"] is None else row["long"])
            double = math.nan if row["double"] is None else row["double"]
            assert np.array_equal(data["double"][at], double, equal_nan=True)
            assert data["time"][at] == _time(row["time"])
            text = "".join(c if " " <= c <= "~" else "?" for c in row["text"] or "")
            assert data["text"][at] == text.rstrip(" ")


def test_fits_fills_whole_blocks() -> None:
    assert len(_write("fits", [{"long": at} for at in range(100)])) % 2880 == 0
    assert len(_write("fits", [])) % 2880 == 0


def test_html_links_addresses_and_nothing_else() -> None:
    texts = [
        "https://host/a?b=1&c=<2>",
        'http://h/" onclick="x',
        "javascript:alert(1)",
        "see http://host",
        None,
    ]
    page = etree.HTML(_write("html", [{"text": text} for text in texts]))
    assert page.xpath("//td/a/@href") == texts[:2]
    assert not page.xpath("//@onclick")


def test_html_escapes_and_ends_with_its_remarks() -> None:
    page = etree.HTML(_write("html", [{"text": "<script>"}, {"text": "b"}], limit=1))
    assert page.xpath("//tbody/tr/td[1]/text()") == ["<script>"]
    assert "of the test" in page.xpath("string(//p)")


def test_text_is_aligned() -> None:
    lines = _write("text", [{"text": "long one", "long": 12}, {"text": "a", "long": 5}]).decode().splitlines()
    assert lines[0].startswith("text      long")
    assert [line[:14] for line in lines[2:]] == ["long one    12", "a            5"]


@pytest.mark.parametrize(
    "form", [form for form in FORMATS if form.suffix not in ("xml", "json", "txt", "html")]
)
def test_a_failure_after_the_first_rows_breaks_what_cannot_say_so(form: Any) -> None:
    def failing() -> Iterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pylist([{"long": 1}], schema=arrow_schema(_COLUMNS))
        raise QueryError("the disk is full")

    pieces = form.write(Rows(Answer(1, _COLUMNS, failing()), RowLimit(5, "")), Head())
    with pytest.raises(UsageFault, match="the disk is full"):
        list(pieces)


@pytest.mark.parametrize(
    ("asked", "alias", "answered"),
    [
        (None, "votable", "application/x-votable+xml"),
        ("votable", "votable", "application/x-votable+xml"),
        ("text/xml", "votable", "text/xml"),
        ("votable/b2", "votable/b2", "application/x-votable+xml;serialization=BINARY2"),
        (
            "application/x-votable+xml; serialization=binary2",
            "votable/b2",
            "application/x-votable+xml;serialization=BINARY2",
        ),
        (
            "application/x-votable xml;serialization=BINARY",
            "votable/b",
            "application/x-votable+xml;serialization=BINARY",
        ),
        ("text/xml;serialization=TABLEDATA", "votable/td", "text/xml;serialization=TABLEDATA"),
        ("csv", "csv", "text/csv;header=present"),
        ("text/csv", "csv", "text/csv"),
        ("text/csv; charset=utf-8", "csv", "text/csv"),
        (
            'application/x-votable+xml; serialization="BINARY2"',
            "votable/b2",
            "application/x-votable+xml;serialization=BINARY2",
        ),
        ("TSV", "tsv", "text/tab-separated-values"),
        ("application/json", "json", "application/json"),
        ("parquet", "parquet", "application/vnd.apache.parquet"),
        ("fits", "fits", "application/fits"),
    ],
)
def test_a_form_is_found_and_answers_with_the_type_asked_for(
    asked: str | None, alias: str, answered: str
) -> None:
    form, media_type = choose(asked)
    assert alias in form.aliases
    assert media_type == answered


@pytest.mark.parametrize(
    "asked", ["pdf", "text/csv;header=absent", "application/x-votable+xml;serialization=X"]
)
def test_an_unknown_form_is_refused_with_those_there_are(asked: str) -> None:
    with pytest.raises(UsageFault, match="votable/b2"):
        choose(asked)


def test_every_name_belongs_to_one_form() -> None:
    names = [name for form in FORMATS for name in (*form.media_types, *form.aliases)]
    assert len(names) == len({name.lower() for name in names})
