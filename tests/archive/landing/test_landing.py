"""The page at the root."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from lxml import etree, html

from archive.app import create_app
from archive.landing.holdings import HoldingsCache
from archive.process import Process
from tests.archive.conftest import Client, SmallArchive, build_archive, observation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PUBLIC_URL = "https://data.observatory.example/archive"


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallArchive]:
    """Give an archive that stands behind a proxy, under a path."""
    archive = build_archive(tmp_path_factory.mktemp("proxied"), 60, environment={"public_url": PUBLIC_URL})
    yield archive
    archive.close()


def page(archive: SmallArchive, path: str = "/") -> tuple[str, html.HtmlElement]:
    reply = archive.client.get(path, headers={"Accept": "text/html,*/*;q=0.8"})
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    return reply.text, html.document_fromstring(reply.text)


@pytest.mark.parametrize("path", ["/", "/api/v1/docs"])
def test_pages_are_well_formed(small: SmallArchive, path: str) -> None:
    text, _ = page(small, path)
    closed = re.sub(r"<(meta|link|input)\b([^>]*)>", r"<\1\2/>", text.replace("<!doctype html>", ""))
    # Attributes without a value are HTML's alone.
    etree.fromstring(re.sub(r" (required|defer)(?=[ />])", r' \1="\1"', closed))


@pytest.mark.parametrize("path", ["/", "/api/v1/docs"])
def test_nothing_comes_from_elsewhere(small: SmallArchive, path: str) -> None:
    _, tree = page(small, path)
    loaded = [
        element.get(name)
        for element in tree.iter("link", "script", "img", "iframe", "use")
        for name in ("href", "src")
        if element.get(name)
    ]
    assert loaded
    assert all(not urlsplit(url).netloc for url in loaded)
    assert not tree.xpath("//@style | //style | //script[not(@src)]")


def test_every_public_table_is_listed_with_its_rows(small: SmallArchive) -> None:
    _, tree = page(small)
    listed = {row.findtext(".//code"): row[2].text for row in tree.xpath("//table/tbody/tr")}
    with small.index.snapshot() as snapshot:
        assert sorted(listed) == sorted(table.name for table in snapshot.schemas.public)
    assert next(iter(listed)) == "ivoa.ObsCore"
    assert listed["ivoa.ObsCore"] == "300"


def test_services_and_snippets_name_the_public_url(elsewhere: SmallArchive) -> None:
    text, tree = page(elsewhere)
    for path in ("/tap", "/scs/ivoa.ObsCore", "/api/v1", "/files/ID"):
        assert f"<code>{PUBLIC_URL}{path}</code>" in text
    snippets = [element.text for element in tree.xpath("//pre")]
    assert all(PUBLIC_URL in snippet for snippet in snippets)
    assert "127.0.0.1" not in text


def test_links_are_relative_so_that_a_proxy_may_add_a_path(elsewhere: SmallArchive) -> None:
    _, tree = page(elsewhere)
    assert not [url for url in tree.xpath("//@href | //@src | //@action") if url.startswith(("/", "http"))]


def test_links_and_forms_lead_somewhere(small: SmallArchive) -> None:
    _, tree = page(small)
    for url in {str(url).split("#")[0] for url in tree.xpath("//a/@href | //link/@href | //script/@src")}:
        assert small.client.get(f"/{url}").status_code == 200, url
    for form in tree.forms:
        values = dict(form.form_values())
        reply = small.client.get(f"/{form.action}", params=values)
        assert reply.status_code == 200, reply.text
        assert reply.headers["content-type"].startswith("text/html")


def test_the_python_snippets_are_python(small: SmallArchive) -> None:
    _, tree = page(small)
    snippets = [element.text for element in tree.xpath("//pre") if element.text.startswith("import")]
    assert len(snippets) == 2
    for snippet in snippets:
        compile(snippet, "snippet", "exec")


def test_the_example_query_finds_something(small: SmallArchive) -> None:
    _, tree = page(small)
    query = tree.xpath("//textarea")[0].text
    reply = small.client.get("/tap/sync", params={"LANG": "ADQL", "QUERY": query, "RESPONSEFORMAT": "csv"})
    assert len(reply.text.splitlines()) > 1


def test_programs_get_the_facts_as_json(small: SmallArchive) -> None:
    facts = small.client.get("/", headers={"Accept": "application/json"}).json()
    assert facts["observations"] == 300
    assert facts["tables"]["ivoa.ObsCore"] == 300
    assert sum(facts["holdings"]["Instruments"].values()) == 300


def test_new_observations_show_up(own: SmallArchive) -> None:
    cache = HoldingsCache(own.index, pause=0)
    before = cache.get().observations
    own.add("ivoa.ObsCore", [observation(500)])
    assert cache.get().observations == before + 1


def test_an_empty_archive_has_a_page_too(tmp_path: Path) -> None:
    archive = build_archive(tmp_path, 0)
    parts = {name: getattr(archive.process, name) for name in Process.__slots__}
    text = Client(create_app(Process(**parts))).get("/").text
    assert "0 observations" in text
    assert "No observation has a position yet" in text
    archive.close()


def test_values_from_headers_are_text_on_the_page(own: SmallArchive) -> None:
    own.add("ivoa.ObsCore", [observation(500) | {"instrument_name": "<script>alert(1)</script>"}])
    text = Client(create_app(own.process)).get("/").text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


def test_assets_are_typed_and_kept(small: SmallArchive) -> None:
    for name, kind in (
        ("site.css", "text/css"),
        ("site.js", "text/javascript"),
        ("icon.svg", "image/svg+xml"),
    ):
        reply = small.client.get(f"/static/{name}")
        assert reply.headers["content-type"].startswith(kind)
        assert "max-age" in reply.headers["cache-control"]
    assert small.client.get("/static/../app.py").status_code == 404
    assert small.client.get("/static/none.css").status_code == 404


def test_the_address_of_the_api_leads_to_its_page_or_says_what_there_is(small: SmallArchive) -> None:
    for path in ("/api/v1", "/api/v1/"):
        led = small.client.get(path, headers={"Accept": "text/html"})
        assert (led.status_code, led.headers["location"]) == (307, "http://127.0.0.1:8000/api/v1/docs")
        told = small.client.get(path, headers={"Accept": "application/json"}).json()
        assert {small.client.get(url).status_code for url in told.values()} == {200}


def test_every_parameter_on_the_page_of_the_api_is_explained(small: SmallArchive) -> None:
    page = small.client.get("/api/v1/docs").text
    assert "such as ivoa.ObsCore" in page
    assert "<td></td></tr>" not in page


def test_the_openapi_document_names_every_route(small: SmallArchive) -> None:
    document = small.client.get("/api/v1/openapi.json").json()
    assert {
        "/api/v1/tables",
        "/api/v1/tables/{table}/rows",
        "/api/v1/tables/{table}/search",
        "/api/v1/tables/{table}/density",
        "/api/v1/adql/check",
        "/files/{identifier}",
        "/headers/{identifier}",
    } <= set(document["paths"])
    names = {p["name"] for p in document["paths"]["/api/v1/tables/{table}/rows"]["get"]["parameters"]}
    assert {"table", "region", "relation", "where.{column}", "facets", "cursor", "format"} <= names
