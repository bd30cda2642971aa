"""One committer per lake: a file lock that the operating system releases when its holder dies."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from store.lake.errors import LeaseTimeout, told_as_lake_errors

POLL_SECONDS = 0.01
"""How often a waiting writer tries again."""


@contextmanager
def hold_lease(path: Path, purpose: str, *, timeout: float) -> Iterator[None]:
    """Hold the lock on a file for as long as the context lasts.

    Threads of one process exclude each other as processes do. The file names its holder for those who
    wait; it stays when the lock is released.

    Raises
    ------
    LeaseTimeout
        When it is not free within ``timeout`` seconds; the message says who holds it.
    """
    with told_as_lake_errors("taking the lease"):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _wait_for(handle, timeout)
        _name_holder(handle, purpose)
        yield
    finally:
        os.close(handle)


@contextmanager
def share(path: Path) -> Iterator[None]:
    """Hold a shared lock on a file for as long as the context lasts; any number of processes may."""
    with told_as_lake_errors("taking a lock"):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


def is_shared(path: Path) -> bool:
    """Whether a living process shares the lock on a file."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(handle)


def _wait_for(handle: int, timeout: float) -> None:
    end = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                message = f"the lake is being written by {_holder(handle)}; waited {timeout:g} s"
                raise LeaseTimeout(message) from None
            time.sleep(POLL_SECONDS)
        else:
            return


def _name_holder(handle: int, purpose: str) -> None:
    holder = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "purpose": purpose,
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with told_as_lake_errors("naming the lease's holder"):
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(holder).encode(), 0)


def _holder(handle: int) -> str:
    try:
        holder = json.loads(os.pread(handle, 1000, 0))
    except ValueError:
        return "another process"
    return f"process {holder['pid']} on {holder['host']} ({holder['purpose']}, since {holder['since']})"
