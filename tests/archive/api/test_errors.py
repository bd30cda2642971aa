"""Requests that cannot be answered as asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    import httpx

    from tests.archive.conftest import SmallArchive

ROWS = "/api/v1/tables/ivoa.obscore/rows"


def check_problem(reply: httpx.Response, status: int) -> dict[str, Any]:
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = reply.json()
    assert document["status"] == status
    assert document["request_id"] == reply.headers["x-request-id"]
    assert set(document) >= {"type", "title", "status", "detail", "request_id", "errors"}
    assert "Traceback" not in reply.text
    return document


@pytest.mark.parametrize(
    ("params", "field", "code"),
    [
        ({"fields": "dp_idd"}, "fields", "unknown-column"),
        ({"sort": "-nothing_like_it"}, "sort", "unknown-column"),
        ({"facets": "instrumentname"}, "facets", "unknown-column"),
        ({"where.s_raa": "1"}, "where.s_raa", "unknown-column"),
        ({"where.s_ra": "abc"}, "where.s_ra", "type"),
        ({"where.s_ra": "nan"}, "where.s_ra", "type"),
        ({"where.s_ra": "1..x"}, "where.s_ra", "type"),
        ({"where.obs_release_date": "yesterday"}, "where.obs_release_date", "type"),
        ({"limit": "10001"}, "limit", "value"),
        ({"limit": "-1"}, "limit", "value"),
        ({"limit": "x"}, "limit", "value"),
        ({"region": "CIRCLE 1 2"}, "region", None),
        ({"region": "CIRCLE 1 200 3"}, "region", None),
        ({"region": "SPLINE 1 2 3"}, "region", None),
        ({"relation": "intersects"}, "relation", "value"),
        ({"region": "CIRCLE 1 2 3", "relation": "near"}, "relation", "value"),
        ({"format": "docx"}, "format", "value"),
        ({"format": "csv", "facets": "calib_level"}, "facets", "value"),
        ({"fields": ""}, "fields", "value"),
        ({"facets": "s_region"}, "facets", "value"),
        ({"sort": "s_region"}, "sort", "value"),
        ({"count": "some"}, "count", "value"),
        ({"limt": "1"}, "limt", "unknown-parameter"),
    ],
)
def test_a_wrong_parameter_is_named(
    small: SmallArchive, params: dict[str, str], field: str, code: str | None
) -> None:
    [error] = check_problem(small.client.get(ROWS, params=params), 400)["errors"]
    assert error["field"] == field
    assert code in (None, error["code"])
    assert error["message"]


def test_names_that_may_have_been_meant_are_suggested(small: SmallArchive) -> None:
    document = check_problem(small.client.get(ROWS, params={"fields": "dp_idd,s_dek,dp_id"}), 400)
    assert [error["suggestions"][0] for error in document["errors"]] == ["dp_id", "s_dec"]
    assert check_problem(small.client.get(ROWS, params={"limt": "1"}), 400)["errors"][0]["suggestions"] == [
        "limit"
    ]
    unknown = check_problem(small.client.get("/api/v1/tables/ivoa.obscor"), 404)
    assert unknown["suggestions"] == ["ivoa.ObsCore"]


def test_a_repeated_parameter_is_refused(small: SmallArchive) -> None:
    reply = small.client.get(ROWS, params=[("limit", "1"), ("limit", "2")])
    assert check_problem(reply, 400)["errors"][0]["code"] == "repeated"


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff\xfe", b'"x"', b'{"limit": "many"}', b'{"where": 3}'])
def test_a_wrong_body_is_refused(small: SmallArchive, body: bytes) -> None:
    check_problem(small.client.post("/api/v1/tables/ivoa.obscore/search", content=body), 400)


def test_a_huge_body_is_refused(small: SmallArchive) -> None:
    check_problem(small.client.post("/api/v1/tables/ivoa.obscore/search", content=b" " * 5_000_000), 413)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/tables/no.table/rows", 404),
        ("GET", f"{ROWS}/no-such-row", 404),
        ("GET", "/files/no-such-file", 404),
        ("GET", "/headers/no-such-file", 404),
        ("DELETE", "/api/v1/tables", 405),
        ("POST", "/files/x", 405),
        ("GET", "/api/v1/adql/check", 405),
    ],
)
def test_every_error_of_the_api_is_a_problem_document(
    small: SmallArchive, method: str, path: str, status: int
) -> None:
    check_problem(small.client.request(method, path), status)


TEXTS = st.text(max_size=30)


NAMES = (
    *("region", "relation", "q", "fields", "sort", "limit", "cursor", "facets", "format", "x"),
    *("where.s_ra", "where.target_name", "where.obs_release_date", "where.calib_level", "where.s_region"),
)
STRANGE = ("..", "!null", "1e400", "CIRCLE 0 0 nan", "99999999999999999999", "\x00")
PAIRS = st.tuples(st.sampled_from(NAMES) | TEXTS, TEXTS | st.sampled_from(STRANGE))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PAIRS, max_size=3))
def test_no_query_string_makes_the_server_fail(small: SmallArchive, pairs: list[tuple[str, str]]) -> None:
    encoded = urlencode([(a.encode("utf-8", "replace"), b.encode("utf-8", "replace")) for a, b in pairs])
    reply = small.client.get(f"{ROWS}?{encoded}")
    if reply.status_code != 200:
        check_problem(reply, 400)


def test_checking_adql_tells_what_is_wrong_and_where(small: SmallArchive) -> None:
    reply = small.client.post(
        "/api/v1/adql/check", json={"query": "SELECT dp_idd\nFROM ivoa.obscore WHERE s_ra > 'x'"}
    )
    errors = reply.json()["errors"]
    assert reply.status_code == 200
    assert errors[0] | {"message": ""} == {
        "code": "unknown-column",
        "line": 1,
        "column": 8,
        "message": "",
        "suggestions": ["dp_id"],
    }
    assert {"line", "column", "message", "suggestions", "code"} <= set(errors[1])
    assert (errors[1]["code"], errors[1]["line"]) == ("type", 2)


def test_checking_right_adql_shows_its_plan(small: SmallArchive) -> None:
    query = "SELECT dp_id FROM ivoa.obscore WHERE 1 = CONTAINS(POINT(s_ra, s_dec), CIRCLE(10, 20, 1))"
    document = small.client.post("/api/v1/adql/check", json={"query": query}).json()
    assert document["errors"] == []
    plan = document["plan"]
    assert plan["engine"] == small.process.settings.engine
    [told] = plan["spherical"] if plan["engine"] == "duckdb" else plan["tables"][0]["sky"]
    assert told["by"] in ("cells of positions", "distances")


def test_checking_does_not_show_what_is_not_public(small: SmallArchive) -> None:
    document = small.client.post(
        "/api/v1/adql/check", json={"query": "SELECT path FROM archive.files"}
    ).json()
    assert [error["code"] for error in document["errors"]] == ["unknown-table"]


@pytest.mark.parametrize("body", [{}, {"query": 3}, {"sql": "SELECT 1"}])
def test_a_check_needs_a_query(small: SmallArchive, body: dict[str, Any]) -> None:
    check_problem(small.client.post("/api/v1/adql/check", json=body), 400)
