"""STILTS finds nothing wrong with a served archive, and works with it."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.support.holdings import ABELL_478, Holdings
from tests.support.processes import Server
from tests.support.stilts import stilts

pytestmark = pytest.mark.slow

STAGES = "TMV TME TMS TMC CPV CAP AVV QGE QPO QAS UWS MDQ OBS UPL EXA"
EVERYTHING = "SELECT * FROM ivoa.ObsCore"


@pytest.fixture
def answer(tmp_path: Path) -> Path:
    return tmp_path / "answer.xml"


def test_taplint_finds_no_error(server: Server) -> None:
    report = stilts("taplint", f"tapurl={server.url}/tap", f"stages={STAGES}")
    assert "Totals: Errors: 0;" in report
    assert [line for line in report.splitlines() if line.startswith(("E-", "F-"))] == []


@pytest.mark.parametrize("form", ["votable/td", "votable/b", "votable/b2"])
def test_votlint_reads_the_answers_of_tap(server: Server, answer: Path, form: str) -> None:
    query = {"LANG": "ADQL", "QUERY": EVERYTHING, "RESPONSEFORMAT": form}
    answer.write_bytes(httpx.get(f"{server.url}/tap/sync", params=query).content)
    assert b"QUERY_STATUS" in answer.read_bytes()
    assert stilts("votlint", f"votable={answer}") == ""


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/scs/ivoa.obscore", {"RA": "63.3558", "DEC": "10.4663", "SR": "1", "VERB": "3"}),
        ("/scs/ivoa.obscore", {"RA": "0", "DEC": "0", "SR": "0"}),
        ("/scs/ivoa.obscore", {"RA": "400", "DEC": "0", "SR": "1"}),
        ("/tap/sync", {"LANG": "ADQL", "QUERY": "SELECT nonsense FROM nowhere"}),
        ("/api/v1/tables/ivoa.obscore/rows", {"format": "votable"}),
        ("/sia2", {"POS": "CIRCLE 63.3558 10.4663 1"}),
        ("/sia2", {"MAXREC": "0"}),
        ("/sia2", {"BAND": "2 1"}),
        ("/datalink/links", {"ID": "none"}),
    ],
    ids=[
        "cone",
        "cone of nothing",
        "cone refused",
        "query refused",
        "json api",
        "images",
        "images described",
        "images refused",
        "no links",
    ],
)
def test_votlint_reads_other_answers(
    server: Server, answer: Path, path: str, parameters: dict[str, str]
) -> None:
    answer.write_bytes(httpx.get(f"{server.url}{path}", params=parameters).content)
    assert answer.read_bytes().startswith(b"<?xml")
    assert stilts("votlint", f"votable={answer}") == ""


def test_datalinklint_finds_no_error(server: Server, answer: Path) -> None:
    query = {"LANG": "ADQL", "QUERY": "SELECT obs_publisher_did FROM ivoa.ObsCore", "RESPONSEFORMAT": "csv"}
    identifiers = httpx.get(f"{server.url}/tap/sync", params=query).text.split()[1:]
    answer.write_bytes(
        httpx.post(f"{server.url}/datalink/links", data={"ID": [*identifiers, "none"]}).content
    )
    report = stilts("datalinklint", f"votable={answer}")
    assert "Errors: 0; Warnings: 0;" in report


def test_tapquery_brings_every_row(server: Server, small_holdings: Holdings) -> None:
    told = stilts(
        "tapquery",
        f"tapurl={server.url}/tap",
        "sync=true",
        f"adql={EVERYTHING}",
        "ocmd=keepcols dp_id",
        "ofmt=csv",
    )
    lines = told.split()
    assert lines[0] == "dp_id"
    assert len(lines) == 1 + len(small_holdings.accepted)


@pytest.mark.parametrize("sync", ["true", "false"])
def test_tapquery_joins_a_table_of_its_own(
    server: Server, small_holdings: Holdings, tmp_path: Path, sync: str
) -> None:
    mine = tmp_path / "mine.csv"
    mine.write_text("n,ra,dec\n1,0,90\n2,83.6,22\n")
    told = stilts(
        "tapquery",
        f"tapurl={server.url}/tap",
        f"sync={sync}",
        "nupload=1",
        f"upload1={mine}",
        "ufmt1=csv",
        "upname1=mine",
        "adql=SELECT n, ra, dec, COUNT(o.dp_id) AS hits FROM TAP_UPLOAD.mine AS u "
        "LEFT JOIN ivoa.ObsCore AS o ON 1 = CONTAINS(POINT(o.s_ra, o.s_dec), CIRCLE(u.ra, u.dec, 180)) "
        "GROUP BY n, ra, dec ORDER BY n",
        "ofmt=csv",
    )
    lines = told.split()
    assert "n,ra,dec,hits" in lines
    (one,) = (line for line in lines if line.startswith("1,0.0,90"))
    (two,) = (line for line in lines if line.startswith("2,83.6,22"))
    assert one.rpartition(",")[2] == two.rpartition(",")[2]
    assert 0 < int(one.rpartition(",")[2]) <= len(small_holdings.accepted)


def test_coneskymatch_asks_for_each_row(server: Server, tmp_path: Path) -> None:
    mine = tmp_path / "mine.csv"
    ra, dec = ABELL_478
    mine.write_text(f"n,ra,dec\n1,{ra},{dec}\n2,10,-80\n")
    told = stilts(
        "coneskymatch",
        f"in={mine}",
        "ifmt=csv",
        "ra=ra",
        "dec=dec",
        "sr=0.5",
        "servicetype=cone",
        f"serviceurl={server.url}/scs/ivoa.obscore",
        "find=each",
        "ocmd=keepcols 'n dp_id'",
        "ofmt=csv",
    )
    rows = dict(line.split(",", 1) for line in told.split() if line[:2] in ("1,", "2,"))
    assert rows["1"]
    assert not rows["2"].strip()


def test_cone_finds_the_cube(server: Server) -> None:
    ra, dec = ABELL_478
    told = stilts(
        "cone",
        f"serviceurl={server.url}/scs/ivoa.obscore",
        f"lon={ra}",
        f"lat={dec}",
        "radius=0.1",
        "ocmd=keepcols 'dataproduct_type target_name'",
        "ofmt=csv",
    )
    assert "cube,Abell 478" in told
