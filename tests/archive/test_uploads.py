"""Tables that come with a query are queried like those of the archive, on every engine."""

from __future__ import annotations

import io
import math
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io.votable import parse_single_table
from lxml import etree

from schemas.datatype import Datatype
from tests.archive.conftest import SmallArchive, add_rows, build_archive, observation
from tests.support.engines import ENGINES_SLOWLY
from vo.uploads.limits import UploadLimits
from vo.uploads.votable import read_votable

COUNT = 150
ROWS = [observation(number) for number in range(COUNT)]

FIELDS = """
<FIELD name="flag" datatype="boolean"/> <FIELD name="flags" datatype="boolean" arraysize="2"/>
<FIELD name="bit" datatype="bit"/> <FIELD name="bits" datatype="bit" arraysize="11"/>
<FIELD name="byte" datatype="unsignedByte"><VALUES null="7"/></FIELD>
<FIELD name="bytes" datatype="unsignedByte" arraysize="*"/>
<FIELD name="short" datatype="short"/> <FIELD name="shorts" datatype="short" arraysize="2x2"/>
<FIELD name="int" datatype="int" unit="s" ucd="time.duration" utype="a:b">
<DESCRIPTION>Whole</DESCRIPTION></FIELD>
<FIELD name="long" datatype="long"><VALUES null="-99"/></FIELD>
<FIELD name="char" datatype="char"/> <FIELD name="chars" datatype="char" arraysize="5"/>
<FIELD name="odd name" datatype="char" arraysize="*"/>
<FIELD name="select" datatype="unicodeChar" arraysize="8*"/>
<FIELD name="float" datatype="float"/> <FIELD name="floats" datatype="float" arraysize="3"/>
<FIELD name="double" datatype="double"/> <FIELD name="doubles" datatype="double" arraysize="2x*"/>
<FIELD name="fc" datatype="floatComplex"/> <FIELD name="dc" datatype="doubleComplex" arraysize="2"/>
<FIELD name="time" datatype="char" arraysize="*" xtype="timestamp"/>
<FIELD name="point" datatype="double" arraysize="2" xtype="point"/>
<FIELD name="circle" datatype="double" arraysize="3" xtype="circle"/>
<FIELD name="polygon" datatype="double" arraysize="*" xtype="polygon"/>
<FIELD name="interval" datatype="double" arraysize="2" xtype="interval"/>
<FIELD name="moc" datatype="char" arraysize="*" xtype="moc"/>
<FIELD name="region" datatype="char" arraysize="*" xtype="adql:REGION"/>
"""

CELLS = (
    (
        "T|T F|1|01100110011|255|0 128 255|-32768|1 2 3 4|-5|9007199254740993|x|abc|two words|Ω≈ç|"
        "1.5|1 NaN -Inf|0.1|1 2 3 4|1 -2|1 2 3 4|2020-02-29T12:34:56.789|10.5 -20|1 2 0.5|"
        "0 0 1 0 1 1|5 6|1/0 3-5|CIRCLE ICRS 1 2 3"
    ),
    (
        "F|F F|0|00000000000|0||32767|-1 -1 -1 -1|2147483647|-9223372036854775808|y|abcde|"
        "&lt;&amp;&gt;|a|NaN|0 0 0|+Inf||"
        "0 0|0 0 0 1|2021-01-01T00:00:00|359.99 90|0 0 1|10 10 11 10 11 11 10 12|NaN 6||"
        "POLYGON ICRS 0 0 1 0 1 1"
    ),
    "||||||||||||||||||||||||||".replace("||||", "||0|00000000000|", 1),
)


def document() -> bytes:
    rows = "".join(f"<TR>{''.join(f'<TD>{cell}</TD>' for cell in row.split('|'))}</TR>" for row in CELLS)
    return votable(FIELDS, rows)


def votable(fields: str, cells: str) -> bytes:
    data = f"<DATA><TABLEDATA>{cells}</TABLEDATA></DATA>"
    return f"<VOTABLE><RESOURCE><TABLE>{fields}{data}</TABLE></RESOURCE></VOTABLE>".encode()


@pytest.fixture(scope="module", params=ENGINES_SLOWLY)
def archive(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SmallArchive]:
    built = build_archive(tmp_path_factory.mktemp("uploads"), 0, engine=request.param)
    add_rows(built.lake, "ivoa.ObsCore", ROWS)
    built.refresh()
    yield built
    built.close()


def ask(archive: SmallArchive, query: str, uploads: dict[str, bytes], **more: Any) -> Any:
    given = ";".join(f"{name},param:{name}_file" for name in uploads)
    files = {f"{name}_file": (f"{name}.xml", data) for name, data in uploads.items()}
    data = {"LANG": "ADQL", "QUERY": query, "UPLOAD": given, **more}
    return archive.client.post("/tap/sync", data=data, files=files)


def rows(archive: SmallArchive, query: str, uploads: dict[str, bytes]) -> list[list[Any]]:
    reply = ask(archive, query, uploads, RESPONSEFORMAT="json")
    assert reply.status_code == 200, reply.text
    found: list[list[Any]] = reply.json()["data"]
    return found


