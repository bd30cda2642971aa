from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from astropy.io import votable
from lxml import etree

from store.port import QueryTimeout
from vo.dali import Limits, Parameters, UsageFault
from vo.tap.service import TapService

SYNC = "/tap/sync"
ALL = "SELECT id, ra, name, n FROM demo.Stars"


def _infos(reply: Any) -> list[tuple[str, str, str]]:
    found = etree.fromstring(reply.content).iter("{*}INFO")
    return [(node.get("name"), node.get("value"), node.text or "") for node in found]


def _ids(reply: Any) -> list[str]:
    return [str(value) for value in votable.parse(io.BytesIO(reply.content)).get_first_table().array["id"]]


def _error(reply: Any) -> str:
    assert reply.headers["content-type"] == "application/x-votable+xml"
    infos = _infos(reply)
    assert infos[0][:2] == ("QUERY_STATUS", "ERROR")
    assert ("request_id", "req-1", "") in infos
    return infos[0][2]


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_query_is_answered_by_get_and_post(client: Any, method: str) -> None:
    params = {
        "query": "SELECT TOP 3 id FROM demo.stars",
        "lang": "ADQL",
        "Request": "doQuery",
        "VERSION": "1.0",
    }
    reply = client.get(SYNC, params=params) if method == "get" else client.post(SYNC, data=params)
    assert reply.status_code == 200
    assert _ids(reply) == ["star-0", "star-1", "star-2"]


def test_a_query_may_come_as_multipart(client: Any) -> None:
    files = {"QUERY": (None, "SELECT TOP 1 id FROM demo.Stars"), "LANG": (None, "ADQL-2.1")}
    assert _ids(client.post(SYNC, files=files)) == ["star-0"]


def test_parameters_of_url_and_form_come_together(client: Any) -> None:
    assert _ids(client.post(f"{SYNC}?MAXREC=2", data={"QUERY": ALL})) == ["star-0", "star-1"]


def test_an_answer_says_where_it_comes_from(client: Any) -> None:
    infos = _infos(client.get(SYNC, params={"QUERY": "SELECT TOP 1 id FROM demo.Stars"}))
    assert infos[0] == ("QUERY_STATUS", "OK", "")
    named = {name: value for name, value, _ in infos}
    assert named["standardID"] == "ivo://ivoa.net/std/TAP"
    assert named["lake_version"] == "7"
    assert named["request_id"] == "req-1"
    assert named["query"] == "SELECT TOP 1 id FROM demo.Stars"


@pytest.mark.parametrize(
    ("maxrec", "query", "rows", "overflow"),
    [
        (None, ALL, 8, True),
        ("3", ALL, 3, True),
        ("10", ALL, 10, True),
        ("10", "SELECT TOP 10 id FROM demo.Stars", 10, False),
        ("5", "SELECT TOP 5 id FROM demo.Stars", 5, False),
        ("5", "SELECT TOP 6 id FROM demo.Stars", 5, True),
        ("5", "SELECT TOP 4 id FROM demo.Stars", 4, False),
        ("0", ALL, 0, True),
    ],
)
def test_overflow_means_that_rows_are_missing(
    client: Any, maxrec: str | None, query: str, rows: int, *, overflow: bool
) -> None:
    params = {"QUERY": query} | ({} if maxrec is None else {"MAXREC": maxrec})
    reply = client.get(SYNC, params=params)
    assert len(_ids(reply)) == rows
    assert (_infos(reply)[-1][:2] == ("QUERY_STATUS", "OVERFLOW")) == overflow


def test_a_lowered_maxrec_is_said_even_without_overflow(client: Any) -> None:
    reply = client.get(SYNC, params={"QUERY": "SELECT TOP 1 id FROM demo.Stars", "MAXREC": "11"})
    assert any(name == "WARNING" and "MAXREC=11" in text for name, _, text in _infos(reply))


def test_the_engine_is_asked_for_one_row_more_and_for_our_time(client: Any, index: Any) -> None:
    client.get(SYNC, params={"QUERY": ALL, "MAXREC": "3"})
    ((_, limit, seconds),) = index.asked
    assert limit == 4
    assert 0 < seconds <= 30


def test_reading_a_query_counts_to_its_time(ports: Any, index: Any) -> None:
    hurried = replace(ports, limits=Limits(default_rows=8, hard_rows=10, seconds=1e-9))
    with pytest.raises(UsageFault, match="longer than allowed"):
        TapService(hurried).sync(Parameters([("QUERY", ALL)]))
    assert index.asked == []


