"""How commands speak: results on standard output, failures as one line."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, TypeAlias

import typer

AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]
NoWait: TypeAlias = Annotated[
    bool, typer.Option("--no-wait", help="Do not wait until running servers show the change.")
]


def say(line: str = "") -> None:
    """Print a line of the result."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def note(line: str) -> None:
    """Print a line that is not part of the result."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def say_json(document: Any) -> None:
    """Print a document."""
    say(json.dumps(document, indent=2, default=str, ensure_ascii=False))


def printable(text: str) -> str:
    """Return a text with what would move the cursor or break the line written as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def counted(number: int, what: str) -> str:
    """Return a number with what is counted, in the plural unless it is one."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def say_table(rows: Iterable[Sequence[Any]]) -> None:
    """Print rows with aligned columns; names of files may hold anything."""
    texts = [["-" if cell is None else printable(str(cell)) for cell in row] for row in rows]
    if not texts:
        return
    widths = [max(len(row[i]) for row in texts) for i in range(len(texts[0]))]
    for row in texts:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def say_facts(facts: Mapping[str, Any]) -> None:
    """Print names and values, one a line."""
    say_table(facts.items())


def fail(message: str, code: int = 1) -> typer.Exit:
    """Print why a command failed, and return what to raise."""
    note(f"onedfs: {printable(message)}")
    return typer.Exit(code)


def in_words(error: BaseException) -> str:
    """Return an error as one line."""
    if isinstance(error, OSError) and error.strerror:
        place = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{place}"
    if isinstance(error, LookupError) and type(error).__name__ == "UnknownTableError":
        return f"there is no table {error.args[0]}"
    text = " ".join(str(error).split()) or type(error).__name__
    ours = type(error).__module__.partition(".")[0] in _OUR_PACKAGES
    return text if ours else f"{type(error).__name__}: {text} (ONEDFS_LOG_LEVEL=debug shows where)"


_OUR_PACKAGES = frozenset({"archive", "indexer", "vo", "store", "instruments", "query", "schemas", "sky"})
