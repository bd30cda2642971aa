"""SCS over HTTP."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from vo.dali import Parameters
from vo.dali.router import respond
from vo.ports import Ports
from vo.reply import Reply
from vo.scs.capabilities import all_cone_searches, one_cone_search
from vo.scs.service import ConeService, cone_error, find
from vo.vosi.availability import availability
from vo.vosi.capabilities import capabilities
from vo.vosi.router import add_vosi
from vo.vosi.tables import one_table

_XML = "text/xml"


def build_router(ports: Ports, base: str = "/scs") -> APIRouter:
    """Serve a cone search for each table below the path ``base``, and its VOSI resources below that."""
    router = APIRouter(prefix=base, tags=["SCS"])
    service = ConeService(ports)
    add_vosi(router, ports, base, all_cone_searches(base))

    @router.api_route("/{table}", methods=["GET", "POST"], summary="Simple Cone Search 1.03")
    async def search(request: Request, table: str) -> Response:
        return await respond(request, ports, lambda params: service.search(table, params), cone_error)

    @router.get("/{table}/capabilities", summary="VOSI capabilities of one table's cone search")
    async def show_capabilities(request: Request, table: str) -> Response:
        def work(_: Parameters) -> Reply:
            return Reply(
                capabilities(ports, f"{base}/{table}", one_cone_search(table, base), tables=True), _XML
            )

        return await respond(request, ports, work)

    @router.get("/{table}/availability", summary="VOSI availability of one table's cone search")
    async def show_availability(request: Request, table: str) -> Response:
        def work(_: Parameters) -> Reply:
            find(ports.declarations(), table)
            return Reply(availability(ports), _XML)

        return await respond(request, ports, work)

    @router.get("/{table}/tables", summary="VOSI description of the table")
    async def show_table(request: Request, table: str) -> Response:
        def work(_: Parameters) -> Reply:
            declared = ports.declarations()
            return Reply(one_table(declared, find(declared, table).name), _XML)

        return await respond(request, ports, work)

    return router
