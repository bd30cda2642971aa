"""DataLink over HTTP."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from vo.dali.router import respond
from vo.datalink.capabilities import links
from vo.datalink.service import LinkService
from vo.ports import Ports
from vo.vosi.router import add_vosi


def build_router(ports: Ports, base: str = "/datalink") -> APIRouter:
    """Serve links at ``links`` below the path ``base``, and the VOSI resources."""
    router = APIRouter(prefix=base, tags=["DataLink"])
    service = LinkService(ports)
    add_vosi(router, ports, base, links(base))

    @router.api_route("/links", methods=["GET", "POST"], summary="DataLink 1.1")
    async def show_links(request: Request) -> Response:
        return await respond(request, ports, service.links)

    return router
