"""Commands that change what is held: withdraw, set-release."""

from typing import TYPE_CHECKING, Annotated

import typer

from archive.cli.change import wait_and_tell
from archive.cli.tell import AsJson, NoWait, fail, say, say_json

if TYPE_CHECKING:
    from archive.settings import Settings
    from indexer import Changed

Identifiers = Annotated[list[str], typer.Argument(metavar="ID...", help="Identifiers (dp_id).")]

PUBLIC = "public"
"""What stands for no release date."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(withdraw)
    app.command("set-release")(set_release)


def withdraw(
    identifiers: Identifiers,
    reason: Annotated[str, typer.Option(help="Why, for those who ask for the file.")],
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Take files out of searches; their bytes answer 410 with the reason."""
    from archive import ingestion
    from archive.settings import load_settings

    settings = load_settings()
    with ingestion.opened(settings) as archive:
        changed = archive.withdraw(identifiers, reason)
    _finish(settings, changed, "withdrawn", no_wait=no_wait, as_json=as_json)


def set_release(
    identifiers: Identifiers,
    date: Annotated[
        str, typer.Argument(help="UTC, such as 2027-01-31 or 2027-01-31T12:00:00; or: public, for at once.")
    ],
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Change from when on files are public."""
    from datetime import UTC, datetime, timedelta

    from archive import ingestion
    from archive.api.values import ValueMismatch, microseconds
    from archive.settings import load_settings

    try:
        since = None if date == PUBLIC else timedelta(microseconds=microseconds(date, "DATE"))
    except ValueMismatch as error:
        raise typer.BadParameter(str(error)) from None
    settings = load_settings()
    with ingestion.opened(settings) as archive:
        when = None if since is None else datetime(1970, 1, 1, tzinfo=UTC) + since
        changed = archive.set_release(identifiers, when)
    _finish(settings, changed, "changed", no_wait=no_wait, as_json=as_json)


def _finish(settings: "Settings", changed: "Changed", word: str, *, no_wait: bool, as_json: bool) -> None:
    visible = None if no_wait else wait_and_tell(settings, changed.version)
    counts = {
        word: len(changed.changed),
        "unchanged": len(changed.unchanged),
        "unknown": len(changed.unknown),
    }
    if as_json:
        say_json({**counts, "unknown_ids": changed.unknown, "version": changed.version, "visible": visible})
    else:
        say(", ".join(f"{name} {number}" for name, number in counts.items()))
    if changed.unknown:
        raise fail(f"there is no file {', '.join(changed.unknown[:5])}")
