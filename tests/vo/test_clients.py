"""The clients that people use, against the services over a real index."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
import pyvo
import uvicorn
from fastapi import FastAPI

from indexer.checks import Problems
from indexer.spherical import with_spherical_columns
from schemas import load_schemas
from schemas.arrow import arrow_schema
from store.lake import Lake
from store.port import Site
from tests.support.engines import ENGINES
from vo.dali import Limits
from vo.ports import Ports
from vo.protocols import PROTOCOLS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    # pyvo and the server's event loop leave sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    # pyvo reads units and overflows through astropy, which warns about both.
    pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyWarning"),
]

_STAGES = "TMV TME TMS TMC CPV CAP AVV QGE QPO MDQ OBS EXA"


def _rows() -> list[dict[str, Any]]:
    return [
        {
            "dp_id": f"ADP.{at}",
            "dataproduct_type": "cube",
            "calib_level": 3,
            "obs_collection": "MUSE",
            "obs_id": f"60.A-0001 {at}",
            "target_name": "Abell 478" if at else "Étoile <0>",
            "s_ra": 63.35 + at * 0.01,
            "s_dec": 10.46,
            "s_region": f"CIRCLE ICRS {63.35 + at * 0.01} 10.46 0.02",
            "t_min": 57000.0 + at,
            "em_min": 4.7e-7,
            "em_max": 9.3e-7,
            "facility_name": "ESO-VLT-U4",
            "instrument_name": "MUSE",
        }
        for at in range(30)
    ]


@pytest.fixture(scope="module", params=ENGINES, ids=lambda engine: engine.name)
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a few observations; the fixture is the base URL."""
    root: Path = tmp_path_factory.mktemp("archive")
    declared = load_schemas()
    table = declared.table("ivoa.ObsCore")
    lake = Lake(root / "lake", declared)
    rows = pa.Table.from_pylist(_rows(), schema=arrow_schema(table.columns))
    with lake.writer("load") as writer:
        writer.append(table.name, with_spherical_columns(table, rows, Problems()))
        writer.commit()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    site = Site("archive.example", url)
    engine = request.param.over(lake, root / "index", site)
    engine.rebuild()
    index = engine.index
    app = FastAPI()
    ports = Ports(index=index, site=site, limits=Limits(default_rows=20, hard_rows=1000, seconds=60))
    for protocol in PROTOCOLS:
        app.include_router(protocol.router(ports))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    yield url
    server.should_exit = True
    thread.join()
    engine.close()


def _stilts(*arguments: str) -> str:
    stilts = shutil.which("stilts")
    assert stilts is not None
    done = subprocess.run([stilts, *arguments], capture_output=True, text=True, check=False, timeout=240)
    return done.stdout + done.stderr


def test_taplint_finds_no_error(base: str) -> None:
    report = _stilts("taplint", f"tapurl={base}/tap", f"stages={_STAGES}")
    assert "Totals: Errors: 0;" in report
    lines = [line for line in report.splitlines() if line.startswith(("E-", "W-", "F-"))]
    assert lines == []


@pytest.mark.parametrize("form", ["votable/td", "votable/b", "votable/b2"])
def test_votlint_reads_our_answers(base: str, form: str, tmp_path: Path) -> None:
    service = pyvo.dal.TAPService(f"{base}/tap")
    query = service.create_query("SELECT * FROM ivoa.ObsCore", maxrec=5)
    query["RESPONSEFORMAT"] = form
    path = tmp_path / "answer.xml"
    path.write_bytes(query.execute_raw())
    assert _stilts("votlint", f"votable={path}") == ""


def test_pyvo_reads_the_service(base: str) -> None:
    service = pyvo.dal.TAPService(f"{base}/tap")
    assert service.available
    assert (service.maxrec, service.hardlimit) == (20, 1000)
    assert "ivoa.ObsCore" in service.tables.keys()  # noqa: SIM118 - pyvo's own mapping
    names = {column.name for column in service.tables["ivoa.ObsCore"].columns}
    assert {"obs_publisher_did", "s_region"} <= names


def test_pyvo_runs_every_example(base: str) -> None:
    service = pyvo.dal.TAPService(f"{base}/tap")
    queries = [example["QUERY"] for example in service.examples]
    found = {query.split()[1]: len(service.search(query, maxrec=500)) for query in queries}
    assert len(queries) == 5
    assert found["instrument_name,"] == 1
    assert found["column_name,"] == len(load_schemas().table("ivoa.ObsCore").columns)


def test_pyvo_is_told_of_missing_rows(base: str) -> None:
    service = pyvo.dal.TAPService(f"{base}/tap")
    assert service.search("SELECT TOP 7 dp_id FROM ivoa.ObsCore", maxrec=7).query_status == "OK"
    assert service.search("SELECT dp_id FROM ivoa.ObsCore", maxrec=7).query_status == "OVERFLOW"
    with pytest.warns(pyvo.dal.DALOverflowWarning, match="server limits"):
        assert len(service.search("SELECT dp_id FROM ivoa.ObsCore")) == 20


def test_pyvo_shows_where_a_query_is_wrong(base: str) -> None:
    service = pyvo.dal.TAPService(f"{base}/tap")
    with pytest.raises(pyvo.dal.DALQueryError, match=r"line 2, column 6.*ivoa\.obscor"):
        service.search("SELECT dp_id\nFROM ivoa.obscor")


def test_pyvo_searches_a_cone(base: str) -> None:
    service = pyvo.dal.SCSService(f"{base}/scs/ivoa.obscore")
    found = service.search((63.35, 10.46), 0.0301)
    assert sorted(row.id for row in found) == ["ADP.0", "ADP.1", "ADP.2", "ADP.3"]
    assert {row["obs_publisher_did"] for row in found} >= {"ivo://archive.example/ID?ADP.0"}
    with pytest.raises(pyvo.dal.DALQueryError, match="SR=999"):
        service.search((63.35, 10.46), 999)


def test_stilts_searches_a_cone_and_shows_our_words(base: str) -> None:
    cone = (
        "cone",
        f"serviceurl={base}/scs/ivoa.ObsCore?",
        "lon=63.35",
        "lat=10.46",
        "ofmt=csv",
        "ocmd=keepcols 1",
    )
    assert _stilts(*cone, "radius=0.0101").split() == ["dp_id", "ADP.0", "ADP.1"]
    assert "SR=999 is not between 0 and 180 degrees" in _stilts(*cone, "radius=999")
