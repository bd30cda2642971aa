"""The ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from archive import health
from archive.api.router import build_router as build_api
from archive.context import request_id
from archive.files.router import build_router as build_files
from archive.landing.router import build_router as build_pages
from archive.links.linker import IndexLinker
from archive.metrics import Metrics
from archive.middleware import Gate
from archive.packages.keeper import PackageLimits, Packages
from archive.packages.router import build_router as build_packages
from archive.presence import Presence
from archive.problems import Problem, our_failure, problem_handler
from archive.process import Process
from sky.regions import RegionError
from store.port import QueryError
from vo.dali import Limits, NotFoundFault, UsageFault
from vo.ports import Ports
from vo.protocols import PROTOCOLS
from vo.reply import VOTABLE
from vo.uploads.fetch import fetch
from vo.uploads.limits import UploadLimits
from vo.votable.document import Info, error_document

_PATIENCE = 5.0
"""Seconds that a starting worker waits for the index before it takes requests."""


def create_app(process: Process) -> ASGIApp:
    """Put the routes of all services together over what the process shares."""
    metrics = Metrics(process.index)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        word = Presence(
            process.settings.run_root, process.site.public_url, lambda: process.index.status().version
        )
        # Requests are taken once they can be answered; if that takes long, they are told why.
        await asyncio.to_thread(process.wait_ready, _PATIENCE)
        yield
        word.close()
        process.close()

    app = FastAPI(
        title=process.settings.title,
        description=f"The JSON API of the archive; beside it stand {', '.join(p.path for p in PROTOCOLS)}.",
        version="1",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    for kind in (Problem, RegionError, QueryError):
        app.add_exception_handler(kind, problem_handler)
    app.add_exception_handler(HTTPException, _routing_error)
    app.add_exception_handler(Exception, _failure)
    app.include_router(health.build_router(process, metrics))
    app.include_router(build_api(process))
    app.include_router(build_files(process))
    app.include_router(build_packages(_packages(process), process.site.public_url))
    app.include_router(build_pages(process))
    ports = replace(build_ports(process), jobs=process.jobs)
    for protocol in PROTOCOLS:
        app.include_router(protocol.router(ports), include_in_schema=False)
    return Gate(app, metrics=metrics, bases=[protocol.path for protocol in PROTOCOLS])


def _packages(process: Process) -> Packages:
    settings = process.settings
    limits = PackageLimits(
        files=settings.package_files,
        bytes=int(settings.package_gigabytes * 1e9),
        days=settings.package_days,
        of_all=settings.packages_of_all,
        of_one=settings.packages_of_one,
        seconds=settings.query_seconds,
    )
    return Packages(
        process.packages,
        process.index,
        process.site,
        process.policy,
        files_root=settings.files_root,
        limits=limits,
        title=settings.title,
        secret=process.secret,
    )


def build_ports(process: Process) -> Ports:
    """Return what the protocols need of the archive."""
    settings = process.settings
    limits = Limits(
        default_rows=settings.default_rows, hard_rows=settings.most_rows, seconds=settings.query_seconds
    )
    uploads = UploadLimits(
        bytes=settings.upload_megabytes * 10**6, rows=settings.upload_rows, columns=settings.upload_columns
    )
    return Ports(
        index=process.index,
        site=process.site,
        limits=limits,
        uploads=uploads,
        fetch=partial(fetch, limits=uploads) if settings.upload_urls else None,
        request_id=request_id,
        linker=IndexLinker(process.index, process.site, process.policy),
    )


async def _failure(_: Request, __: Exception) -> Response:
    """Answer what nobody foresaw; the error itself goes on to the outermost layer, which logs it."""
    return our_failure().response()


async def _routing_error(request: Request, error: Exception) -> Response:
    """Answer what routing refuses, such as an unknown path: in the form of the protocol it is below."""
    if not isinstance(error, HTTPException):
        raise error
    path, detail = request.url.path, error.detail
    base = next((p.path for p in PROTOCOLS if path == p.path or path.startswith(f"{p.path}/")), None)
    if error.status_code == 404:
        detail = f"there is nothing at {path}"
    elif error.status_code == 405:
        detail = f"{request.method} does not apply to {path}"
    if base is None:
        return Problem(error.status_code, detail, headers=error.headers).response()
    kind = NotFoundFault if error.status_code == 404 else UsageFault
    fault = kind(f"{detail}; {base}/capabilities says what there is")
    document = error_document(fault.text, [Info("request_id", request_id())])
    return Response(document, error.status_code, {**(error.headers or {}), "Content-Type": VOTABLE})
