"""Routes of the landing page, its assets, and the page of the JSON API."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import resources
from typing import Any

import jinja2
import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from archive.landing import content
from archive.landing.apidocs import operations
from archive.landing.holdings import OBSCORE, Holdings, HoldingsCache
from archive.landing.skymap import draw
from archive.problems import Problem
from archive.process import Process

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
)
_TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def _read_assets() -> dict[str, bytes]:
    folder = resources.files("archive.landing").joinpath("static")
    return {entry.name: entry.read_bytes() for entry in folder.iterdir()}


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("archive.landing"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["number"] = lambda n: f"{n:,}".replace(",", "\u202f")
    return environment


def wants_html(accept: str) -> bool:
    """Whether a client that accepts this is a browser rather than a program that asks for JSON."""
    json_at, html_at = accept.find("application/json"), accept.find("text/html")
    return json_at < 0 or 0 <= html_at < json_at


class Pages:
    """The handlers."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._holdings = HoldingsCache(process.index)
        self._assets = _read_assets()
        self._mark = hashlib.sha256(b"".join(self._assets[n] for n in sorted(self._assets))).hexdigest()[:12]
        self._environment = _environment()
        self._drawn: tuple[int, bytes] | None = None

    def landing(self, request: Request) -> Response:
        """Answer the page, or its facts as JSON."""
        holdings = self._holdings.get()
        if not wants_html(request.headers.get("accept", "")):
            return Response(orjson.dumps(self._facts(holdings)), media_type="application/json")
        if self._drawn is None or self._drawn[0] != holdings.version:
            self._drawn = holdings.version, self._page(holdings)
        return self._html(self._drawn[1])

    def api(self, request: Request) -> Response:
        """Lead from the API's own address to its page, or say what there is as JSON."""
        base = f"{self._process.site.public_url}/api/v1"
        if not wants_html(request.headers.get("accept", "")):
            found = {"tables": f"{base}/tables", "openapi": f"{base}/openapi.json", "docs": f"{base}/docs"}
            return Response(orjson.dumps(found), media_type="application/json", headers={"Vary": "Accept"})
        return Response(None, 307, {"Location": f"{base}/docs", "Vary": "Accept"})

    def docs(self, request: Request) -> Response:
        """Answer the page of the JSON API."""
        template = self._environment.get_template("apidocs.html")
        document = request.app.openapi()
        page = template.render(
            title=self._process.settings.title,
            assets=self._mark,
            base=self._process.site.public_url,
            operations=operations(document),
        )
        return self._html(page.encode())

    def asset(self, name: str) -> Response:
        """Answer a style sheet, script or image."""
        if name not in self._assets:
            raise Problem(404, f"there is nothing at /static/{name}")
        kind = _TYPES[name[name.rindex(".") :]]
        headers = {"Cache-Control": "public, max-age=86400"}
        return Response(self._assets[name], media_type=kind, headers=headers)

    def _html(self, page: bytes) -> Response:
        headers = {"Content-Security-Policy": _POLICY, "Vary": "Accept"}
        return Response(page, media_type="text/html; charset=utf-8", headers=headers)

    def _page(self, holdings: Holdings) -> bytes:
        base = self._process.site.public_url
        ra, dec = holdings.example
        template = self._environment.get_template("landing.html")
        text = template.render(
            title=self._process.settings.title,
            assets=self._mark,
            authority=self._process.site.authority,
            holdings=holdings,
            obscore=OBSCORE,
            map=draw(holdings.sky, holdings.order),
            services=content.services(base),
            snippets=content.snippets(base, holdings),
            adql=content.example_query(holdings),
            ra=ra,
            dec=dec,
        )
        return text.encode()

    def _facts(self, holdings: Holdings) -> dict[str, Any]:
        base = self._process.site.public_url
        return {
            "title": self._process.settings.title,
            "version": holdings.version,
            "observations": holdings.observations,
            "tables": {item.table.name: item.rows for item in holdings.tables},
            "holdings": {name: dict(groups) for name, groups in holdings.groups.items()},
            "services": {service.title: service.url for service in content.services(base)},
        }


def build_router(process: Process) -> APIRouter:
    """Serve the pages."""
    router, pages = APIRouter(include_in_schema=False), Pages(process)
    router.get("/")(pages.landing)
    router.get("/api/v1")(pages.api)
    router.get("/api/v1/")(pages.api)
    router.get("/api/v1/docs")(pages.docs)
    router.get("/static/{name}")(pages.asset)
    return router
