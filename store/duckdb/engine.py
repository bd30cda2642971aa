"""One in-memory engine over one generation.

Every process has its own. The generation is attached read-only; the delta lives in the engine's memory.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import duckdb

from store.duckdb.layout import DATABASE, IN_USE, BadGenerationError, Manifest
from store.sql.compiler.literals import text
from store.sql.instance import Limits, open_instance

BASE = "g"
"""The name under which the generation is attached."""


def open_engine(generation: Path, limits: Limits) -> duckdb.DuckDBPyConnection:
    """Start an engine, attach a generation, and close every other door.

    Raises
    ------
    BadGenerationError
        When the generation's database cannot be read.
    """
    try:
        return open_instance(limits, f"ATTACH {text(str(generation / DATABASE))} AS {BASE} (READ_ONLY)")
    except duckdb.Error as error:
        raise BadGenerationError(f"{generation.name}: {error}") from error


class Hold:
    """A generation's folder kept from removal for as long as this is open."""

    def __init__(self, folder: Path) -> None:
        try:
            self._file = (folder / IN_USE).open("rb")
        except OSError as error:
            raise BadGenerationError(f"{folder.name}: {error}") from error
        fcntl.flock(self._file, fcntl.LOCK_SH)
        # Between finding the folder and locking it the follower may have taken it away.
        try:
            there = (folder / IN_USE).stat().st_ino == os.fstat(self._file.fileno()).st_ino
        except OSError:
            there = False
        if not there:
            self._file.close()
            raise BadGenerationError(f"{folder.name} was removed")
        self.folder = folder

    def manifest(self) -> Manifest:
        """Read what the generation holds."""
        return Manifest.read(self.folder)

    def close(self) -> None:
        """Let it go."""
        self._file.close()
