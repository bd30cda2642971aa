"""Commands about what was refused: quarantine list, show, retry."""

from typing import Annotated, Any

import typer

from archive.cli.change import change
from archive.cli.tell import AsJson, NoWait, fail, say, say_facts, say_json, say_table

app = typer.Typer(help="What was refused, why, and again.", no_args_is_help=True)

_LARGEST = 2**63 - 1
"""The largest number that an entry can have."""


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the quarantined files and their reasons."""
    from archive import ingestion
    from archive.settings import load_settings

    with ingestion.quarantine(load_settings()) as store:
        items = [_document(item) for item in store.list()]
    if as_json:
        say_json(items)
        return
    say_table([("ID", "COLLECTION", "PATH", "REASON"), *((_row(item)) for item in items)])
    say(f"{len(items)} quarantined")


@app.command()
def show(
    identifier: Annotated[int, typer.Argument(metavar="ID", max=_LARGEST, help="As in the list.")],
    as_json: AsJson = False,
) -> None:
    """Show all that is known about a quarantined file."""
    item = _entry(identifier)
    if as_json:
        say_json(_document(item))
    else:
        say_facts(_document(item))


@app.command()
def retry(
    identifiers: Annotated[
        list[int] | None, typer.Argument(metavar="[ID]...", max=_LARGEST, help="All when absent.")
    ] = None,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Try quarantined files again."""
    for identifier in identifiers or ():
        _entry(identifier)
    change(
        lambda work: work.archive.retry(identifiers or None, progress=work.progress, stop=work.stop),
        no_wait=no_wait,
        as_json=as_json,
    )


def _entry(identifier: int) -> Any:
    from archive import ingestion
    from archive.settings import load_settings

    with ingestion.quarantine(load_settings()) as store:
        item = store.get(identifier)
    if item is None:
        raise fail(f"there is no quarantined file {identifier}; see: onedfs quarantine list")
    return item


def _document(item: Any) -> dict[str, Any]:
    return {name: getattr(item, name) for name in _FIELDS}


_FIELDS = (
    "id",
    "collection",
    "path",
    "root",
    "size",
    "mtime",
    "checksum",
    "code",
    "reason",
    "details",
    "first_seen",
    "last_seen",
    "tries",
)


def _row(item: dict[str, Any]) -> tuple[Any, ...]:
    return (item["id"], item["collection"], item["path"], item["reason"])
