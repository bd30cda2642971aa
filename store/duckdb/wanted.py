"""How readers ask the follower, in whatever process it runs, for a new generation."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

WANTED = "wanted"
"""Name of the file below the index folder whose being there asks for a generation."""

REFUSED = "refused-"
"""What a file's name begins with that marks the generation of that number as unusable."""


def ask_for_generation(folder: Path) -> None:
    """Ask for a new generation; harmless when it is asked for already or the folder cannot be written."""
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / WANTED).touch()


def refuse(folder: Path, generation: Path) -> None:
    """Say that a generation cannot be used and must be written again."""
    with suppress(OSError):
        (folder / f"{REFUSED}{generation.name}").touch()


def refused(folder: Path) -> list[tuple[Path, Path]]:
    """List the marks of refused generations, and their folders."""
    return [(mark, folder / mark.name.removeprefix(REFUSED)) for mark in folder.glob(f"{REFUSED}*")]


def is_wanted(folder: Path) -> bool:
    """Whether somebody has asked."""
    return (folder / WANTED).exists()


def answered(folder: Path) -> None:
    """Forget what was asked; to be done before the version to build is chosen."""
    (folder / WANTED).unlink(missing_ok=True)
