"""Commands that show and check: status, check, settings."""

from typing import Annotated

import typer

from archive.cli.tell import AsJson, counted, fail, note, printable, say, say_facts, say_json, say_table


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(status)
    app.command()(check)
    app.command("settings")(show_settings)


def status(as_json: AsJson = False) -> None:
    """Show what the archive holds and how far its parts are."""
    from archive import report
    from archive.settings import load_settings

    found = report.status(load_settings())
    if as_json:
        say_json(found)
        return
    tables, servers = found.pop("tables"), found.pop("servers")
    reasons = found.pop("quarantine_reasons")
    say_facts(found)
    say()
    say_table([("TABLE", "ROWS"), *tables.items()])
    say()
    if reasons:
        say_table([("QUARANTINED FOR", "FILES"), *reasons.items()])
        say()
    if servers:
        say_table([("SERVER", "PID", "VERSION"), *((s["url"], s["pid"], s["version"]) for s in servers)])
    else:
        say("no server runs on these data")


def check(
    quick: Annotated[bool, typer.Option("--quick", help="Compare sizes and times, not checksums.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare files with their records and the index with the lake; exit 1 when something is wrong."""
    from dataclasses import asdict

    from archive import checks
    from archive.settings import load_settings

    found = checks.check(load_settings(), checksums=not quick)
    if as_json:
        say_json(
            {
                "checked": found.checked,
                "unused": found.unused,
                "problems": [asdict(p) for p in found.problems],
            }
        )
    else:
        if found.unused:
            note(f"{counted(found.unused, 'file')} of replaced revisions; onedfs lake vacuum removes them")
        for problem in found.problems:
            say(printable(f"{problem.what}: {problem.message}"))
        say(f"checked {counted(found.checked, 'file')}, {counted(len(found.problems), 'problem')}")
    if found.problems:
        raise typer.Exit(1)


def show_settings(as_json: AsJson = False) -> None:
    """Show the settings in force and where each comes from."""
    import difflib
    import os

    from archive.settings import PREFIX, Settings, load_settings, shown, source

    settings = load_settings()
    rows = [
        {
            "name": f"{PREFIX}{name.upper()}",
            "value": shown(settings, name),
            "source": source(settings, name),
            "title": field.title,
        }
        for name, field in Settings.model_fields.items()
    ]
    known = [str(row["name"]) for row in rows]
    unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
    if as_json:
        say_json(rows)
    else:
        say_table([("SETTING", "VALUE", "FROM", "MEANING"), *(tuple(row.values()) for row in rows)])
    if unknown:
        near = difflib.get_close_matches(unknown[0], known, n=1)
        hint = f"; is it {near[0]}?" if near else ""
        raise fail(f"there is no setting {unknown[0]}{hint}")
