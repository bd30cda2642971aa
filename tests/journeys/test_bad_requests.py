"""Whatever is asked: an answer in the protocol's own form, no failure of the server, no view inside."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

import httpx
import pytest

from tests.support.processes import Server

OBSCORE = "/api/v1/tables/ivoa.obscore"
INSIDES = ("Traceback", 'File "/', "duckdb.", "sqlalchemy", "/site-packages/")
"""What an answer must never show."""


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as opened:
        yield opened


@pytest.fixture(autouse=True)
def still_serves(client: httpx.Client) -> Iterator[None]:
    """After each test the server answers as before."""
    yield
    assert client.get("/readyz").status_code == 200


@dataclass(frozen=True)
class Asked:
    """A request that must be refused."""

    path: str
    status: int = 400
    method: str = "GET"
    options: dict[str, Any] = field(default_factory=dict)


def tap(**form: Any) -> Asked:
    return Asked(
        "/tap/sync", options={"params": {"LANG": "ADQL", "QUERY": "SELECT 1 AS x FROM ivoa.ObsCore", **form}}
    )


def cone(**parameters: Any) -> dict[str, Any]:
    return {"params": {"RA": "10", "DEC": "10", "SR": "1", **parameters}}


def votable_status(answer: httpx.Response) -> tuple[str, str]:
    """Return the last QUERY_STATUS of a VOTable, the one that counts, and its message."""
    root = ET.fromstring(answer.content)  # noqa: S314 - our own answer
    infos = [item for item in root.iter() if item.tag.endswith("}INFO")]
    status = [item for item in infos if item.get("name") == "QUERY_STATUS"][-1]
    return str(status.get("value")), status.text or ""


def assert_no_view_inside(answer: httpx.Response) -> None:
    assert [word for word in INSIDES if word in answer.text] == []


BAD_TAP = {
    "no query": Asked("/tap/sync", options={"params": {"LANG": "ADQL"}}),
    "nothing": Asked("/tap/sync"),
    "wrong language": tap(LANG="PQL"),
    "wrong format": tap(RESPONSEFORMAT="application/x-nothing"),
    "wrong old format": tap(FORMAT="papyrus"),
    "repeated query": tap(QUERY=["SELECT 1 AS x FROM ivoa.ObsCore", "SELECT 2 AS x FROM ivoa.ObsCore"]),
    "repeated in another case": tap(query="SELECT 2 AS x FROM ivoa.ObsCore"),
    "negative maxrec": tap(MAXREC="-1"),
    "maxrec in words": tap(MAXREC="all"),
    "maxrec with a fraction": tap(MAXREC="1.5"),
    "wrong request": tap(REQUEST="doNothing"),
    "null byte": tap(QUERY="SELECT '\0' AS x FROM ivoa.ObsCore"),
    "empty query": tap(QUERY=""),
    "not a query": tap(QUERY="<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>"),
    "two statements": tap(QUERY="SELECT 1 AS x FROM ivoa.ObsCore; DROP TABLE ivoa.ObsCore"),
    "an engine's function": tap(QUERY="SELECT * FROM read_csv('/etc/passwd')"),
    "an engine's table": tap(QUERY="SELECT * FROM information_schema.tables"),
    "hidden table": tap(QUERY="SELECT * FROM archive.files"),
    "deep nesting": tap(QUERY=f"SELECT {'(' * 5000}1{')' * 5000} AS x FROM ivoa.ObsCore"),
    "huge query": Asked(
        "/tap/sync",
        method="POST",
        options={"data": {"LANG": "ADQL", "QUERY": f"SELECT {'1+' * 700_000}1 AS x FROM ivoa.ObsCore"}},
    ),
    "json for a form": Asked("/tap/sync", method="POST", options={"json": {"LANG": "ADQL"}}),
    "xml for a form": Asked(
        "/tap/sync",
        method="POST",
        options={
            "content": b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
            "headers": {"Content-Type": "text/xml"},
        },
    ),
    "broken multipart": Asked(
        "/tap/sync",
        method="POST",
        options={
            "content": b"--x\r\nnothing",
            "headers": {"Content-Type": "multipart/form-data; boundary=y"},
        },
    ),
}


@pytest.mark.parametrize("name", BAD_TAP)
def test_tap_refuses_with_a_votable(client: httpx.Client, name: str) -> None:
    asked = BAD_TAP[name]
    answer = client.request(asked.method, asked.path, **asked.options)
    assert 400 <= answer.status_code < 500
    assert "xml" in answer.headers["content-type"]
    status, message = votable_status(answer)
    assert status == "ERROR"
    assert message.strip()
    assert_no_view_inside(answer)


def test_tap_ignores_what_it_does_not_know(client: httpx.Client) -> None:
    asked = tap(NONSENSE="1", VERSION="1.0", REQUEST="doQuery", RUNID="x" * 64)
    assert votable_status(client.get(asked.path, **asked.options))[0] == "OK"


def test_a_maxrec_beyond_all_limits_is_lowered(client: httpx.Client) -> None:
    answer = client.get(tap().path, **tap(MAXREC="9" * 40).options)
    assert votable_status(answer)[0] == "OK"


def test_maxrec_zero_describes_the_table(client: httpx.Client) -> None:
    answer = client.get(tap().path, **tap(MAXREC="0").options)
    assert votable_status(answer)[0] == "OVERFLOW"
    assert b"<TR>" not in answer.content
    assert b"<FIELD" in answer.content


BAD_CONES = {
    "no parameters": {},
    "no radius": {"params": {"RA": "1", "DEC": "1"}},
    "words": cone(RA="ten"),
    "not a number": cone(RA="NaN"),
    "infinite": cone(SR="Infinity"),
    "right ascension out of range": cone(RA="361"),
    "declination out of range": cone(DEC="-90.001"),
    "negative radius": cone(SR="-1"),
    "repeated": cone(RA=["1", "2"]),
    "verbosity": cone(VERB="9"),
    "maxrec": cone(MAXREC="many"),
    "null byte": cone(RA="1\0"),
}


@pytest.mark.parametrize("name", BAD_CONES)
def test_cone_search_refuses_with_a_votable(client: httpx.Client, name: str) -> None:
    answer = client.get("/scs/ivoa.obscore", **BAD_CONES[name])
    assert answer.status_code < 500
    root = ET.fromstring(answer.content)  # noqa: S314 - our own answer
    errors = [item for item in root.iter() if item.get("name") == "Error"]
    assert [item.get("value") for item in errors] != []
    assert_no_view_inside(answer)


BAD_JSON = {
    "unknown table": Asked("/api/v1/tables/no.table/rows", 404),
    "unknown row": Asked(f"{OBSCORE}/rows/nothing", 404),
    "unknown route": Asked("/api/v1/nothing", 404),
    "unknown parameter": Asked(f"{OBSCORE}/rows?nonsense=1"),
    "unknown column": Asked(f"{OBSCORE}/rows?where.nonsense=1"),
    "unknown field": Asked(f"{OBSCORE}/rows?fields=nonsense"),
    "repeated limit": Asked(f"{OBSCORE}/rows?limit=1&limit=2"),
    "limit in words": Asked(f"{OBSCORE}/rows?limit=ten"),
    "limit too large": Asked(f"{OBSCORE}/rows?limit=10001"),
    "negative limit": Asked(f"{OBSCORE}/rows?limit=-1"),
    "region": Asked(f"{OBSCORE}/rows?region=CIRCLE+1+2"),
    "region of words": Asked(f"{OBSCORE}/rows?region=HERE"),
    "region out of range": Asked(f"{OBSCORE}/rows?region=CIRCLE+1+200+1"),
    "crossed polygon": Asked(f"{OBSCORE}/rows?region=POLYGON+0+0+1+1+1+0+0+1"),
    "relation": Asked(f"{OBSCORE}/rows?region=CIRCLE+1+2+1&relation=beside"),
    "range of words": Asked(f"{OBSCORE}/rows?where.t_min=a..b"),
    "cursor": Asked(f"{OBSCORE}/rows?cursor=AAAA"),
    "format": Asked(f"{OBSCORE}/rows?format=papyrus"),
    "null byte": Asked(f"{OBSCORE}/rows?where.t_min=%00"),
    "order": Asked(f"{OBSCORE}/density?order=99"),
    "many filters": Asked(
        f"{OBSCORE}/search", method="POST", options={"json": {"where": {f"c{i}": 1 for i in range(10_000)}}}
    ),
    "garbage": Asked(f"{OBSCORE}/search", method="POST", options={"content": b"{\xff\x00not json"}),
    "a list": Asked(f"{OBSCORE}/search", method="POST", options={"json": [1, 2]}),
    "deep json": Asked(f"{OBSCORE}/search", method="POST", options={"content": b"[" * 100_000}),
    "wrong type": Asked(
        f"{OBSCORE}/search",
        method="POST",
        options={"content": b"<a/>", "headers": {"Content-Type": "text/xml"}},
    ),
    "adql without query": Asked("/api/v1/adql/check", method="POST", options={"json": {}}),
    "wrong method": Asked(f"{OBSCORE}/rows", 405, method="DELETE"),
    "unknown file": Asked("/files/nothing", 404),
    "unknown header": Asked("/headers/nothing", 404),
}


@pytest.mark.parametrize("name", BAD_JSON)
def test_the_json_api_refuses_with_a_problem(client: httpx.Client, name: str) -> None:
    asked = BAD_JSON[name]
    options = asked.options
    if "content" in options and "headers" not in options:
        options = {**options, "headers": {"Content-Type": "application/json"}}
    answer = client.request(asked.method, asked.path, **options)
    assert 400 <= answer.status_code < 500
    if asked.status != 400:
        assert answer.status_code == asked.status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["title"]
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert_no_view_inside(answer)


def test_ten_thousand_filters_in_the_address_are_refused(client: httpx.Client) -> None:
    many = "&".join(f"where.s_ra={number}..{number + 1}" for number in range(10_000))
    answer = raw_request(client, f"GET {OBSCORE}/rows?{many} HTTP/1.1")
    assert answer.split(b" ", 2)[1][:1] in (b"4", b"2")
    assert b"Traceback" not in answer


@pytest.mark.parametrize("route", ["/files/", "/headers/"])
@pytest.mark.parametrize(
    "path",
    [
        "..%2f..%2fonedfs.sqlite",
        "%2e%2e/%2e%2e/secret",
        "../secret",
        "....//secret",
        "%2fetc%2fpasswd",
        "..%5csecret",
        "x%00",
    ],
)
def test_no_path_leads_out_of_the_archive(client: httpx.Client, route: str, path: str) -> None:
    answer = raw_request(client, f"GET {route}{path} HTTP/1.1")
    assert answer.split(b" ", 2)[1] in (b"400", b"404")
    assert b"SQLite format" not in answer
    assert b"root:" not in answer


@pytest.mark.parametrize(
    "line",
    [
        "GET /tap/sync?QUERY=%ZZ&LANG=%E0%A4%A HTTP/1.1",
        "GET /scs/ivoa.obscore?RA=%FF&DEC=1&SR=1 HTTP/1.1",
        "GET /api/v1/tables/%C3%28/rows HTTP/1.1",
        "GET /api/v1/tables/ivoa.obscore/rows?q=%ff%fe HTTP/1.1",
        "TRACE / HTTP/1.1",
        "BREW /tap/sync HTTP/1.1",
        "GET / HTTP/9.9",
        "GET  HTTP/1.1",
        "\x00\x01\x02",
    ],
)
def test_damaged_requests_are_survived(client: httpx.Client, line: str) -> None:
    answer = raw_request(client, line)
    assert not answer.startswith(b"HTTP/1.1 5")
    assert b"Traceback" not in answer


def raw_request(client: httpx.Client, line: str) -> bytes:
    """Send a request line that no client library would send."""
    address = (client.base_url.host, client.base_url.port or 80)
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(f"{line}\r\nHost: archive\r\nConnection: close\r\n\r\n".encode("latin-1"))
        found = b""
        while part := connection.recv(65536):
            found += part
    return found


@pytest.mark.parametrize(
    "path", ["/tap/sync", "/scs/ivoa.obscore", f"{OBSCORE}/rows", "/files/nothing", "/nothing"]
)
def test_browsers_may_read_refusals_too(client: httpx.Client, path: str) -> None:
    answer = client.get(path, headers={"Origin": "https://elsewhere.example"})
    assert answer.headers["access-control-allow-origin"] == "*"


NAMES = [
    "QUERY",
    "LANG",
    "MAXREC",
    "RESPONSEFORMAT",
    "FORMAT",
    "REQUEST",
    "VERSION",
    "UPLOAD",
    "RUNID",
    "RA",
    "DEC",
    "SR",
    "VERB",
    "POS",
    "ID",
    "region",
    "relation",
    "target",
    "q",
    "where.s_ra",
    "where.dp_id",
    "where.t_min",
    "where.nothing",
    "fields",
    "sort",
    "limit",
    "cursor",
    "facets",
    "count",
    "format",
    "order",
    "detail",
    "name",
]
VALUES = [
    *(
        "",
        "0",
        "-1",
        "1e309",
        "NaN",
        "9" * 400,
        "null",
        "!",
        "!null",
        "..",
        "1..2",
        "a..",
        "'",
        '"',
        "--",
        ";",
        "\0",
    ),
    *(
        "CIRCLE 1 2 3",
        "CIRCLE",
        "POLYGON 0 0 1 0 1 1",
        "RANGE 0 360 -90 90",
        "MOC 1/1-3",
        "☃" * 20,
        "%",
        "_",
        "\\",
    ),
    *(
        "SELECT * FROM ivoa.ObsCore",
        "SELECT TOP 1 s_ra FROM ivoa.ObsCore",
        "ADQL",
        "csv",
        "votable",
        "parquet",
        "json",
    ),
    *(
        "s_ra",
        "-s_ra",
        "dp_id,s_ra",
        "dp_id,dp_id",
        "exact",
        "none",
        "intersects",
        "within",
        "true",
        "2020-01-01",
    ),
]
METHODS = ["GET"] * 6 + ["POST"] * 3 + ["HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"]


def routes(client: httpx.Client) -> list[str]:
    """Return every route that the archive says it has."""
    described = list(client.get("/api/v1/openapi.json").json()["paths"])
    return [
        *described,
        "/tap/sync",
        "/tap/tables",
        "/tap/tables/ivoa.ObsCore",
        "/tap/capabilities",
        "/tap/examples",
        "/tap/availability",
        "/scs/ivoa.obscore",
        "/scs/dbo.raw",
        "/scs/nothing",
        "/",
        "/healthz",
        "/metrics",
    ]


def random_request(draw: random.Random, paths: list[str]) -> tuple[str, str, dict[str, Any]]:
    def fill(path: str) -> str:
        while "{" in path:
            start, end = path.index("{"), path.index("}")
            part = draw.choice(["ivoa.obscore", "dbo.raw", "x", draw.choice(VALUES)])
            path = path[:start] + quote(part, safe="") + path[end + 1 :]
        return path

    given = [(draw.choice(NAMES), draw.choice(VALUES)) for _ in range(draw.randrange(5))]
    bodies: list[Callable[[], dict[str, Any]]] = [
        lambda: {"params": given},
        lambda: {"data": dict(given)},
        lambda: {"json": dict(given)},
        lambda: {"json": {"where": {name: draw.choice([1, None, [], {}, "x", 1e300]) for name, _ in given}}},
        lambda: {
            "content": draw.randbytes(200),
            "headers": {"Content-Type": draw.choice(["application/json", "x/y"])},
        },
        lambda: {
            "params": given,
            "headers": {draw.choice(["Range", "Accept", "If-None-Match"]): "bytes=9-1,*;q=x"},
        },
    ]
    return draw.choice(METHODS), fill(draw.choice(paths)), draw.choice(bodies)()


@pytest.mark.parametrize("seed", range(4))
def test_no_random_request_makes_the_server_fail(client: httpx.Client, seed: int) -> None:
    draw, paths = random.Random(seed), routes(client)
    seen = set()
    for _ in range(100):
        method, path, options = random_request(draw, paths)
        answer = client.request(method, path, **options)
        said = f"{method} {path} {options}: {answer.status_code} {answer.text[:300]}"
        assert answer.status_code < 500, said
        assert_no_view_inside(answer)
        seen.add(answer.status_code)
    assert {200, 400, 404, 405} <= seen
