"""Commands about the projection, the lake and schema changes: index, lake, migrate."""

import signal
import threading
from typing import Annotated, Any

import typer

from archive.cli.tell import AsJson, counted, printable, say, say_facts, say_json

index_app = typer.Typer(help="The index: what queries are answered from.", no_args_is_help=True)
lake_app = typer.Typer(help="The lake: the record of everything.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands without a group."""
    app.command()(migrate)


@index_app.command("status")
def index_status(as_json: AsJson = False) -> None:
    """Show how far the index is."""
    from archive import report
    from archive.settings import load_settings

    found = report.index_status(load_settings())
    if as_json:
        say_json(found)
        return
    servers, advice = found.pop("servers"), found.pop("advice")
    say_facts({**found, "servers": len(servers)})
    for line in advice:
        say(printable(line))


@index_app.command()
def rebuild() -> None:
    """Write the index anew from the lake; the old one serves until then."""
    from archive import factory
    from archive.settings import load_settings

    version = factory.rebuild_index(load_settings())
    say(f"index rebuilt at version {version}")


@index_app.command()
def follow() -> None:
    """Keep the index up to date until Ctrl-C; serve does this by itself."""
    from archive import factory, logs
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
    factory.follow(settings, stop)


@lake_app.command()
def compact() -> None:
    """Merge small files."""
    from archive import upkeep
    from archive.settings import load_settings

    say(f"compacted; version {upkeep.compact(load_settings())}")


@lake_app.command()
def vacuum(
    keep_hours: Annotated[
        float, typer.Option(min=0, max=1e6, help="Keep what was replaced more recently.")
    ] = 168.0,
) -> None:
    """Remove files that no version in use needs."""
    from archive import upkeep
    from archive.settings import load_settings

    say(f"removed {counted(upkeep.vacuum(load_settings(), keep_hours), 'file')}")


def migrate(
    authority: Annotated[str | None, typer.Option(help="New naming authority of the archive.")] = None,
) -> None:
    """Bring the database to the present schema, or the archive under another naming authority."""
    from archive import stores
    from archive.settings import AUTHORITY_EXPECTED, is_authority, load_settings

    settings = load_settings()
    if authority is not None:
        if not is_authority(authority):
            raise typer.BadParameter(AUTHORITY_EXPECTED)
        stores.change_authority(settings, authority)
        say(f"the naming authority is {authority}; restart the servers")
    stores.prepare_database(settings)
    say("the database is up to date")
