from __future__ import annotations

import io
from typing import Any

import pytest
from astropy.io import votable
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from schemas import Column, Kind, Table
from vo.scs.service import identifier

PATH = "/scs/demo.Stars"
HERE = {"RA": "10", "DEC": "20", "SR": "0.025"}


def _table(reply: Any) -> Any:
    return votable.parse(io.BytesIO(reply.content)).get_first_table()


def _infos(reply: Any) -> dict[str, str]:
    return {node.get("name"): node.get("value") for node in etree.fromstring(reply.content).iter("{*}INFO")}


def _message(reply: Any) -> str:
    assert reply.headers["content-type"].startswith(("application/x-votable+xml", "text/xml"))
    return _infos(reply)["Error"]


@pytest.mark.parametrize("path", [PATH, "/scs/DEMO.stars"])
def test_a_cone_finds_what_is_in_it(client: Any, path: str) -> None:
    reply = client.get(path, params=HERE)
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "text/xml"
    assert [str(value) for value in _table(reply).array["id"]] == ["star-0", "star-1", "star-2"]


@pytest.mark.parametrize("verbosity", ["", "1", "2", "3"])
def test_each_answer_has_the_three_columns_of_the_standard_once(client: Any, verbosity: str) -> None:
    fields = _table(client.get(PATH, params={**HERE, "VERB": verbosity})).fields
    by_ucd = {field.ucd: field for field in fields}
    for ucd in ("ID_MAIN", "POS_EQ_RA_MAIN", "POS_EQ_DEC_MAIN"):
        assert sum(field.ucd == ucd for field in fields) == 1
    assert (by_ucd["ID_MAIN"].datatype, by_ucd["ID_MAIN"].arraysize) == ("char", "*")
    assert {by_ucd[f"POS_EQ_{axis}_MAIN"].datatype for axis in ("RA", "DEC")} == {"double"}
    assert not any(field.ucd in ("pos.eq.ra", "pos.eq.dec") for field in fields)


@pytest.mark.parametrize(("verbosity", "columns"), [("1", 3), ("2", 4), ("3", 9)])
def test_more_verbosity_shows_more_columns(client: Any, verbosity: str, columns: int) -> None:
    assert len(_table(client.get(PATH, params={**HERE, "VERB": verbosity})).fields) == columns


def test_a_radius_of_zero_describes_the_columns(client: Any, index: Any) -> None:
    reply = client.get(PATH, params={**HERE, "SR": "0"})
    assert len(_table(reply).array) == 0
    assert _infos(reply)["QUERY_STATUS"] == "OK"
    assert index.asked == []


@pytest.mark.parametrize(("maxrec", "rows", "overflow"), [("2", 2, True), ("3", 3, False), ("0", 0, True)])
def test_maxrec_cuts_and_says_so(client: Any, maxrec: str, rows: int, *, overflow: bool) -> None:
    reply = client.get(PATH, params={**HERE, "MAXREC": maxrec})
    assert len(_table(reply).array) == rows
    assert (b"OVERFLOW" in reply.content) == overflow


def test_other_forms_are_answered(client: Any) -> None:
    reply = client.get(PATH, params={**HERE, "RESPONSEFORMAT": "csv", "VERB": "1"})
    assert reply.text.splitlines()[:2] == ["id,ra,dec", "star-0,10,20"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"RA": ""}, "RA is missing"),
        ({"RA": "ten"}, "RA must be a number"),
        ({"RA": "400"}, "RA=400"),
        ({"RA": "-1"}, "RA=-1"),
        ({"RA": "360.5"}, "RA=360.5"),
        ({"DEC": "90.5"}, "DEC=90.5"),
        ({"DEC": "-90.5"}, "DEC=-90.5"),
        ({"SR": "180.5"}, "SR=180.5"),
        ({"DEC": "91"}, "DEC=91"),
        ({"DEC": "nan"}, "DEC must be a number"),
        ({"SR": "-1"}, "SR=-1"),
        ({"SR": "181"}, "SR=181"),
        ({"SR": ["1", "2"]}, "SR is given 2 times"),
        ({"VERB": "4"}, "VERB"),
        ({"MAXREC": "x"}, "MAXREC"),
        ({"RESPONSEFORMAT": "pdf"}, "RESPONSEFORMAT"),
    ],
)
def test_a_wrong_request_is_a_document_with_an_error(client: Any, change: dict[str, Any], said: str) -> None:
    reply = client.get(PATH, params={**HERE, **change})
    assert reply.status_code == 200
    assert said in _message(reply)
    assert _infos(reply)["QUERY_STATUS"] == "ERROR"


@pytest.mark.parametrize("name", ["demo.none", "demo.plain", "secret.t"])
@pytest.mark.parametrize("child", ["", "/capabilities", "/availability", "/tables"])
def test_a_table_that_cannot_be_searched_is_404(client: Any, name: str, child: str) -> None:
    reply = client.get(f"/scs/{name}{child}", params=HERE)
    assert reply.status_code == 404
    assert b"demo.Stars" in reply.content


@given(
    ra=st.sampled_from(["0", "360", "359.9999"]),
    dec=st.sampled_from(["-90", "90", "0"]),
    radius=st.floats(1e-9, 180),
)
def test_every_legal_cone_is_answered(ra: str, dec: str, radius: float) -> None:
    from vo.dali import Parameters  # noqa: PLC0415 - only here
    from vo.scs.service import _cone  # noqa: PLC0415

    cone = _cone(Parameters([("RA", ra), ("DEC", dec), ("SR", repr(radius))]))
    assert cone is not None
    assert (cone.ra, cone.dec, cone.radius) == (float(ra) % 360, float(dec), radius)


def test_the_identifier_is_the_column_marked_as_such_else_the_key() -> None:
    plain = Column(name="a", kind=Kind.LONG)
    marked = Column(name="b", kind=Kind.TEXT, ucd="meta.id;meta.main")
    assert identifier(Table(schema_name="s", local_name="t", key=("a",), columns=(plain,))).name == "a"
    assert identifier(Table(schema_name="s", local_name="t", key=("a",), columns=(plain, marked))).name == "b"
