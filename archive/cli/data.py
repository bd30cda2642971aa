"""Commands that bring data in: ingest, load, publish, unpublish, demo."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from archive.cli.change import change
from archive.cli.tell import AsJson, NoWait, note

_WATCH_SECONDS = 2.0

Workers = Annotated[int | None, typer.Option(min=0, max=64, help="Processes that read; 0: none.")]
TableName = Annotated[str, typer.Argument(help="Name of the table, SCHEMA.NAME.")]


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
    paths: Annotated[list[str], typer.Argument(help="Files, folders and globs.")],
    collection: Annotated[str | None, typer.Option(help="Data collection; else the folder's name.")] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Copy the files into the archive.")] = False,
    move: Annotated[bool, typer.Option("--move", help="Move the files into the archive.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on and ingest what comes, until Ctrl-C or SIGTERM.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 if a file is quarantined.")] = False,
    workers: Workers = None,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Ingest FITS files; files known already are skipped."""
    if copy and move:
        raise typer.BadParameter("--copy and --move exclude each other")
    if not all(path.strip() for path in paths):
        raise typer.BadParameter("an empty path names no file")
    if collection is not None and not collection.strip():
        raise typer.BadParameter("a collection needs a name")
    holding = _Holding.COPY if copy else _Holding.MOVE if move else _Holding.REFERENCE
    change(
        lambda work: work.archive.ingest(
            paths,
            collection=collection,
            holding=holding.value,
            workers=workers,
            progress=work.progress,
            stop=work.stop,
            watch_seconds=_WATCH_SECONDS if watch else None,
        ),
        strict=strict,
        no_wait=no_wait,
        as_json=as_json,
        endless=watch,
    )


def load(
    file: Annotated[Path, typer.Argument(help="Parquet, CSV, VOTable or FITS table.")],
    table: Annotated[str, typer.Option(help="Declared table, such as ivoa.ObsCore.")],
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 if a row is quarantined.")] = False,
    workers: Workers = None,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Load ready rows into a declared table."""
    change(
        lambda work: work.archive.load(file, table, workers=workers, progress=work.progress, stop=work.stop),
        strict=strict,
        no_wait=no_wait,
        as_json=as_json,
    )


def publish(
    file: Annotated[Path, typer.Argument(help="VOTable, FITS, Parquet, CSV or SQLite.")],
    table: Annotated[str, typer.Option(help="Name of the table, SCHEMA.NAME.")],
    title: Annotated[str, typer.Option(help="Title.")] = "",
    version: Annotated[str, typer.Option(help="Version of the catalogue.")] = "",
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Publish a catalogue through TAP and cone search."""
    change(
        lambda work: work.archive.publish(file, table, title=title, version=version),
        no_wait=no_wait,
        as_json=as_json,
        gently=False,
    )


def unpublish(table: TableName, no_wait: NoWait = False, as_json: AsJson = False) -> None:
    """Withdraw a published catalogue."""
    change(lambda work: work.archive.unpublish(table), no_wait=no_wait, as_json=as_json, gently=False)


def demo(no_wait: NoWait = False, as_json: AsJson = False) -> None:
    """Fetch the demonstration holdings and ingest them."""
    change(lambda work: work.archive.demo(tell=note, stop=work.stop), no_wait=no_wait, as_json=as_json)
