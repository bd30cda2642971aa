"""Jobs over HTTP (UWS 1.1, section 2.2)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse

from vo.dali import Fault, NotFoundFault, Parameters
from vo.dali.router import Handler, respond
from vo.jobs import Jobs
from vo.ports import Ports
from vo.reply import Reply, error_reply
from vo.uws.service import JobService

_LOOK = 0.1
"""Seconds between two looks at a job that is waited for."""


def add_jobs(router: APIRouter, ports: Ports, jobs: Jobs, path: str, service: str) -> None:
    """Add a service's jobs to its router, as ``async`` below the service's path."""
    handlers = _Handlers(ports, jobs, JobService(jobs, service, ports.url(f"{path}/async")))
    one = "/async/{job_id}"
    router.get("/async", summary="The caller's jobs")(handlers.all)
    router.post("/async", summary="Make a job")(handlers.create)
    router.get(one, summary="A job; WAIT holds the answer until it changes")(handlers.show)
    router.post(one, summary="Run, abort or change a job")(handlers.change)
    router.delete(one, summary="Delete a job")(handlers.delete)
    router.get(f"{one}/results/result", summary="The result of a job")(handlers.result)
    router.get(f"{one}/parameters/{{copy}}", summary="A file that came with a job")(handlers.given)
    router.get(f"{one}/{{part}}", summary="A resource of a job")(handlers.part)
    router.post(f"{one}/{{part}}", summary="Change a resource of a job")(handlers.change_part)


class _Handlers:
    def __init__(self, ports: Ports, jobs: Jobs, service: JobService) -> None:
        self._ports = ports
        self._jobs = jobs
        self._service = service

    async def all(self, request: Request) -> Response:
        return await respond(request, self._ports, self._service.all)

    async def create(self, request: Request) -> Response:
        client = request.client.host if request.client else ""
        return await self._take(request, lambda params: self._service.create(params, client))

    async def show(self, request: Request, job_id: str) -> Response:
        await self._wait(request, job_id)

        def work(params: Parameters) -> Reply:
            job = self._service.get(job_id)
            self._service.waits(job, params)
            return self._service.show(job)

        return await respond(request, self._ports, work)

    async def change(self, request: Request, job_id: str) -> Response:
        return await self._take(request, partial(self._service.change, job_id))

    async def _take(self, request: Request, handler: Handler) -> Response:
        """Answer a request that may bring tables."""
        return await respond(request, self._ports, handler, largest=self._ports.uploads.bytes)

    async def delete(self, request: Request, job_id: str) -> Response:
        return await respond(request, self._ports, lambda _: self._service.delete(job_id))

    async def part(self, request: Request, job_id: str, part: str) -> Response:
        return await respond(
            request, self._ports, lambda _: self._service.part(self._service.get(job_id), part)
        )

    async def change_part(self, request: Request, job_id: str, part: str) -> Response:
        def work(params: Parameters) -> Reply:
            if part not in ("phase", "executionduration", "destruction", "parameters"):
                raise NotFoundFault(f"a job has no {part[:40]!r} that could be changed")
            return self._service.change(job_id, params)

        return await self._take(request, work)

    async def result(self, request: Request, job_id: str) -> Response:
        del request
        return await self._file(lambda: self._service.result(job_id))

    async def given(self, request: Request, job_id: str, copy: str) -> Response:
        del request
        return await self._file(lambda: self._service.given(job_id, copy))

    async def _file(self, find: Callable[[], tuple[str, str, str]]) -> Response:
        """Answer with a file, or parts of it: Range and conditions are understood."""
        try:
            path, media_type, name = await run_in_threadpool(find)
        except Fault as fault:
            reply = error_reply(self._ports, fault)
            return Response(reply.body, reply.status, {"Content-Type": reply.media_type})
        return FileResponse(path, media_type=media_type, filename=name, content_disposition_type="inline")

    async def _wait(self, request: Request, job_id: str) -> None:
        """Hold a request while the job stays in its phase, as long as it asks for."""
        with suppress(Fault):
            job = await run_in_threadpool(self._service.get, job_id)
            wait = self._service.waits(job, Parameters(request.query_params.multi_items()))
            end = time.monotonic() + (0.0 if wait is None else wait.seconds)
            while wait is not None and job.phase is wait.phase:
                left = end - time.monotonic()
                if left <= 0.0 or await request.is_disconnected():
                    return
                await asyncio.sleep(min(_LOOK, left))
                job = await run_in_threadpool(self._service.get, job_id)
