"""The VOSI resources of a service."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from vo.dali import Parameters
from vo.dali.router import respond
from vo.ports import Ports
from vo.reply import Reply
from vo.vosi.availability import availability
from vo.vosi.capabilities import AddCapability, capabilities
from vo.vosi.tables import one_table, tableset, with_columns

_XML = "text/xml"


def add_vosi(router: APIRouter, ports: Ports, base: str, add: AddCapability, *, tables: bool = False) -> None:
    """Add ``/capabilities``, ``/availability`` and, if it has them, ``/tables`` to a service's router."""

    @router.get("/capabilities", summary="VOSI capabilities")
    async def show_capabilities(request: Request) -> Response:
        def work(_: Parameters) -> Reply:
            return Reply(capabilities(ports, base, add, tables=tables), _XML)

        return await respond(request, ports, work)

    @router.get("/availability", summary="VOSI availability")
    async def show_availability(request: Request) -> Response:
        return await respond(request, ports, lambda _: Reply(availability(ports), _XML))

    if tables:
        _add_tables(router, ports)


def _add_tables(router: APIRouter, ports: Ports) -> None:
    @router.get("/tables", summary="VOSI tables")
    async def show_tables(request: Request) -> Response:
        def work(params: Parameters) -> Reply:
            return Reply(tableset(ports.declarations(), columns=with_columns(params)), _XML)

        return await respond(request, ports, work)

    @router.get("/tables/{name:path}", summary="VOSI description of one table")
    async def show_table(request: Request, name: str) -> Response:
        return await respond(request, ports, lambda _: Reply(one_table(ports.declarations(), name), _XML))
