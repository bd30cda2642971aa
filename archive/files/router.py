"""Routes of files and headers."""

from __future__ import annotations

from urllib.parse import quote

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from archive.files import catalogue, headers
from archive.files.answer import answer
from archive.files.bytes import open_held
from archive.problems import Detail, wrong
from archive.process import Process


def build_router(process: Process) -> APIRouter:
    """Serve the bytes and the headers of files."""
    router = APIRouter(tags=["files"])
    root = process.settings.files_root

    def file(identifier: str, request: Request) -> Response:
        with process.index.snapshot() as snapshot:
            held = catalogue.find(snapshot, identifier)
        process.policy.require_bytes(held.dp_id, held.release_date)
        descriptor = open_held(held, root)
        return answer(held, descriptor, request.headers, head=request.method == "HEAD")

    router.add_api_route(
        "/files/{identifier:path}", file, methods=["GET"], summary="Download a file (Range, ETag)"
    )
    router.add_api_route("/files/{identifier:path}", file, methods=["HEAD"], include_in_schema=False)

    def header(identifier: str, request: Request, format: str | None = None) -> Response:  # noqa: A002
        with process.index.snapshot() as snapshot:
            held = catalogue.find(snapshot, identifier)
            cards = headers.header_cards(process.lake, snapshot.version, held.dp_id)
        if format not in (None, "text", "json"):
            raise wrong([Detail("value", "format is text or json", "format")])
        name = f"{quote(held.dp_id, safe='')}.hdr"
        if format == "json" or (format is None and "json" in request.headers.get("accept", "")):
            document = headers.as_document(held.dp_id, cards)
            return Response(orjson.dumps(document), media_type="application/json")
        return Response(
            headers.as_text(cards),
            media_type="text/plain; charset=utf-8",
            headers={"Content-Disposition": f"inline; filename*=UTF-8''{name}"},
        )

    router.add_api_route(
        "/headers/{identifier:path}", header, methods=["GET"], summary="The FITS headers of a file"
    )
    router.add_api_route("/headers/{identifier:path}", header, methods=["HEAD"], include_in_schema=False)
    return router
