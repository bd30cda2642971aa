"""Links of data products: what belongs to a file of this archive, or of another."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from astropy.io import votable

from tests.archive.conftest import NOW, SmallArchive, add_rows, build_archive, file_row, observation
from tests.support.engines import ENGINES_SLOWLY

OWN = "ivo://onedfs.example/ID?"
TOMORROW = (NOW + timedelta(days=1)).replace(tzinfo=None)


@pytest.fixture(scope="module", params=ENGINES_SLOWLY)
def archive(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SmallArchive]:
    """A product of a raw frame and a calibration, a withdrawn file, and a row of another archive."""
    folder = tmp_path_factory.mktemp("links")
    built = build_archive(folder / "data", 2, engine=request.param)
    path = Path(folder / "file.fits")
    path.write_bytes(b"bytes")
    files = {
        "RAW.1": {},
        "FLAT": {"file_name": "flat.fits"},
        "PRODUCT": {"release_date": TOMORROW},
        "GONE": {"withdrawn": "a mistake"},
        "odd name+1": {},
    }
    add_rows(
        built.lake, "archive.files", [file_row(name, path, b"bytes", **more) for name, more in files.items()]
    )
    rows = [{**observation(at), "dp_id": name} for at, name in enumerate(files) if name != "GONE"]
    rows[2]["bib_reference"] = "2014A&A...570A..13M"
    rows += [
        {
            **observation(9),
            "dp_id": "loaded",
            "obs_publisher_did": "ivo://other/x?1",
            "access_url": "http://o.example/1",
        }
    ]
    add_rows(built.lake, "ivoa.ObsCore", rows)
    sources = [
        ("raw.fits", "RAW.1", "raw"),
        ("flat.fits", None, "calibration"),
        ("unknown.fits", None, "raw"),
    ]
    add_rows(
        built.lake,
        "phase3v2.provenance",
        [
            {"dp_id": "PRODUCT", "seq": at, "source": name, "source_dp_id": dp_id, "role": role}
            for at, (name, dp_id, role) in enumerate(sources, 1)
        ],
    )
    built.refresh()
    yield built
    built.close()


def links(archive: SmallArchive, *identifiers: str) -> list[dict[str, Any]]:
    reply = archive.client.post("/datalink/links", data={"ID": list(identifiers)})
    assert reply.status_code == 200, reply.text
    table = votable.parse(io.BytesIO(reply.content)).get_first_table().to_table()
    return [{name: None if row[name] is None else str(row[name]) for name in table.colnames} for row in table]


def told(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(row["semantics"], row["access_url"].removeprefix("http://127.0.0.1:8000")) for row in rows]


def test_a_product_leads_to_its_sources_and_its_article(archive: SmallArchive) -> None:
    assert told(links(archive, f"{OWN}PRODUCT")) == [
        ("#this", "/files/PRODUCT"),
        ("#auxiliary", "/headers/PRODUCT"),
        ("#progenitor", "/files/RAW.1"),
        ("#progenitor", "/files/FLAT"),
        ("#documentation", "https://ui.adsabs.harvard.edu/abs/2014A%26A...570A..13M/abstract"),
    ]


@pytest.mark.parametrize("source", ["RAW.1", "FLAT"])
def test_a_source_leads_to_what_was_made_from_it(archive: SmallArchive, source: str) -> None:
    rows = links(archive, f"{OWN}{source}")
    assert ("#derivation", "/files/PRODUCT") in told(rows)
    auth = {row["semantics"]: (row["link_auth"], row["link_authorized"]) for row in rows}
    assert auth["#this"] == ("false", "True")
    assert auth["#derivation"] == ("true", "False")


def test_bytes_that_are_not_public_yet_need_an_identity_and_headers_do_not(archive: SmallArchive) -> None:
    auth = {row["semantics"]: row["link_auth"] for row in links(archive, f"{OWN}PRODUCT")}
    assert (auth["#this"], auth["#auxiliary"]) == ("true", "false")


@pytest.mark.parametrize(
    "identifier",
    [f"{OWN}odd name+1", f"{OWN}odd%20name%2B1", "odd name+1", "IVO://OneDFS.example/id?odd name+1"],
)
def test_identifiers_are_known_in_each_spelling(archive: SmallArchive, identifier: str) -> None:
    rows = links(archive, identifier)
    assert {row["ID"] for row in rows} == {identifier}
    assert told(rows)[0] == ("#this", "/files/odd%20name%2B1")


def test_a_row_of_another_archive_leads_there(archive: SmallArchive) -> None:
    assert told(links(archive, "ivo://other/x?1")) == [("#this", "http://o.example/1")]


@pytest.mark.parametrize(
    ("identifier", "said"),
    [
        (f"{OWN}GONE", "NotFoundFault: withdrawn: a mistake"),
        (f"{OWN}none", "NotFoundFault: there is no data product"),
        ("ivo://other/x?2", "NotFoundFault: there is no data product"),
        ("none\x01", "NotFoundFault"),
    ],
)
def test_what_has_no_links_has_an_error_in_its_place(
    archive: SmallArchive, identifier: str, said: str
) -> None:
    rows = links(archive, f"{OWN}RAW.1", identifier, f"{OWN}FLAT")
    (error,) = [row for row in rows if row["error_message"]]
    assert said in error["error_message"]
    assert not error["access_url"]
    assert [row["semantics"] for row in rows].count("#this") == 3


def test_thousands_of_identifiers_are_answered_in_their_order(archive: SmallArchive) -> None:
    identifiers = [f"{OWN}none-{at}" for at in range(2_000)] + [f"{OWN}FLAT"]
    rows = links(archive, *identifiers)
    assert list(dict.fromkeys(row["ID"] for row in rows)) == identifiers


@pytest.mark.parametrize(
    ("query", "column"),
    [
        ("SELECT * FROM ivoa.ObsCore", "obs_publisher_did"),
        ("SELECT s_ra, dp_id AS x FROM ivoa.ObsCore", "x"),
        ("SELECT COUNT(*) AS n FROM ivoa.ObsCore", None),
    ],
)
def test_answers_that_name_data_products_tell_where_their_links_are(
    archive: SmallArchive, query: str, column: str | None
) -> None:
    reply = archive.client.get("/tap/sync", params={"LANG": "ADQL", "QUERY": query})
    document = votable.parse(io.BytesIO(reply.content))
    services = [found for found in document.resources if found.utype == "adhoc:service"]
    if column is None:
        assert services == []
        return
    (service,) = services
    values = {param.name: param.value for param in service.params}
    assert values["accessURL"].endswith("/datalink/links")
    (group,) = service.groups
    (parameter,) = group.entries
    assert parameter.name == "ID"
    assert document.get_field_by_id_or_name(parameter.ref).name == column
