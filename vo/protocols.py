"""The protocols we publish; routes, pages and conformance tests read this list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vo.ports import Ports
from vo.scs import router as scs
from vo.tap import router as tap

if TYPE_CHECKING:
    from fastapi import APIRouter


@dataclass(frozen=True, slots=True)
class Protocol:
    """One protocol: its name, the path it is below, its standard's identifier, and its routes.

    ``example`` is a path below ``path`` and parameters that any archive with observations answers.
    """

    name: str
    title: str
    path: str
    standard_id: str
    build: Callable[[Ports, str], APIRouter]
    example: tuple[str, dict[str, str]]

    def router(self, ports: Ports) -> APIRouter:
        """Return the routes."""
        return self.build(ports, self.path)


TAP = Protocol(
    "tap",
    "Table Access Protocol 1.1",
    "/tap",
    "ivo://ivoa.net/std/TAP",
    tap.build_router,
    ("/sync", {"LANG": "ADQL", "QUERY": "SELECT TOP 5 * FROM ivoa.ObsCore"}),
)

SCS = Protocol(
    "scs",
    "Simple Cone Search 1.03",
    "/scs",
    "ivo://ivoa.net/std/ConeSearch",
    scs.build_router,
    ("/ivoa.ObsCore", {"RA": "53.1", "DEC": "-27.8", "SR": "0.1"}),
)

PROTOCOLS: tuple[Protocol, ...] = (TAP, SCS)
"""Every protocol we publish."""
