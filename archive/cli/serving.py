"""The command that serves."""

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(serve)


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
