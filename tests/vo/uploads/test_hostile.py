"""Tables that nobody should send are refused, soon and in little memory, with a reason."""

from __future__ import annotations

import base64
import gzip
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vo.dali import Parameters, PostedFile, UsageFault
from vo.uploads.limits import UploadLimits
from vo.uploads.request import read_uploads

HEAD = "<VOTABLE><RESOURCE><TABLE>"
TAIL = "</TABLE></RESOURCE></VOTABLE>"
INT = '<FIELD name="a" datatype="int"/>'


def _stream(form: str, data: bytes, fields: str = INT) -> bytes:
    coded = base64.b64encode(data).decode()
    text = f'{HEAD}{fields}<DATA><{form}><STREAM encoding="base64">{coded}</STREAM></{form}></DATA>{TAIL}'
    return text.encode()


def _rows(cells: str, fields: str = INT) -> bytes:
    return f"{HEAD}{fields}<DATA><TABLEDATA>{cells}</TABLEDATA></DATA>{TAIL}".encode()


def _entities(body: str) -> bytes:
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return f'<!DOCTYPE VOTABLE [<!ENTITY l0 "ha">{levels}]><VOTABLE>{body}</VOTABLE>'.encode()


def _parquet(table: pa.Table, **options: object) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


def _compressed_zeros() -> bytes:
    return _parquet(pa.table({"a": pa.array([0.0] * 900_000)}), use_dictionary=False, compression="zstd")


def _one_long_text() -> bytes:
    text = pa.array(["x" * 2_000_000] * 1000, pa.large_string())
    return _parquet(pa.table({"a": text}), compression="zstd")


HOSTILE: dict[str, Callable[[], bytes]] = {
    "entities within entities": lambda: _entities("&l9;"),
    "an entity that is a file": lambda: b'<!DOCTYPE V [<!ENTITY x SYSTEM "file:///etc/passwd">]><V>&x;</V>',
    "parameter entities": lambda: b'<!DOCTYPE V [<!ENTITY % x "y"> %x;]><VOTABLE/>',
    "ten million columns": (lambda: HEAD.encode() + INT.encode() * 10_000_000),
    "ten million columns of CSV": lambda: b"," * 10_000_000 + b"\n1\n",
    "deep nesting": lambda: b"<VOTABLE>" + b"<RESOURCE>" * 1_000_000,
    "an attribute without end": lambda: b'<VOTABLE ID="' + b"x" * 50_000_000,
    "a table that refers to itself": lambda: (
        b'<VOTABLE><RESOURCE><TABLE ID="t" ref="t"/></RESOURCE></VOTABLE>'
    ),
    "a stream elsewhere": lambda: (
        HEAD.encode()
        + f'{INT}<DATA><BINARY><STREAM href="file:///etc/passwd"/></BINARY></DATA>{TAIL}'.encode()
    ),
    "a row cut short": lambda: _stream("BINARY", b"\0\0\0\1\0\0"),
    "a length beyond the stream": lambda: _stream(
        "BINARY2", b"\0\xff\xff\xff\xff", '<FIELD name="a" datatype="double" arraysize="*"/>'
    ),
    "rows without bytes": lambda: _stream("BINARY", b"\0", '<FIELD name="a" datatype="char" arraysize="0"/>'),
    "values as large as memory": lambda: _rows("", '<FIELD name="a" datatype="int" arraysize="999999999"/>'),
    "wide rows, all missing": lambda: _rows(
        "<TR><TD/></TR>" * 300_000, '<FIELD name="a" datatype="double" arraysize="100000"/>'
    ),
    "no base64": lambda: _stream("BINARY", b"").replace(b'base64"><', b'base64">%%%<'),
    "base64 cut short": lambda: _stream("BINARY", b"\0\0\0\1").replace(b"=", b""),
    "more cells than columns": lambda: _rows("<TR><TD>1</TD><TD>2</TD></TR>"),
    "fewer cells than columns": lambda: _rows("<TR></TR>"),
    "a list of another length": lambda: _rows(
        "<TR><TD>1 2</TD></TR>", '<FIELD name="a" datatype="int" arraysize="3"/>'
    ),
    "a number that is none": lambda: _rows("<TR><TD>one</TD></TR>"),
    "a number that is too large": lambda: _rows("<TR><TD>4294967296</TD></TR>"),
    "a datatype that is none": lambda: _rows("", '<FIELD name="a" datatype="blob"/>'),
    "a name twice": lambda: _rows("", INT + INT.replace('"a"', '"A"')),
    "a document cut short": lambda: _rows("<TR><TD>1</TD></TR>")[:-60],
    "no FITS": lambda: _stream("FITS", b"SIMPLE  = " + b" " * 100),
    "no table": lambda: b"<VOTABLE/>",
    "HTML": lambda: b"<html><body>Not found</body></html>",
    "bytes": lambda: bytes(range(256)) * 100,
    "nothing": lambda: b"",
    "a zip bomb": lambda: gzip.compress(b"<VOTABLE>" + b" " * 200_000_000, 9),
    "a damaged gzip": lambda: gzip.compress(_rows("<TR><TD>1</TD></TR>"))[:-12],
    "Parquet in name only": lambda: b"PAR1" + b"\xff" * 1000 + b"PAR1",
    "Parquet that unpacks to gigabytes": _one_long_text,
    "damaged Parquet": lambda: _compressed_zeros()[:-200] + b"\0" * 196 + b"PAR1",
}

CSV_ODD = {"CSV with rows of other lengths": lambda: b"a,b\n1\n"}


def refused(data: bytes) -> str:
    file = PostedFile("t", "application/octet-stream", io.BytesIO(data))
    with pytest.raises(UsageFault) as caught:
        read_uploads(Parameters([("UPLOAD", "t,param:f"), ("f", file)]), UploadLimits())
    return str(caught.value)


@pytest.mark.parametrize("name", [*HOSTILE, *CSV_ODD])
@pytest.mark.slow
def test_it_is_refused_with_a_reason(name: str) -> None:
    told = refused((HOSTILE | CSV_ODD)[name]())
    assert told.startswith("the table t that came with the query cannot be read: ")
    assert "\n" not in told
    assert "Traceback" not in told


_MEASURE = """
import io, json, resource, sys, time
from vo.dali import Parameters, PostedFile, UsageFault
from vo.uploads.limits import UploadLimits
from vo.uploads.request import read_uploads

file = open(sys.argv[1], "rb")
form = PostedFile("t", "", file)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
begun = time.process_time()
try:
    read_uploads(Parameters([("UPLOAD", "t,param:f"), ("f", form)]), UploadLimits())
    refused = False
except UsageFault:
    refused = True
spent = time.process_time() - begun
child = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({
    "refused": refused,
    "seconds": spent + child.ru_utime + child.ru_stime,
    "megabytes": max(
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, child.ru_maxrss - before
    ) / 1024,
}))
"""

MEASURED = (
    "entities within entities",
    "ten million columns",
    "ten million columns of CSV",
    "deep nesting",
    "an attribute without end",
    "wide rows, all missing",
    "a zip bomb",
    "Parquet that unpacks to gigabytes",
)


@pytest.fixture(params=MEASURED)
def measured(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, float]]:
    path = tmp_path_factory.mktemp("hostile") / "file"
    path.write_bytes(HOSTILE[request.param]())
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(path)], capture_output=True, check=True, timeout=120
    )
    yield json.loads(done.stdout)
    path.unlink()


@pytest.mark.slow
def test_it_costs_little(measured: dict[str, float]) -> None:
    assert measured["refused"]
    assert measured["seconds"] < 2
    assert measured["megabytes"] < 200
