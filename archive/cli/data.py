"""Commands that bring data in: ingest, load, publish, unpublish, demo."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archive.cli.tell import AsJson, NoWait, note, say, say_json

if TYPE_CHECKING:
    from archive.settings import Settings
    from indexer import Summary

STRICT_EXIT = 3
"""Exit code of ``--strict`` when something was quarantined."""

_WATCH_SECONDS = 2.0


class _Holding(StrEnum):
    REFERENCE = "reference"
    COPY = "copy"
    MOVE = "move"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(ingest)
    app.command()(load)
    app.command()(publish)
    app.command()(unpublish)
    app.command()(demo)


def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders.")],
    collection: Annotated[str | None, typer.Option(help="Data collection; else the folder's name.")] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Copy the files into the archive.")] = False,
    move: Annotated[bool, typer.Option("--move", help="Move the files into the archive.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on and ingest what comes, until Ctrl-C.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 if a file is quarantined.")] = False,
    workers: Annotated[int | None, typer.Option(min=0, help="Processes that read files.")] = None,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Ingest FITS files; files known already are skipped."""
    if copy and move:
        raise typer.BadParameter("--copy and --move exclude each other")
    holding = _Holding.COPY if copy else _Holding.MOVE if move else _Holding.REFERENCE
    from archive import ingestion, progress
    from archive.settings import load_settings

    settings = load_settings()
    with (
        stop_on_signals() as stop,
        ingestion.opened(settings) as archive,
        progress.bar(quiet=as_json) as shown,
    ):
        while True:
            summary = archive.ingest(
                paths,
                collection=collection,
                holding=holding.value,
                workers=workers,
                progress=shown,
                stop=stop,
            )
            if not watch or summary.stopped or stop.wait(_WATCH_SECONDS):
                break
    finish(settings, summary, strict=strict, no_wait=no_wait, as_json=as_json)


def load(
    file: Annotated[Path, typer.Argument(help="Parquet, CSV, VOTable or FITS table.")],
    table: Annotated[str, typer.Option(help="Declared table, such as ivoa.ObsCore.")],
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 if a row is quarantined.")] = False,
    workers: Annotated[int | None, typer.Option(min=0, help="Processes that make rows ready.")] = None,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Load ready rows into a declared table."""
    from archive import ingestion, progress
    from archive.settings import load_settings

    settings = load_settings()
    with (
        stop_on_signals() as stop,
        ingestion.opened(settings) as archive,
        progress.bar(quiet=as_json) as shown,
    ):
        summary = archive.load(file, table, workers=workers, progress=shown, stop=stop)
    finish(settings, summary, strict=strict, no_wait=no_wait, as_json=as_json)


def publish(
    file: Annotated[Path, typer.Argument(help="VOTable, FITS, Parquet, CSV or SQLite.")],
    table: Annotated[str, typer.Option(help="Name of the table, SCHEMA.NAME.")],
    title: Annotated[str, typer.Option(help="Title.")] = "",
    version: Annotated[str, typer.Option(help="Version of the catalogue.")] = "",
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Publish a catalogue through TAP and cone search."""
    from archive import ingestion
    from archive.settings import load_settings

    settings = load_settings()
    with ingestion.opened(settings) as archive:
        summary = archive.publish(file, table, title=title, version=version)
    finish(settings, summary, strict=False, no_wait=no_wait, as_json=as_json)


def unpublish(
    table: Annotated[str, typer.Argument(help="Name of the table, SCHEMA.NAME.")],
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Withdraw a published catalogue."""
    from archive import ingestion
    from archive.settings import load_settings

    settings = load_settings()
    with ingestion.opened(settings) as archive:
        summary = archive.unpublish(table)
    finish(settings, summary, strict=False, no_wait=no_wait, as_json=as_json)


def demo(no_wait: NoWait = False, as_json: AsJson = False) -> None:
    """Fetch the demonstration holdings and ingest them."""
    from archive import ingestion
    from archive.settings import load_settings

    settings = load_settings()
    with stop_on_signals() as stop, ingestion.opened(settings) as archive:
        summary = archive.demo(tell=note, stop=stop)
    finish(settings, summary, strict=False, no_wait=no_wait, as_json=as_json)


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C and SIGTERM set; the second signal ends the command at once."""
    stop = threading.Event()

    def ask(_: int, __: Any) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        note("stopping after the batch in work; once more to stop now")

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, ask) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def finish(settings: "Settings", summary: "Summary", *, strict: bool, no_wait: bool, as_json: bool) -> None:
    """Wait until the change is visible and print how the run ended."""
    visible = None if no_wait else wait_and_tell(settings, summary.version, note)
    counts = {
        "accepted": summary.accepted,
        "unchanged": summary.unchanged,
        "replaced": summary.replaced,
        "quarantined": summary.quarantined,
    }
    if as_json:
        say_json({**counts, "version": summary.version, "visible": visible, "notes": list(summary.notes)})
    else:
        for line in summary.notes:
            note(line)
        say(", ".join(f"{name} {number}" for name, number in counts.items()))
    if strict and summary.quarantined:
        raise typer.Exit(STRICT_EXIT)


def wait_and_tell(settings: "Settings", version: int, tell: Callable[[str], None]) -> bool | None:
    """Wait until running servers show a version and say so; None when no server runs."""
    from archive.presence import wait_visible

    seen = wait_visible(settings.run_root, version, settings.visible_seconds)
    if not seen.servers:
        return None
    if seen.reached:
        tell("visible")
        return True
    tell(f"not visible yet: {seen.lag} version(s) behind after {settings.visible_seconds:g} s")
    return False
