"""Routes of the JSON API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

import orjson
from fastapi import APIRouter, Path
from fastapi.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from archive.api import healpix_map, search, tables
from archive.api import moc as coverage
from archive.api.body import json_object
from archive.api.check import as_adql, check
from archive.api.openapi import (
    ADQL_BODY,
    DENSITY_PARAMETERS,
    MOC_PARAMETERS,
    SEARCH_BODY,
    SEARCH_PARAMETERS,
)
from archive.api.params import SearchParams, from_query, parse_density, parse_moc, parse_search
from archive.api.stream import chosen_format, streamed
from archive.api.values import ValueMismatch
from archive.problems import Detail, Problem, wrong
from archive.process import Process
from sky.moc import to_ascii, to_fits, to_json
from vo.dali.router import asks_head

TableName: TypeAlias = Annotated[str, Path(description="A table's name, in any case, such as ivoa.ObsCore")]
RowKey: TypeAlias = Annotated[str, Path(description="The row's key: the dp_id of an observation")]


def _json(document: Any, status: int = 200) -> Response:
    body = orjson.dumps(document, option=orjson.OPT_NON_STR_KEYS)
    return Response(body, status, media_type="application/json")


def _file(content: bytes, media_type: str, name: str) -> Response:
    headers = {"Content-Disposition": f'inline; filename="{name}"', "Vary": "Accept"}
    return Response(content, media_type=media_type, headers=headers)


def _accepted(request: Request, forms: Mapping[str, str]) -> str | None:
    """Return the form of the media type that a request names, if it names one of these."""
    named = [part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "").split(",")]
    return next((forms[name] for name in named if name in forms), None)


class Api:
    """The handlers, over what the process shares."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._base = process.site.public_url
        self._seconds = process.settings.query_seconds

    def tables(self) -> Response:
        """List all tables."""
        with self._process.index.snapshot() as snapshot:
            found = [tables.summary(table, self._base) for table in snapshot.schemas.public]
            return _json({"tables": found, "version": snapshot.version})

    def table(self, table: TableName) -> Response:
        """Describe one table."""
        with self._process.index.snapshot() as snapshot:
            found = tables.public_table(snapshot.schemas, table)
            return _json(tables.description(found, snapshot, self._base))

    def rows(self, table: TableName, request: Request) -> Response:
        """Search, with the parameters in the query string."""
        params = parse_search(from_query(request.query_params.multi_items()))
        return self._answer(table, params, request.headers.get("accept"), head=asks_head(request))

    async def search(self, table: TableName, request: Request) -> Response:
        """Search, with the parameters as JSON."""
        params = parse_search(await json_object(request))
        return await run_in_threadpool(self._answer, table, params, request.headers.get("accept"))

    def _answer(self, name: str, params: SearchParams, accept: str | None, *, head: bool = False) -> Response:
        form = chosen_format(params.format, accept)
        if form is not None:
            return streamed(self._process, name, params, form, head=head)
        cursors = self._process.cursors
        with self._process.index.snapshot() as snapshot:
            table = tables.public_table(snapshot.schemas, name)
            wanted = search.understand(table, params, cursors)
            page = search.run(wanted, snapshot, cursors, self._seconds)
        document = {
            "rows": orjson.Fragment(page.rows),
            "total": page.total,
            "total_relation": None if page.total is None else "eq",
            "next": page.next,
            "facets": page.facets,
            "version": page.version,
            "adql": as_adql(wanted.select),
        }
        reply = _json(document | ({"notes": page.notes} if page.notes else {}))
        reply.headers["Vary"] = "Accept"
        return reply

    def row(self, table: TableName, identifier: RowKey) -> Response:
        """Return the row with a key."""
        with self._process.index.snapshot() as snapshot:
            found = tables.public_table(snapshot.schemas, table)
            try:
                query = search.one_row(found, identifier)
            except ValueMismatch:
                raise _no_row(found.name, identifier) from None
            rows = snapshot.run(query, timeout=self._seconds).table()
            if not rows.num_rows:
                raise _no_row(found.name, identifier)
            shown = search.as_json(query.columns, rows)[1:-1]
            return _json({"row": orjson.Fragment(shown), "version": snapshot.version})

    def density(self, table: TableName, request: Request) -> Response:
        """Count rows by HEALPix cell."""
        params = parse_density(from_query(request.query_params.multi_items()))
        with self._process.index.snapshot() as snapshot:
            found = tables.public_table(snapshot.schemas, table)
            counted = search.density(found, params, snapshot, self._seconds)
        wanted = params.format or _accepted(request, {"application/fits": "fits"})
        if wanted == "fits":
            return _file(healpix_map.to_fits(counted), "application/fits", f"density-{counted.order}.fits")
        reply = _json(
            {
                "order": counted.order,
                "ordering": "nested",
                "frame": "ICRS",
                "cells": counted.cells,
                "total": counted.total,
                "version": counted.version,
            }
        )
        reply.headers["Vary"] = "Accept"
        return reply

    def moc(self, table: TableName, request: Request) -> Response:
        """Return what the matching rows cover."""
        params = parse_moc(from_query(request.query_params.multi_items()))
        with self._process.index.snapshot() as snapshot:
            covered = coverage.moc(
                tables.public_table(snapshot.schemas, table), params, snapshot, self._seconds
            )
        accepted = _accepted(request, {"application/fits": "fits", "text/plain": "ascii"})
        match params.format or accepted or "json":
            case "fits":
                return _file(to_fits(covered, params.order), "application/fits", "moc.fits")
            case "ascii":
                return _file(to_ascii(covered, params.order).encode(), "text/plain; charset=utf-8", "moc.txt")
            case _:
                return _file(to_json(covered, params.order).encode(), "application/json", "moc.json")

    async def check(self, request: Request) -> Response:
        """Check a query."""
        text = (await json_object(request)).get("query")
        if not isinstance(text, str):
            raise wrong([Detail("value", "the body needs a text named query", "query")])
        return _json(await run_in_threadpool(check, self._process, text))


def build_router(process: Process) -> APIRouter:
    """Serve tables, rows, density maps and checks."""
    router, api = APIRouter(prefix="/api/v1", tags=["tables"]), Api(process)
    one = "/tables/{table}"
    by_query, for_density = {"parameters": SEARCH_PARAMETERS}, {"parameters": DENSITY_PARAMETERS}
    get, post = router.get, router.post
    get("/tables", summary="All tables")(api.tables)
    get(one, summary="One table: its columns and facets")(api.table)
    get(f"{one}/rows", summary="Search a table", openapi_extra=by_query)(api.rows)
    post(f"{one}/search", summary="Search a table, parameters as JSON", openapi_extra=SEARCH_BODY)(api.search)
    get(f"{one}/rows/{{identifier:path}}", summary="One row, by its key")(api.row)
    get(f"{one}/density", summary="Rows of each HEALPix cell", openapi_extra=for_density)(api.density)
    get(f"{one}/moc", summary="What the rows cover: a MOC", openapi_extra={"parameters": MOC_PARAMETERS})(
        api.moc
    )
    post(
        "/adql/check", summary="Parse and resolve an ADQL query, without running it", openapi_extra=ADQL_BODY
    )(api.check)
    return router


def _no_row(table: str, identifier: str) -> Problem:
    return Problem(404, f"{table} has no row {identifier}", kind="unknown-row")
