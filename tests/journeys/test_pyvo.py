"""What an astronomer does in Python: find observations, follow their links, get the bytes."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import httpx
import numpy as np
import pytest
import pyvo
from astropy.coordinates import SkyCoord
from astropy.table import Table
from astroquery.utils.tap.core import TapPlus

from tests.support.holdings import ABELL_478, DIAMOND, SQUARE, Holdings
from tests.support.processes import Server
from tests.support.readme import readme_query

pytestmark = [
    # The clients leave sockets to the garbage collector, and warn of what they guess about a service.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyWarning"),
]

CUBE = "products/cube.fits"


@pytest.fixture(scope="module")
def tap(server: Server) -> pyvo.dal.TAPService:
    return pyvo.dal.TAPService(f"{server.url}/tap")


@pytest.fixture(scope="module")
def cube_id(tap: pyvo.dal.TAPService) -> str:
    (row,) = tap.search("SELECT dp_id FROM ivoa.ObsCore WHERE dataproduct_type = 'cube'")
    return str(row["dp_id"])


def test_the_query_of_the_readme_finds_the_cube(tap: pyvo.dal.TAPService, cube_id: str) -> None:
    query = readme_query()
    assert all(f"{value}" in query for value in ABELL_478)
    found = tap.search(query)
    assert cube_id in set(found["dp_id"])
    assert set(found["target_name"]) == {"Abell 478"}


def test_cone_search_and_json_find_what_tap_finds(
    server: Server, tap: pyvo.dal.TAPService, cube_id: str
) -> None:
    by_tap = set(tap.search(readme_query())["dp_id"])
    cone = pyvo.dal.SCSService(f"{server.url}/scs/ivoa.obscore")
    by_cone = set(cone.search(SkyCoord(*ABELL_478, unit="deg"), radius=0.1)["dp_id"])
    region = f"CIRCLE {ABELL_478[0]} {ABELL_478[1]} 0.1"
    answer = httpx.get(f"{server.url}/api/v1/tables/ivoa.obscore/rows", params={"region": region}).json()
    assert cube_id in by_tap
    assert by_tap == by_cone == {row["dp_id"] for row in answer["rows"]}
    assert (answer["total"], answer["total_relation"], answer["next"]) == (len(by_tap), "eq", None)
    assert set(tap.search(answer["adql"])["dp_id"]) == by_tap


def test_a_job_is_run_aborted_and_deleted(tap: pyvo.dal.TAPService, small_holdings: Holdings) -> None:
    assert len(tap.run_async("SELECT * FROM ivoa.ObsCore")) == len(small_holdings.accepted)
    job = tap.submit_job("SELECT dp_id FROM ivoa.ObsCore")
    assert job.phase == "PENDING"
    job.execution_duration = 20
    job.run().wait(timeout=60)
    assert job.phase == "COMPLETED"
    assert job.result_uris == [job.result_uri]
    assert len(job.fetch_result()) == len(small_holdings.accepted)
    job.delete()
    assert httpx.get(f"{tap.baseurl}/async/{job.job_id}").status_code == 404
    aborted = tap.submit_job("SELECT dp_id FROM ivoa.ObsCore")
    aborted.abort()
    assert aborted.phase == "ABORTED"
    wrong = tap.submit_job("SELECT nope FROM ivoa.ObsCore").run()
    wrong.wait(timeout=60)
    with pytest.raises(pyvo.dal.DALQueryError, match="no column nope"):
        wrong.raise_if_error()
    assert list(tap.get_job_list(last=5)) == []


def test_tables_are_uploaded_and_joined_in_both_ways(
    tap: pyvo.dal.TAPService, small_holdings: Holdings, tmp_path: Path
) -> None:
    ids = list(tap.search("SELECT dp_id FROM ivoa.ObsCore")["dp_id"])
    mine = Table({"n": np.arange(len(ids)), "id": ids})
    kept = tmp_path / "mine.xml"
    mine.write(kept, format="votable")
    query = "SELECT u.n, o.dp_id FROM TAP_UPLOAD.mine AS u JOIN ivoa.ObsCore AS o ON o.dp_id = u.id"
    for upload in (mine, str(kept)):
        found = tap.run_sync(query, uploads={"mine": upload})
        assert sorted(zip(found["n"], found["dp_id"], strict=True)) == list(enumerate(ids))
    assert len(tap.run_async(query, uploads={"mine": mine})) == len(small_holdings.accepted)
    again = tap.run_sync(
        "SELECT * FROM TAP_UPLOAD.t", uploads={"t": tap.search("SELECT * FROM ivoa.ObsCore")}
    )
    assert sorted(again["dp_id"]) == sorted(ids)


def test_image_search_and_links_lead_to_the_cube_and_its_header(
    server: Server, cube_id: str, small_holdings: Holdings
) -> None:
    service = pyvo.dal.SIA2Service(f"{server.url}/sia2")
    found = service.search(pos=(*ABELL_478, 0.1), data_type="cube", calib_level=2, maxrec=10)
    assert list(found["dp_id"]) == [cube_id]
    (links,) = found.iter_datalinks()
    (this,) = links.bysemantics("#this", include_narrower=False)
    original = (small_holdings.folder / CUBE).read_bytes()
    assert httpx.get(this.access_url).content == original
    assert this.content_length == len(original)
    (header,) = links.bysemantics("#auxiliary", include_narrower=False)
    assert "DATACUBE_FINAL" in httpx.get(header.access_url).text


def test_links_are_found_from_any_query_with_identifiers(
    tap: pyvo.dal.TAPService, small_holdings: Holdings
) -> None:
    found = tap.search("SELECT s_ra, obs_publisher_did AS product FROM ivoa.ObsCore")
    linked = {
        str(this["ID"]) for links in found.iter_datalinks() for this in links if this.semantics == "#this"
    }
    assert linked == {str(row["product"]) for row in found}
    assert len(linked) == len(small_holdings.accepted)


def test_every_access_url_gives_the_exact_bytes(tap: pyvo.dal.TAPService, small_holdings: Holdings) -> None:
    rows = tap.search(
        """SELECT o.access_url, f.checksum, f.name
           FROM ivoa.ObsCore o JOIN phase3v2.files f ON o.dp_id = f.dp_id"""
    )
    assert len(rows) == len(small_holdings.accepted)
    paths = {Path(made.path).name: small_holdings.folder / made.path for made in small_holdings.accepted}
    for row in rows:
        original = paths[row["name"]].read_bytes()
        assert row["checksum"] == hashlib.sha256(original).hexdigest()
        answer = httpx.get(row["access_url"])
        if row["name"] == "proprietary.fits":
            assert answer.status_code == 401
            assert "www-authenticate" in answer.headers
            assert original[:80] not in answer.content
        else:
            assert answer.content == original


def test_the_header_is_served_whole(server: Server, cube_id: str, small_holdings: Holdings) -> None:
    text = httpx.get(f"{server.url}/headers/{cube_id}").text
    document = httpx.get(f"{server.url}/headers/{cube_id}", headers={"Accept": "application/json"}).json()
    assert "HIERARCH ESO PRO CATG = 'DATACUBE_FINAL'" in text
    assert "CTYPE3  = 'AWAV" in text
    raw = (small_holdings.folder / CUBE).read_bytes().decode("latin-1")
    cards = re.findall(".{80}", raw[: raw.index("END" + " " * 77)])
    assert [card for card in cards if card.rstrip() not in text] == []
    assert "DATACUBE_FINAL" in str(document)


def footprints_at(tap: pyvo.dal.TAPService, ra: float, dec: float, radius: float) -> set[str]:
    query = f"""SELECT target_name FROM ivoa.ObsCore
        WHERE 1 = INTERSECTS(s_region, CIRCLE('ICRS', {ra}, {dec}, {radius}))"""
    return set(tap.search(query)["target_name"])


def test_a_footprint_search_finds_a_corner(server: Server, tap: pyvo.dal.TAPService) -> None:
    ra, dec = SQUARE[0] + 0.52 / np.cos(np.radians(2.5)), SQUARE[1] + 0.52
    assert footprints_at(tap, ra, dec, 0.1) == {"square"}
    centred = tap.search(
        f"SELECT * FROM ivoa.ObsCore WHERE 1 = CONTAINS(POINT(s_ra, s_dec), CIRCLE({ra}, {dec}, 0.1))"
    )
    assert len(centred) == 0
    region = {"region": f"CIRCLE {ra} {dec} 0.1", "relation": "intersects"}
    answer = httpx.get(f"{server.url}/api/v1/tables/ivoa.obscore/rows", params=region).json()
    assert [row["target_name"] for row in answer["rows"]] == ["square"]


def test_a_footprint_search_leaves_out_what_only_its_bounding_circle_overlaps(
    tap: pyvo.dal.TAPService,
) -> None:
    ra, dec = DIAMOND[0] + 0.5 / np.cos(np.radians(DIAMOND[1])), DIAMOND[1] + 0.5
    apart = SkyCoord(ra, dec, unit="deg").separation(SkyCoord(*DIAMOND, unit="deg")).deg
    half_diagonal, to_the_side = 0.5 * np.sqrt(2), apart - 0.5
    assert apart < half_diagonal + 0.1
    assert to_the_side > 0.2
    assert footprints_at(tap, ra, dec, 0.19) == set()
    assert footprints_at(tap, ra, dec, 0.22) == {"diamond"}


@pytest.mark.parametrize(
    ("ra", "dec", "names"),
    [
        (0.0, 90.0, {"north pole"}),
        (190.0, 89.95, {"north pole"}),
        (0.0, -90.0, {"south pole"}),
        (0.0, 5.0, {"west of zero", "east of zero"}),
        (360.0, 5.0, {"west of zero", "east of zero"}),
    ],
)
def test_searches_cross_the_poles_and_the_meridian(
    tap: pyvo.dal.TAPService, ra: float, dec: float, names: set[str]
) -> None:
    assert footprints_at(tap, ra, dec, 0.06) == names
    near = tap.search(
        f"""SELECT target_name FROM ivoa.ObsCore
        WHERE 1 = CONTAINS(POINT(s_ra, s_dec), CIRCLE({ra}, {dec}, 0.07))"""
    )
    assert set(near["target_name"]) == names


def test_the_tables_are_described(tap: pyvo.dal.TAPService) -> None:
    assert tap.available
    names = {table.name for table in tap.tables}
    assert {"ivoa.ObsCore", "dbo.raw", "phase3v2.files", "phase3v2.provenance"} <= names
    columns = {column.name: column for column in tap.tables["ivoa.ObsCore"].columns}
    assert len(columns) >= 60
    assert (columns["s_ra"].unit, columns["s_ra"].ucd) == ("deg", "pos.eq.ra")
    assert all(column.description for column in columns.values())


def test_provenance_leads_from_the_cube_to_its_raw_frame(tap: pyvo.dal.TAPService) -> None:
    (row,) = tap.search("SELECT obs_id FROM ivoa.ObsCore WHERE dataproduct_type = 'cube'")
    (raw,) = tap.search(f"SELECT dp_id FROM dbo.raw WHERE dp_id = '{row['obs_id']}'")
    assert raw["dp_id"] == row["obs_id"]


def test_errors_say_where_and_what_else(tap: pyvo.dal.TAPService) -> None:
    with pytest.raises(pyvo.dal.DALQueryError, match=r"(?s)line 2, column 6.*ivoa\.ObsCore"):
        tap.search("SELECT s_ra\nFROM ivoa.obscor")
    with pytest.raises(pyvo.dal.DALQueryError, match=r"(?s)line 1, column 8.*s_dec"):
        tap.search("SELECT s_de FROM ivoa.ObsCore")
    with pytest.raises(pyvo.dal.DALQueryError, match="line 1"):
        tap.search("SELEC s_ra FROM ivoa.ObsCore")


def test_cut_answers_say_so(tap: pyvo.dal.TAPService, small_holdings: Holdings) -> None:
    query, rows = "SELECT dp_id FROM ivoa.ObsCore", len(small_holdings.accepted)
    assert tap.search(query, maxrec=rows).query_status == "OK"
    with pytest.warns(pyvo.dal.DALOverflowWarning):
        tap.search(query, maxrec=rows - 1).check_overflow_warning()
    assert tap.search(query, maxrec=rows - 1).query_status == "OVERFLOW"
    assert tap.search(f"SELECT TOP {rows - 1} dp_id FROM ivoa.ObsCore").query_status == "OK"


def test_astroquery_runs_a_query(server: Server, cube_id: str) -> None:
    job = TapPlus(url=f"{server.url}/tap").launch_job(
        "SELECT dp_id FROM ivoa.ObsCore WHERE dataproduct_type = 'cube'"
    )
    assert list(job.get_results()["dp_id"]) == [cube_id]
