"""The protocol of the guide works as printed."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fastapi import FastAPI

from vo.ports import Ports

GUIDE = Path(__file__).parents[2] / "docs" / "adding-a-protocol.md"


@pytest.fixture
def build_router() -> Iterator[Callable[[Ports], Any]]:
    """Make the guide's modules, for as long as a test lasts."""
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    names = ("vo.nearby", "vo.nearby.service", "vo.nearby.router")
    modules = {name: ModuleType(name) for name in names}
    sys.modules.update(modules)
    for name, text in zip(names[1:], blocks, strict=True):
        exec(compile(text, name, "exec"), vars(modules[name]))  # noqa: S102 - the page is ours
    yield vars(modules["vo.nearby.router"])["build_router"]
    for name in names:
        del sys.modules[name]


@pytest.fixture
def nearby(build_router: Callable[[Ports], Any], ports: Ports, client: Any) -> Any:
    app = FastAPI()
    app.include_router(build_router(ports))
    return type(client)(app)


def test_it_finds_what_is_near(nearby: Any) -> None:
    reply = nearby.get("/nearby/demo.stars?ra=10&dec=20&responseformat=csv&maxrec=3")
    assert reply.status_code == 200
    assert [line.split(",")[0] for line in reply.text.splitlines()] == ["id", "star-0", "star-1", "star-2"]


def test_it_says_what_is_wrong(nearby: Any) -> None:
    reply = nearby.get("/nearby/demo.stars?RA=x&DEC=20")
    assert reply.status_code == 400
    assert "RA" in reply.text


def test_it_has_capabilities(nearby: Any) -> None:
    reply = nearby.get("/nearby/capabilities")
    assert "ivo://archive.example/std/nearby" in reply.text
    assert "http://archive.example/base/nearby" in reply.text
