from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence
from typing import Any

import pytest
from astropy.io import votable
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from tests.vo.conftest import Client
from vo.dali import Limits, Parameters
from vo.datalink.router import build_router
from vo.datalink.service import LinkService
from vo.links import Link, not_found
from vo.ports import Ports


class Numbered:
    """Knows as many links of an identifier as the number in it says; none of any other."""

    def links(self, identifiers: Sequence[str]) -> Sequence[Sequence[Link]]:
        return [self._of(identifier) for identifier in identifiers]

    def _of(self, identifier: str) -> Sequence[Link]:
        count = int(identifier) if identifier.isdigit() else 0
        links = [
            Link(semantics="#this", access_url=f"http://archive.example/{at}", open=at % 2 == 0)
            for at in range(count)
        ]
        return links or [not_found(identifier)]


@pytest.fixture
def linked(ports: Ports) -> Ports:
    return dataclasses.replace(ports, linker=Numbered())


@pytest.fixture
def client(linked: Ports) -> Client:
    app = FastAPI()
    app.include_router(build_router(linked))
    return Client(app)


def _table(content: bytes) -> Any:
    return votable.parse(io.BytesIO(content)).get_first_table()


def _ids(content: bytes) -> list[str]:
    return [str(value) for value in _table(content).array["ID"]]


@given(st.lists(st.integers(1, 5), unique=True), st.integers(0, 20))
def test_an_answer_is_cut_between_identifiers_only(counts: list[int], most: int) -> None:
    ports = Ports(
        index=None,  # type: ignore[arg-type] # links come from the linker alone
        site=None,  # type: ignore[arg-type]
        limits=Limits(default_rows=20, hard_rows=20, seconds=1),
        linker=Numbered(),
    )
    object.__setattr__(ports, "site", type("Site", (), {"public_url": "http://archive.example"}))
    given_ids = [("ID", str(count)) for count in counts]
    content = b"".join(LinkService(ports).links(Parameters([*given_ids, ("MAXREC", str(most))])).body)  # type: ignore[arg-type]
    expected: list[str] = []
    for count in counts:
        if len(expected) + count > most:
            break
        expected += [str(count)] * count
    assert _ids(content) == expected
    assert (b"OVERFLOW" in content) == (len(expected) < sum(counts) or most == 0)


def test_without_identifiers_the_table_is_empty(client: Client) -> None:
    reply = client.get("/datalink/links")
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/x-votable+xml;content=datalink"
    assert _ids(reply.content) == []
    assert b"OVERFLOW" not in reply.content


@pytest.mark.parametrize("method", ["get", "post"])
def test_each_row_has_a_link_or_an_error(client: Client, method: str) -> None:
    ids = {"ID": ["2", "none", "1"]}
    reply = (
        client.get("/datalink/links", params=ids)
        if method == "get"
        else client.post("/datalink/links", data=ids)
    )
    rows = _table(reply.content).array
    assert [str(row["ID"]) for row in rows] == ["2", "2", "none", "1"]
    assert [bool(row["access_url"]) for row in rows] == [True, True, False, True]
    assert [bool(row["error_message"]) for row in rows] == [False, False, True, False]
    assert str(rows["error_message"][2]).startswith("NotFoundFault")
    assert [str(auth) for auth in rows["link_auth"]] == ["false", "true", "", "false"]
    assert list(rows["link_authorized"].filled(fill_value=False)) == [True, False, False, True]
    assert bool(rows["link_authorized"].mask[2])


def test_other_forms_are_answered(client: Client) -> None:
    reply = client.get("/datalink/links", params={"ID": "1", "RESPONSEFORMAT": "csv"})
    assert reply.text.splitlines()[1].startswith("1,http://archive.example/0,")


def test_an_answer_describes_the_service_that_gave_it(client: Client) -> None:
    resources = votable.parse(io.BytesIO(client.get("/datalink/links").content)).resources
    (this,) = [found for found in resources if found.utype == "adhoc:service"]
    assert this.name == "this"
    values = {param.name: param.value for param in this.params}
    assert values["accessURL"] == "http://archive.example/base/datalink/links"
