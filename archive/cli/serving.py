"""The commands that serve, and that run jobs."""

import signal
import threading
from typing import Annotated, Any

import typer


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(serve)
    app.command()(worker)


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any free one.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Serving processes.")] = 1,
    follow: Annotated[
        bool, typer.Option("--follower/--no-follower", help="Keep the index up to date beside.")
    ] = True,
) -> None:
    """Serve the archive until Ctrl-C or SIGTERM."""
    from archive import server
    from archive.settings import load_settings

    server.serve(load_settings(), host, port, workers, follow=follow)


def worker(
    slots: Annotated[
        int | None, typer.Option(min=1, max=64, help="Jobs at once; ONEDFS_JOB_SLOTS when absent.")
    ] = None,
) -> None:
    """Run asynchronous jobs until Ctrl-C or SIGTERM; serve does this by itself."""
    from archive import logs
    from archive.jobs import work
    from archive.settings import load_settings
    from archive.supervise import end_with_supervisor

    settings = load_settings()
    logs.configure(settings.log_level)
    stop = threading.Event()

    def leave(number: int, frame: Any) -> None:
        del number, frame
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)
    end_with_supervisor()
    work.run(settings, stop, slots=slots)