def csv_of(names: str, values: list[tuple[Any, ...]]) -> bytes:
    return "\n".join([names, *(",".join(map(str, row)) for row in values)]).encode()


@pytest.mark.parametrize("form", ["TABLEDATA", "BINARY", "BINARY2"])
def test_what_is_selected_can_be_uploaded_again_and_is_the_same(archive: SmallArchive, form: str) -> None:
    media_type = f"application/x-votable+xml;serialization={form}"
    query = "SELECT * FROM TAP_UPLOAD.mine"
    sent = document()
    for _ in range(2):
        reply = ask(archive, query, {"mine": sent}, RESPONSEFORMAT=media_type)
        assert reply.status_code == 200, reply.text
        columns, arrays = read_votable(io.BytesIO(document()), UploadLimits())
        again, values = read_votable(io.BytesIO(reply.content), UploadLimits())
        for old, new, was, now in zip(columns, again, arrays, values, strict=True):
            assert new.model_copy(update={"null": old.null}) == old, old.name
            assert _plain(now.to_pylist()) == _plain(was.to_pylist()), old.name
        sent = reply.content


def _plain(values: list[Any]) -> list[str]:
    """NaN, which BINARY has for what is missing, is taken for that."""
    return [repr(value).replace("nan", "None") for value in values]


def test_texts_that_are_not_ascii_are_kept_in_a_datatype_that_has_them(archive: SmallArchive) -> None:
    fields = '<FIELD name="a" datatype="char" arraysize="*"/>'
    cells = "<TR><TD>déjà vu</TD></TR>"
    reply = ask(archive, "SELECT a FROM TAP_UPLOAD.t", {"t": votable(fields, cells)})
    (column,), (values,) = read_votable(io.BytesIO(reply.content), UploadLimits())
    assert column.votable == Datatype("unicodeChar", "*")
    assert values.to_pylist() == ["déjà vu"]


def test_astropy_reads_what_comes_back(archive: SmallArchive) -> None:
    found = parse_single_table(
        io.BytesIO(ask(archive, "SELECT * FROM tap_upload.mine", {"mine": document()}).content)
    ).to_table()
    first = found[0]
    assert bool(first["flag"])
    assert list(first["bits"]) == [c == "1" for c in "01100110011"]
    assert first["byte"] == 255
    assert first["long"] == 9007199254740993
    assert first["fc"] == 1 - 2j
    assert list(first["dc"]) == [1 + 2j, 3 + 4j]
    assert first["doubles"].tolist() == [[1, 2], [3, 4]]
    assert found["int"].unit == "s"


def test_it_is_joined_with_the_archive_by_a_key(archive: SmallArchive) -> None:
    wanted = [row["dp_id"] for row in ROWS[::10]]
    mine = csv_of("id,number", [(name, number) for number, name in enumerate(wanted)])
    found = rows(
        archive,
        "SELECT u.number, o.obs_id FROM TAP_UPLOAD.mine AS u JOIN ivoa.ObsCore AS o ON o.dp_id = u.id",
        {"mine": mine},
    )
    assert sorted(found) == [[n, ROWS[10 * n]["obs_id"]] for n in range(len(wanted))]


@pytest.mark.parametrize(
    "condition",
    [
        "1 = CONTAINS(POINT(o.s_ra, o.s_dec), CIRCLE(u.ra, u.dec, 3))",
        "DISTANCE(POINT(u.ra, u.dec), POINT(o.s_ra, o.s_dec)) <= 3",
        "1 = CONTAINS(POINT(u.ra, u.dec), CIRCLE(o.s_ra, o.s_dec, 3.0))",
    ],
)
def test_positions_are_matched_exactly(archive: SmallArchive, condition: str) -> None:
    rng = random.Random(5)
    near = [row for row in ROWS if row["s_ra"] is not None]
    places = [
        ((row["s_ra"] + rng.uniform(-4, 4)) % 360, max(-90, min(90, row["s_dec"] + rng.uniform(-4, 4))))
        for row in near
    ]
    mine = csv_of("n,ra,dec", [(n, repr(ra), repr(dec)) for n, (ra, dec) in enumerate(places)])
    found = rows(
        archive,
        f"SELECT u.n, o.dp_id FROM TAP_UPLOAD.mine AS u JOIN ivoa.ObsCore AS o ON {condition}",
        {"mine": mine},
    )
    expected = [
        [n, row["dp_id"]] for n, place in enumerate(places) for row in near if _apart(place, row) <= 3
    ]
    assert sorted(found) == sorted(expected)
    assert expected


def test_a_left_join_keeps_uploads_without_match(archive: SmallArchive) -> None:
    mine = csv_of("n,ra,dec", [(1, ROWS[1]["s_ra"], ROWS[1]["s_dec"]), (2, "", "")])
    found = rows(
        archive,
        "SELECT u.n, COUNT(o.dp_id) FROM TAP_UPLOAD.mine AS u LEFT JOIN ivoa.ObsCore AS o "
        "ON 1 = CONTAINS(POINT(o.s_ra, o.s_dec), CIRCLE(u.ra, u.dec, 0.001)) GROUP BY u.n ORDER BY u.n",
        {"mine": mine},
    )
    assert found == [[1, 1], [2, 0]]


