"""Commands that change rows: withdraw, set-release."""

from typing import Annotated

import typer

from archive.cli.tell import AsJson, NoWait

Identifiers = Annotated[list[str], typer.Argument(metavar="ID...", help="Identifiers (dp_id).")]


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
    from archive.cli.data import finish
    from archive.settings import load_settings

    settings = load_settings()
    with ingestion.opened(settings) as archive:
        summary = archive.withdraw(identifiers, reason)
    finish(settings, summary, strict=False, no_wait=no_wait, as_json=as_json)


def set_release(
    identifiers: Identifiers,
    date: Annotated[str, typer.Argument(help="UTC, such as 2027-01-31 or 2027-01-31T12:00:00.")],
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Change from when on files are public."""
    from archive import ingestion
    from archive.api.values import ValueMismatch, microseconds
    from archive.cli.data import finish
    from archive.settings import load_settings

    try:
        when = microseconds(date, "DATE")
    except ValueMismatch as error:
        raise typer.BadParameter(str(error)) from None
    settings = load_settings()
    with ingestion.opened(settings) as archive:
        summary = archive.set_release(identifiers, when)
    finish(settings, summary, strict=False, no_wait=no_wait, as_json=as_json)
