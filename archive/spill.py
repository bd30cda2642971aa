"""Folders for what queries spill to disk, and removal of those that killed processes left.

Each process that opens an index keeps ``<run>/spill-<host>-<pid>-<token>.lock`` locked for as long as it
lives; its engine makes the folder of that name when a query needs it, and removes it at the end.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import secrets
import shutil
import socket
from contextlib import suppress
from pathlib import Path

from store.alive import removed_if_dead

_LOCK = ".lock"


def spill_folder(run_root: Path) -> Path:
    """Return a folder for this process, yet to be made; what dead processes left is removed."""
    sweep(run_root)
    folder = run_root / f"spill-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    # Where the folder cannot be written, nothing can be spilled either.
    with suppress(OSError):
        run_root.mkdir(parents=True, exist_ok=True)
        _keep_locked(folder.with_name(folder.name + _LOCK))
    return folder


def sweep(run_root: Path) -> None:
    """Remove the folders and locks of dead processes."""
    for path in run_root.glob("spill-*"):
        name = path.name.removesuffix(_LOCK)
        with suppress(OSError):
            if removed_if_dead(run_root / (name + _LOCK)):
                shutil.rmtree(run_root / name, ignore_errors=True)


def _keep_locked(path: Path) -> None:
    """Create a file and lock it, before anybody can find it, until the process ends."""
    draft = path.with_name(f".{path.name}")
    handle = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    fcntl.flock(handle, fcntl.LOCK_EX)
    draft.rename(path)
    atexit.register(path.unlink, missing_ok=True)
