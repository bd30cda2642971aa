"""Routes of packages."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import orjson
from fastapi import APIRouter, Path
from fastapi.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from archive.api.body import json_object
from archive.api.params import parse_as
from archive.files.answer import answer
from archive.packages.content import description
from archive.packages.keeper import Packages
from archive.packages.layout import Form
from archive.packages.selection import PackageParams
from archive.packages.tar import Tar
from archive.packages.zip import Zip
from vo.dali.router import asks_head

PackageId: TypeAlias = Annotated[str, Path(description="The package's id, from the answer to POST")]
Suffix: TypeAlias = Annotated[Literal["tar", "zip"], Path(description="tar or zip")]

_FORMS: dict[str, Form] = {"tar": Tar(), "zip": Zip()}
_LONGEST_WORDS = 500

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": PackageParams.model_json_schema()}},
    }
}


def build_router(packages: Packages, base: str) -> APIRouter:
    """Make and send packages; ``base`` is the archive's address."""
    router, place = APIRouter(prefix="/api/v1/packages", tags=["packages"]), f"{base}/api/v1/packages"

    async def make(request: Request) -> Response:
        given = await json_object(request)
        params = parse_as(PackageParams, given)
        client = request.client.host if request.client else "-"
        package_id, package, expires = await run_in_threadpool(packages.make, params, _asked(given), client)
        url = f"{place}/{package_id}"
        if params.format is not None:
            return Response(None, 303, {"Location": f"{url}.{params.format}"})
        reply = _json({"id": package_id, **description(package, url, expires)}, 201)
        reply.headers["Location"] = url
        return reply

    def send(package_id: PackageId, suffix: Suffix, request: Request) -> Response:
        return answer(packages.open(package_id, _FORMS[suffix]), request.headers, head=asks_head(request))

    def show(package_id: PackageId) -> Response:
        package, expires = packages.get(package_id)
        return _json({"id": package_id, **description(package, f"{place}/{package_id}", expires)})

    router.post("", summary="Make a package of files", status_code=201, openapi_extra=_BODY)(make)
    router.get("/{package_id}.{suffix}", summary="Download a package (Range, ETag)")(send)
    router.get("/{package_id}", summary="What a package holds")(show)
    return router


def _json(document: dict[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(document), status, media_type="application/json")


def _asked(given: dict[str, Any]) -> str:
    """Return the selection in a line."""
    filters = {name: value for name, value in given.items() if name not in ("format", "ids")}
    if "ids" in given:
        return f"a list of {len(given['ids'])} identifiers"
    return orjson.dumps(filters).decode()[:_LONGEST_WORDS] if filters else "all files"
