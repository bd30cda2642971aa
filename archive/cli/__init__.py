"""The command line ``onedfs``.

Commands import what they need when they run, so that ``onedfs --help`` answers at once.
"""

import os
import sys

import typer

from archive.cli import data, index, quarantine, rows, serving, state
from archive.cli.tell import in_words, printable

app = typer.Typer(
    name="onedfs",
    help="One DFS: the archive of an observatory.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for _module in (data, rows, serving, state):
    _module.register(app)
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(index.index_app, name="index")
app.add_typer(index.lake_app, name="lake")
index.register(app)


def main() -> None:
    """Run the command; every failure is one line on standard error."""
    try:
        app()
    except KeyboardInterrupt:
        sys.stderr.write("onedfs: interrupted\n")
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if os.environ.get("ONEDFS_LOG_LEVEL", "").lower() == "debug":
            raise
        sys.stderr.write(f"onedfs: {printable(in_words(error))}\n")
        sys.exit(1)
