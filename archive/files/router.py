"""Routes of files and headers."""

from __future__ import annotations

from typing import Annotated, TypeAlias
from urllib.parse import quote

import orjson
from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from archive.files import catalogue, headers
from archive.files.answer import OpenFile, answer
from archive.files.bytes import open_held
from archive.problems import Detail, wrong
from archive.process import Process
from vo.dali.router import asks_head

Identifier: TypeAlias = Annotated[str, Path(description="The file's dp_id")]
Form: TypeAlias = Annotated[
    str | None, Query(description="text (cards of 80 characters) or json; as Accept, else text")
]


def build_router(process: Process) -> APIRouter:
    """Serve the bytes and the headers of files."""
    router = APIRouter(tags=["files"])
    root, url = process.settings.files_root, f"{process.site.public_url}/files"

    def file(identifier: Identifier, request: Request) -> Response:
        with process.index.snapshot() as snapshot:
            held = catalogue.find(snapshot, identifier, url)
        process.policy.require_bytes(held.dp_id, held.release_date, held.rights)
        descriptor = open_held(held, root)
        return answer(OpenFile(held, descriptor), request.headers, head=asks_head(request))

    router.get("/files/{identifier:path}", summary="Download a file (Range, ETag)")(file)

    def header(identifier: Identifier, request: Request, format: Form = None) -> Response:  # noqa: A002
        with process.index.snapshot() as snapshot:
            held = catalogue.find(snapshot, identifier, url)
            cards = headers.header_cards(process.lake, snapshot.version, held.dp_id)
        if format not in (None, "text", "json"):
            raise wrong([Detail("value", "format is text or json", "format")])
        name = f"{quote(held.dp_id, safe='')}.hdr"
        if format == "json" or (format is None and "json" in request.headers.get("accept", "")):
            document = headers.as_document(held.dp_id, cards)
            return Response(orjson.dumps(document), media_type="application/json", headers={"Vary": "Accept"})
        return Response(
            headers.as_text(cards),
            media_type="text/plain; charset=utf-8",
            headers={"Content-Disposition": f"inline; filename*=UTF-8''{name}", "Vary": "Accept"},
        )

    router.get("/headers/{identifier:path}", summary="The FITS headers of a file")(header)
    return router
