"""A query process: it opens the index, waits for one job, runs it, and says how that went.

What it does wrong costs nobody else: the operating system limits its memory, those that answer at once go
first, and it ends with the worker that started it.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from contextlib import closing, suppress
from ctypes import CDLL
from dataclasses import replace
from pathlib import PurePath

from archive import factory, logs, stores
from archive.app import build_ports
from archive.jobs.files import RESULT, JobFiles
from archive.jobs.outcome import MEGABYTES, READY, as_line
from archive.process import Process
from archive.settings import load_settings
from store.database import JobStore
from store.jobs import Failure, Job, Result
from vo.dali import Fault, TransientFault
from vo.reply import Body, Reply
from vo.tap.service import TapService

_PR_SET_PDEATHSIG = 1
_NICE = 5

_FAILED = "DefaultFault: the server failed; its log has the details under this job's id"
_NO_MEMORY = (
    "UsageFault: the query needs more memory than a job may have; ask for less, or for parts one by one"
)


def main() -> None:
    """Take a job's id from standard input, run it, and write the outcome to standard output."""
    _restrict()
    settings = load_settings()
    logs.configure(settings.log_level)
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    process = factory.open_process(settings)
    process.wait_ready(60.0)
    store = JobStore(stores.open_tables(settings))
    # A worker that is killed while this starts may have been gone before it could take this along.
    with suppress(BrokenPipeError):
        answers.write(READY)
        job = store.get(sys.stdin.readline().strip())
        if job is not None:
            answers.write(as_line(run(job, process, JobFiles(settings.jobs_root))))
    # Nothing that is open needs to be closed in order, and an engine may take long to.
    os._exit(0)


def run(job: Job, process: Process, files: JobFiles) -> Result | Failure:
    """Run a job and keep its result."""
    ports = build_ports(process)
    ports = replace(
        ports, limits=replace(ports.limits, seconds=job.execution_duration), request_id=lambda: job.id
    )
    try:
        reply = TapService(ports).sync(files.parameters(job))
        return _kept(job, reply, files)
    except Fault as fault:
        return Failure(fault.text, isinstance(fault, TransientFault))
    except MemoryError:
        return Failure(_NO_MEMORY)
    except Exception:  # noqa: BLE001 - whatever it was, the job ends with a summary
        logs.get_logger().exception("job failed", job=job.id)
        return Failure(_FAILED)


def _kept(job: Job, reply: Reply, files: JobFiles) -> Result:
    if isinstance(reply.body, Body):
        with closing(reply.body) as body:
            size = files.write_result(job.id, body)
            if body.failure is not None:
                raise body.failure
    else:
        size = files.write_result(job.id, [reply.body])
    shown = reply.headers.get("Content-Disposition", "").partition('filename="')[2].rstrip('"')
    return Result(RESULT, reply.media_type, f"result{PurePath(shown).suffix}", size)


def _restrict() -> None:
    """Bound what this process may take, and let it end with its parent."""
    CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.nice(_NICE)
    megabytes = int(os.environ.get(MEGABYTES, "0"))
    if megabytes:
        # Private memory; the index, which is mapped from files, does not count.
        resource.setrlimit(resource.RLIMIT_DATA, (megabytes << 20, megabytes << 20))


if __name__ == "__main__":
    main()