def _apart(place: tuple[float, float], row: dict[str, Any]) -> float:
    (a, d), (b, e) = np.radians(place), np.radians([row["s_ra"], row["s_dec"]])
    h = math.sin((e - d) / 2) ** 2 + math.cos(d) * math.cos(e) * math.sin((b - a) / 2) ** 2
    return math.degrees(2 * math.asin(math.sqrt(h)))


def test_two_tables_come_with_one_query(archive: SmallArchive) -> None:
    found = rows(
        archive,
        "SELECT a.x, b.y FROM TAP_UPLOAD.one AS a CROSS JOIN TAP_UPLOAD.two AS b WHERE a.x = b.y",
        {"one": csv_of("x", [(1,), (2,)]), "two": csv_of("y", [(2,), (3,)])},
    )
    assert found == [[2, 2]]


def test_aggregates_sub_queries_and_sorting_work(archive: SmallArchive) -> None:
    mine = csv_of("g,v", [("a", 1.5), ("b", 2.5), ("a", 3.0)])
    found = rows(
        archive,
        "SELECT g, SUM(v) AS s, COUNT(*) AS n FROM TAP_UPLOAD.mine "
        "WHERE v > (SELECT MIN(v) FROM TAP_UPLOAD.mine) GROUP BY g ORDER BY s DESC",
        {"mine": mine},
    )
    assert found == [["a", 3.0, 1], ["b", 2.5, 1]]


def test_parquet_keeps_types_and_the_description_that_we_write(archive: SmallArchive) -> None:
    query = "SELECT dp_id, s_ra, t_exptime, access_estsize FROM TAP_UPLOAD.mine ORDER BY dp_id"
    answer = archive.client.get(
        "/tap/sync",
        params={
            "LANG": "ADQL",
            "QUERY": "SELECT dp_id, s_ra, t_exptime, access_estsize FROM ivoa.ObsCore",
            "FORMAT": "parquet",
        },
    )
    table = pq.read_table(io.BytesIO(answer.content))
    reply = ask(archive, query, {"mine": answer.content}, RESPONSEFORMAT="json")
    told = reply.json()
    assert told["data"] == [list(row.values()) for row in table.sort_by("dp_id").to_pylist()]
    assert {column["name"]: column.get("ucd") for column in told["metadata"]}["s_ra"] == "pos.eq.ra"


def test_parquet_of_others_is_read(archive: SmallArchive) -> None:
    table = pa.table({"when": pa.array([0], pa.timestamp("ns", "UTC")), "u": pa.array([7], pa.uint8())})
    file = io.BytesIO()
    pq.write_table(table, file)
    assert rows(archive, 'SELECT "when", u FROM TAP_UPLOAD.mine', {"mine": file.getvalue()}) == [
        ["1970-01-01T00:00:00", 7]
    ]


def test_a_table_may_stand_in_the_request_as_text(archive: SmallArchive) -> None:
    reply = archive.client.post(
        "/tap/sync",
        data={
            "LANG": "ADQL",
            "QUERY": "SELECT a FROM TAP_UPLOAD.t",
            "UPLOAD": "t,param:x",
            "x": "a\n5\n",
            "FORMAT": "csv",
        },
    )
    assert reply.text.split() == ["a", "5"]


@pytest.mark.parametrize(
    ("upload", "words"),
    [
        ("mine", "UPLOAD is a table's name"),
        ("mine,param:nothing", "has no file named 'nothing'"),
        ("mine,http://127.0.0.1/x", "does not read tables from URLs"),
        ("mine,file:///etc/passwd", "does not read tables from URLs"),
        ("a b,param:f", "UPLOAD names a table 'a b'"),
        ("a,param:f;A,param:f", "UPLOAD names A twice"),
    ],
)
def test_what_is_wrong_with_the_parameter_is_said(archive: SmallArchive, upload: str, words: str) -> None:
    reply = archive.client.post(
        "/tap/sync",
        data={"LANG": "ADQL", "QUERY": "SELECT * FROM TAP_UPLOAD.mine", "UPLOAD": upload},
        files={"f": ("f", b"a\n1\n")},
    )
    assert reply.status_code == 400
    info = next(etree.fromstring(reply.content).iter("{*}INFO"))
    assert info.get("value") == "ERROR"
    assert words in info.text


def test_a_table_that_did_not_come_is_not_known(archive: SmallArchive) -> None:
    reply = ask(archive, "SELECT * FROM TAP_UPLOAD.other", {"mine": b"a\n1\n"})
    assert reply.status_code == 400
    assert "TAP_UPLOAD.other" in reply.text


def test_others_do_not_see_it(archive: SmallArchive) -> None:
    ask(archive, "SELECT * FROM TAP_UPLOAD.mine", {"mine": b"a\n1\n"})
    tables = archive.client.get("/tap/tables").text
    assert "TAP_UPLOAD" not in tables
    reply = archive.client.get("/tap/sync", params={"LANG": "ADQL", "QUERY": "SELECT * FROM TAP_UPLOAD.mine"})
    assert reply.status_code == 400
