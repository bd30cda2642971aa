from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from schemas import load_schemas
from vo.formats.registry import FORMATS
from vo.protocols import PROTOCOLS, Protocol

_PAGES = Path(__file__).parents[2] / "docs" / "protocols"

by_name = pytest.mark.parametrize("protocol", PROTOCOLS, ids=[protocol.name for protocol in PROTOCOLS])


@by_name
def test_every_protocol_has_a_page_that_names_its_parameters(protocol: Protocol) -> None:
    page = (_PAGES / f"{protocol.name}.md").read_text()
    assert protocol.path in page
    assert [
        name for name in (*protocol.example[1], "MAXREC", "RESPONSEFORMAT") if f"`{name}`" not in page
    ] == []


def test_every_form_is_in_the_page() -> None:
    page = (_PAGES / "tap.md").read_text()
    assert [alias for form in FORMATS for alias in form.aliases if f"`{alias}`" not in page] == []


@by_name
def test_every_protocol_answers_its_vosi_resources(protocol: Protocol, client: Any) -> None:
    for child in ("capabilities", "availability"):
        assert client.get(f"{protocol.path}/{child}").status_code == 200


@by_name
def test_every_protocol_is_in_its_own_capabilities(protocol: Protocol, client: Any) -> None:
    assert protocol.standard_id.encode() in client.get(f"{protocol.path}/capabilities").content


@by_name
def test_every_example_asks_for_tables_that_we_declare(protocol: Protocol) -> None:
    named = re.findall(r"ivoa\.\w+", " ".join([protocol.example[0], *protocol.example[1].values()]))
    assert [name for name in named if name not in load_schemas()] == []
