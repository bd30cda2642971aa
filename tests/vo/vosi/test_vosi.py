from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Check = Callable[[bytes], Any]


def _texts(node: Any, path: str) -> list[str]:
    return [found.text for found in node.findall(path)]


@pytest.mark.parametrize("path", ["/tap/tables", "/tap/tables?DETAIL=max", "/tap/tables?detail=min"])
def test_tables_are_valid_and_show_public_tables_only(client: Any, assert_valid: Check, path: str) -> None:
    document = assert_valid(client.get(path).content)
    assert _texts(document, "schema/table/name") == ["demo.Stars", "demo.plain"]


def test_detail_min_leaves_columns_out(client: Any, assert_valid: Check) -> None:
    assert not assert_valid(client.get("/tap/tables?detail=min").content).findall(".//column")
    assert len(assert_valid(client.get("/tap/tables").content).findall(".//column")) == 10


@pytest.mark.parametrize("name", ["demo.Stars", "DEMO.STARS"])
def test_one_table_is_found_in_any_case(client: Any, assert_valid: Check, name: str) -> None:
    document = assert_valid(client.get(f"/tap/tables/{name}").content)
    assert document.tag == "{http://www.ivoa.net/xml/VOSITables/v1.0}table"
    assert _texts(document, "name") == ["demo.Stars"]
    assert _texts(document, "description") == ["Stars & their <names>"]


def test_a_column_says_type_unit_and_meaning(client: Any, assert_valid: Check) -> None:
    columns = assert_valid(client.get("/tap/tables/demo.Stars").content).findall("column")
    ra = next(column for column in columns if column.findtext("name") == "ra")
    assert (ra.findtext("unit"), ra.findtext("ucd"), ra.findtext("dataType")) == (
        "deg",
        "pos.eq.ra",
        "double",
    )
    seen = next(column for column in columns if column.findtext("name") == "seen")
    assert dict(seen.find("dataType").attrib)["extendedType"] == "timestamp"


@pytest.mark.parametrize("name", ["demo.none", "secret.t", "x"])
def test_an_unknown_table_is_404_with_a_votable(client: Any, name: str) -> None:
    reply = client.get(f"/tap/tables/{name}")
    assert reply.status_code == 404
    assert reply.headers["content-type"] == "application/x-votable+xml"
    assert b"NotFoundFault" in reply.content


def test_a_wrong_detail_is_refused(client: Any) -> None:
    assert client.get("/tap/tables?detail=all").status_code == 400


@pytest.mark.parametrize("base", ["/tap", "/scs", "/scs/demo.Stars"])
def test_every_service_says_whether_it_is_available(client: Any, assert_valid: Check, base: str) -> None:
    document = assert_valid(client.get(f"{base}/availability").content)
    assert document[0].text == "true"


def test_an_index_that_is_not_ready_makes_the_service_unavailable(
    client: Any, index: Any, assert_valid: Check
) -> None:
    index.ready = False
    document = assert_valid(client.get("/tap/availability").content)
    assert [document[0].text, document[-1].text] == ["false", "nothing has been applied yet"]
    reply = client.get("/tap/tables")
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "5")
    assert b"TransientFault" in reply.content


def test_tap_capabilities_are_valid_and_name_their_limits(client: Any, assert_valid: Check) -> None:
    document = assert_valid(client.get("/tap/capabilities").content)
    own = [node for node in document if node.get("standardID") == "ivo://ivoa.net/std/TAP"]
    assert len(own) == 1
    assert own[0].findtext("interface/accessURL") == "http://archive.example/base/tap"
    assert own[0].find("interface").get("version") == "1.1"
    assert [own[0].findtext(f"outputLimit/{name}") for name in ("default", "hard")] == ["8", "10"]
    methods = [node.get("ivo-id") for node in own[0].findall("uploadMethod")]
    assert methods == [f"ivo://ivoa.net/std/TAPRegExt#upload-{name}" for name in ("inline", "http")]
    assert own[0].findtext("uploadLimit/hard") == "1000000"
    assert {"votable", "votable/b2", "csv", "parquet"} <= set(_texts(own[0], "outputFormat/alias"))


def test_tap_capabilities_list_every_user_defined_function(client: Any, assert_valid: Check) -> None:
    document = assert_valid(client.get("/tap/capabilities").content)
    groups = {node.get("type"): _texts(node, "feature/form") for node in document.iter("languageFeatures")}
    base = "ivo://ivoa.net/std/TAPRegExt#features-"
    assert "CONTAINS" in groups[f"{base}adqlgeo"]
    assert "ivo_to_mjd(d TIMESTAMP) -> DOUBLE" in groups[f"{base}udf"]


def test_obscore_is_a_data_model_only_where_it_is(client: Any, index: Any, assert_valid: Check) -> None:
    assert assert_valid(client.get("/tap/capabilities").content).find(".//dataModel") is None
    from schemas import load_schemas  # noqa: PLC0415 - only here

    index.declared = load_schemas()
    model = assert_valid(client.get("/tap/capabilities").content).find(".//dataModel")
    assert model is not None
    assert model.get("ivo-id") == "ivo://ivoa.net/std/ObsCore#core-1.1"


def test_all_our_tables_make_a_valid_document(client: Any, index: Any, assert_valid: Check) -> None:
    from schemas import load_schemas  # noqa: PLC0415 - only here

    index.declared = load_schemas()
    names = _texts(assert_valid(client.get("/tap/tables").content), "schema/table/name")
    assert "ivoa.ObsCore" in names
    assert not any(name.startswith("archive.") for name in names)


def test_cone_search_capabilities_are_valid(
    client: Any, assert_valid: Check, cone_search_schema: None
) -> None:
    for path in ("/scs/capabilities", "/scs/demo.stars/capabilities"):
        assert_valid(client.get(path).content)


def test_cone_search_capabilities_name_each_table_with_positions(client: Any) -> None:
    from lxml import etree  # noqa: PLC0415 - only here

    document = etree.fromstring(client.get("/scs/capabilities").content)
    urls = [
        node.findtext("interface/accessURL") for node in document if "ConeSearch" in node.get("standardID")
    ]
    assert urls == ["http://archive.example/base/scs/demo.Stars?"]
    kinds = [node.tag for node in document[0]]
    assert kinds == ["interface", "maxSR", "maxRecords", "verbosity", "testQuery"]
