"""SIA 2 over HTTP."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from vo.dali.router import respond
from vo.ports import Ports
from vo.sia2.capabilities import image_search
from vo.sia2.service import ImageService
from vo.vosi.router import add_vosi


def build_router(ports: Ports, base: str = "/sia2") -> APIRouter:
    """Serve the search at the path ``base`` and at ``query`` below it, and the VOSI resources."""
    router = APIRouter(prefix=base, tags=["SIA2"])
    service = ImageService(ports)
    add_vosi(router, ports, base, image_search(base))

    async def search(request: Request) -> Response:
        return await respond(request, ports, service.search)

    for path in ("", "/query"):
        router.api_route(path, methods=["GET", "POST"], summary="Simple Image Access 2.0")(search)
    return router
