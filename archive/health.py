"""Routes for whoever operates the service."""

from __future__ import annotations

import orjson
from fastapi import APIRouter
from starlette.responses import Response

from archive.metrics import Metrics
from archive.problems import Problem
from archive.process import Process


def build_router(process: Process, metrics: Metrics) -> APIRouter:
    """Serve health, readiness and metrics."""
    router = APIRouter(include_in_schema=False)

    @router.get("/healthz")
    async def healthz() -> Response:
        return Response(b'{"status":"ok"}', media_type="application/json")

    @router.get("/readyz")
    def readyz() -> Response:
        reason = process.not_ready() or process.worker_not_ready()
        if reason:
            raise Problem(503, reason, kind="not-ready", headers={"Retry-After": "1"})
        word = {"status": "ready", "version": process.index.status().version}
        if behind := process.behind():
            word["behind"] = behind
        return Response(orjson.dumps(word), media_type="application/json")

    @router.get("/metrics")
    def numbers() -> Response:
        return Response(metrics.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router
