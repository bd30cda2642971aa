"""TAP over HTTP."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from vo.dali import Parameters
from vo.dali.router import respond
from vo.ports import Ports
from vo.reply import Reply
from vo.tap.capabilities import add_tap_and_examples
from vo.tap.examples import examples
from vo.tap.service import TapService
from vo.uws.router import add_jobs
from vo.vosi.router import add_vosi


def build_router(ports: Ports, base: str = "/tap") -> APIRouter:
    """Serve TAP below the path ``base``."""
    router = APIRouter(prefix=base, tags=["TAP"])
    service = TapService(ports)
    add_vosi(router, ports, base, add_tap_and_examples, tables=True)

    @router.api_route("/sync", methods=["GET", "POST"], summary="Query in ADQL, answered at once")
    async def query(request: Request) -> Response:
        return await respond(request, ports, service.sync, largest=ports.uploads.bytes)

    if ports.jobs is not None:
        add_jobs(router, ports, ports.jobs, base, "tap")

    @router.get("/examples", summary="ADQL examples")
    async def show_examples(request: Request) -> Response:
        def work(_: Parameters) -> Reply:
            return Reply(examples(ports.declarations()), "application/xhtml+xml")

        return await respond(request, ports, work)

    return router