def test_the_engines_notes_are_passed_on(client: Any, index: Any) -> None:
    index.notes = ("the polygon covers more than a hemisphere",)
    reply = client.get(SYNC, params={"QUERY": ALL})
    assert ("WARNING", "", "the polygon covers more than a hemisphere") in _infos(reply)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "QUERY is missing"),
        ({"QUERY": ALL, "LANG": "PQL"}, "LANG 'PQL'"),
        ({"QUERY": ALL, "LANG": "adql"}, "LANG 'adql'"),
        ({"QUERY": ALL, "REQUEST": "getCapabilities"}, "REQUEST"),
        ({"QUERY": ALL, "MAXREC": "-1"}, "MAXREC"),
        ({"QUERY": ALL, "RUNID": "x" * 65}, "RUNID"),
        ({"QUERY": ALL, "RESPONSEFORMAT": "pdf"}, "RESPONSEFORMAT"),
        ({"QUERY": ALL, "UPLOAD": "t,param:t"}, "no file named 't'"),
        ({"QUERY": [ALL, ALL]}, "QUERY is given 2 times"),
        ({"QUERY": "SELECT TOP 1 idd FROM demo.Stars"}, "id"),
        ({"QUERY": "SELECT id FROM secret.t"}, "secret"),
        ({"QUERY": "SELECT id FROM\n demo.Stars WHERE"}, "line 2"),
        ({"QUERY": "DROP TABLE demo.Stars"}, "DROP"),
    ],
)
def test_a_wrong_request_is_400_with_the_reason(client: Any, params: dict[str, Any], said: str) -> None:
    reply = client.get(SYNC, params=params)
    assert reply.status_code == 400
    assert _error(reply).startswith("UsageFault: ")
    assert said in _error(reply)


@pytest.mark.parametrize("params", [{"RUNID": "x" * 64}, {"Colour": "red"}, {"LANG": "ADQL-2.0"}])
def test_what_does_not_matter_is_accepted(client: Any, params: dict[str, str]) -> None:
    assert client.get(SYNC, params={"QUERY": ALL, **params}).status_code == 200


def test_a_timeout_is_the_callers_to_change(client: Any, index: Any) -> None:
    index.fail_after, index.failure = 0, QueryTimeout("stopped after 30 s")
    reply = client.get(SYNC, params={"QUERY": ALL})
    assert (reply.status_code, _error(reply)) == (400, "UsageFault: stopped after 30 s")


def test_an_index_that_is_not_ready_asks_to_come_back(client: Any, index: Any) -> None:
    index.ready = False
    reply = client.get(SYNC, params={"QUERY": ALL})
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "5")
    assert _error(reply).startswith("TransientFault: ")


def test_a_failure_after_the_first_rows_is_in_the_document(client: Any, index: Any) -> None:
    index.fail_after = 4
    reply = client.get(SYNC, params={"QUERY": ALL})
    assert len(_ids(reply)) == 4
    assert _infos(reply)[-1] == ("QUERY_STATUS", "ERROR", "UsageFault: the disk is full")


def test_a_failure_of_ours_is_500_and_keeps_its_details_to_itself(
    client: Any, index: Any, caplog: Any
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("a secret detail")

    index.run = broken
    reply = client.get(SYNC, params={"QUERY": ALL})
    assert reply.status_code == 500
    assert "secret" not in _error(reply)
    assert "a secret detail" in caplog.text


@pytest.mark.parametrize("form", ["votable", "votable/b2", "csv", "json", "parquet", "fits"])
def test_nothing_is_left_running(client: Any, index: Any, form: str) -> None:
    for fail_after in (None, 0, 4):
        index.fail_after = fail_after
        client.get(SYNC, params={"QUERY": ALL, "MAXREC": "6", "RESPONSEFORMAT": form})
        assert index.running == 0


@pytest.mark.parametrize("name", ["RESPONSEFORMAT", "format"])
def test_forms_are_chosen_by_either_name(client: Any, name: str) -> None:
    reply = client.get(SYNC, params={"QUERY": "SELECT TOP 1 id FROM demo.Stars", name: "csv"})
    assert reply.headers["content-type"] == "text/csv;header=present"
    assert reply.text == "id\r\nstar-0\r\n"


def test_json_carries_the_same_rows(client: Any) -> None:
    reply = client.get(SYNC, params={"QUERY": ALL, "RESPONSEFORMAT": "json", "MAXREC": "2"})
    assert [row[0] for row in json.loads(reply.content)["data"]] == ["star-0", "star-1"]


def test_every_request_with_a_name_in_any_case_is_the_same(client: Any) -> None:
    replies = [
        client.get(SYNC, params={name: ALL, "maxRec": "1"}).content for name in ("QUERY", "query", "Query")
    ]
    assert len({re.sub(rb"\s", b"", reply) for reply in replies}) == 1


def test_examples_are_xhtml_and_can_be_run(client: Any, index: Any) -> None:
    from schemas import load_schemas  # noqa: PLC0415 - only here
    from vo import adql  # noqa: PLC0415

    index.declared = load_schemas()
    reply = client.get("/tap/examples")
    assert reply.headers["content-type"] == "application/xhtml+xml"
    page = etree.fromstring(reply.content)
    queries = page.xpath("//*[@typeof='example']//*[@property='query']/text()")
    assert len(queries) >= 5
    for query in queries:
        adql.translate(query, index.declared)
    tables = page.xpath("//*[@property='table']/text()")
    assert all(name in index.declared for name in tables)


def test_examples_show_only_what_the_archive_has(client: Any) -> None:
    page = etree.fromstring(client.get("/tap/examples").content)
    assert not page.xpath("//*[@typeof='example']")
