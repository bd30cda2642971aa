"""Versions that somebody reads for long: clean-up leaves them alone for as long as that process lives."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from store.alive import removed_if_dead

PINS = "_pins"
"""Folder in the lake where each reader keeps a locked file that is named for its version."""


@contextmanager
def pin(folder: Path, version: int) -> Iterator[None]:
    """Keep a version for as long as the context lasts; a lake that cannot be written is not cleaned up."""
    handle: int | None = None
    path = folder / f"{version}-{secrets.token_hex(8)}"
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        handle = _locked(path)
    try:
        yield
    finally:
        if handle is not None:
            path.unlink(missing_ok=True)
            os.close(handle)


def kept_by_readers(folder: Path) -> list[int]:
    """Return the versions that living processes keep; removes what dead ones left."""
    found = []
    for path in folder.glob("*-*"):
        version = path.name.partition("-")[0]
        if version.isdigit() and not removed_if_dead(path):
            found.append(int(version))
    return sorted(found)


def _locked(path: Path) -> int:
    """Create a file and lock it before anybody can find it under its name."""
    draft = path.with_name(f".{path.name}")
    handle = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    fcntl.flock(handle, fcntl.LOCK_EX)
    draft.rename(path)
    return handle
