"""The serving processes: socket, workers, follower, and how they end."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors import Multiprocess

from archive import factory, logs, stores
from archive.app import create_app
from archive.settings import Settings, load_settings
from archive.supervise import SUPERVISOR, Child, end_with_supervisor, follower_command, worker_command

_GRACE = 10
"""Seconds that answers in work get to end when the server stops."""


_HEALTHY = 30
"""Seconds after which a worker that does not answer its parent is replaced."""


class CannotListen(Exception):  # noqa: N818 - names the condition
    """The address is not to be had; the message says what to do."""


def application() -> ASGIApp:
    """Return the application of one worker, from the environment."""
    settings = load_settings()
    logs.configure(settings.log_level)
    end_with_supervisor()
    return create_app(factory.open_process(settings))


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises
    ------
    CannotListen
        When the port is in use, or the address is not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise CannotListen(
            f"cannot serve on {host}:{port}: {error.strerror}; choose another with --port or --host"
        ) from None
    listening.set_inheritable(True)
    return listening


def public_url(settings: Settings, host: str, port: int) -> str:
    """Return the base URL to show: the one that was set, or the address served on."""
    if "public_url" in settings.model_fields_set:
        return settings.public_url
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{shown}]:{port}" if ":" in shown.strip("[]") else f"http://{shown}:{port}"


def serve(settings: Settings, host: str, port: int, workers: int, *, follow: bool = True) -> None:
    """Serve until SIGTERM or Ctrl-C; with ``follow`` a follower keeps the index up to date beside.

    Raises
    ------
    CannotListen
        When the address is not to be had.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    with listen(host, port) as listening:
        _prepare(settings, public_url(settings, host, listening.getsockname()[1]), workers)
        children = [Child(follower_command(), "follower")] if follow else []
        if settings.serve_jobs:
            children.append(Child(worker_command(), "worker"))
        try:
            _run(listening, workers)
        finally:
            for child in children:
                child.stop()


def _prepare(settings: Settings, url: str, workers: int) -> None:
    stores.authority(settings)
    stores.prepare_database(settings)
    os.environ["ONEDFS_PUBLIC_URL"] = url
    os.environ[SUPERVISOR] = str(os.getpid())
    if workers > 1:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_metrics_folder(settings.run_root))
    print(f"One DFS serves {url}/ from {settings.root}", file=sys.stderr, flush=True)  # noqa: T201 - for the person


def _metrics_folder(run_root: Path) -> Path:
    """Make the folder where workers leave their numbers, and remove those of servers that are gone.

    Others may serve the same data, in containers where numbers of processes say nothing, so a lock tells.
    """
    for old in run_root.glob("metrics-*"):
        with suppress(OSError):
            _lock(old)
            shutil.rmtree(old, ignore_errors=True)
    run_root.mkdir(parents=True, exist_ok=True)
    # Locked before it has the name by which others find it.
    draft = Path(tempfile.mkdtemp(prefix="draft-", dir=run_root))
    _lock(draft)
    return draft.rename(run_root / f"metrics-{socket.gethostname()}-{os.getpid()}-{draft.name[-8:]}")


def _lock(folder: Path) -> None:
    """Lock a folder for as long as this process lives.

    Raises
    ------
    BlockingIOError
        When another process has it.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise


def _run(listening: socket.socket, workers: int) -> None:
    config = uvicorn.Config(
        "archive.server:application",
        factory=True,
        workers=workers,
        loop="uvloop",
        http="httptools",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_GRACE,
        timeout_worker_healthcheck=_HEALTHY,
    )
    if workers == 1:
        uvicorn.Server(config).run(sockets=[listening])
    else:
        Multiprocess(config, sockets=[listening]).run()


def _leave(number: int, _: Any) -> None:
    """End with success: stopping the server is no failure."""
    del number
    raise SystemExit(0)
