"""The protocols we publish; routes, pages and conformance tests read this list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vo.datalink import router as datalink
from vo.ports import Ports
from vo.scs import router as scs
from vo.sia2 import router as sia2
from vo.tap import router as tap

if TYPE_CHECKING:
    from fastapi import APIRouter


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """One protocol: its name, the path it is below, its standard's identifier, and its routes.

    ``use`` says in a line what it is for. ``entry`` is what clients are given below ``path``, when not the
    path itself. ``example`` is a path below ``path`` and parameters that any archive with observations
    answers.
    """

    name: str
    title: str
    use: str
    path: str
    entry: str = ""
    standard_id: str
    build: Callable[[Ports, str], APIRouter]
    example: tuple[str, dict[str, str]]

    def router(self, ports: Ports) -> APIRouter:
        """Return the routes."""
        return self.build(ports, self.path)


TAP = Protocol(
    name="tap",
    title="Table Access Protocol 1.1",
    use="ADQL on every table: TOPCAT, pyvo, astroquery, Aladin",
    path="/tap",
    standard_id="ivo://ivoa.net/std/TAP",
    build=tap.build_router,
    example=("/sync", {"LANG": "ADQL", "QUERY": "SELECT TOP 5 * FROM ivoa.ObsCore"}),
)

SCS = Protocol(
    name="scs",
    title="Simple Cone Search 1.03",
    use="cone search of a table: TOPCAT, Aladin, pyvo",
    path="/scs",
    entry="/ivoa.ObsCore",
    standard_id="ivo://ivoa.net/std/ConeSearch",
    build=scs.build_router,
    example=("/ivoa.ObsCore", {"RA": "53.1", "DEC": "-27.8", "SR": "0.1"}),
)

SIA2 = Protocol(
    name="sia2",
    title="Simple Image Access 2.0",
    use="images and cubes by region, wavelength, time and more: Aladin, pyvo",
    path="/sia2",
    standard_id="ivo://ivoa.net/std/SIA#query-2.0",
    build=sia2.build_router,
    example=("/query", {"POS": "CIRCLE 53.1 -27.8 5", "MAXREC": "5"}),
)

DATALINK = Protocol(
    name="datalink",
    title="DataLink 1.1",
    use="what belongs to a data product: header, what it was made from, what was made from it",
    path="/datalink",
    entry="/links",
    standard_id="ivo://ivoa.net/std/DataLink#links-1.1",
    build=datalink.build_router,
    example=("/links", {"ID": "ivo://onedfs.example/ID?none"}),
)

PROTOCOLS: tuple[Protocol, ...] = (TAP, SCS, SIA2, DATALINK)
"""Every protocol we publish."""
