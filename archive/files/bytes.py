"""Opening a file as it was recorded, and reading parts of it."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import AsyncIterator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from threading import Lock

from archive.files.catalogue import HeldFile
from archive.files.ranges import Span
from archive.problems import Problem

CHUNK = 1 << 20
"""Bytes read at once."""

_READERS = ThreadPoolExecutor(16, thread_name_prefix="reader")

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK


def open_held(held: HeldFile, files_root: Path) -> int:
    """Open a file and return its descriptor, the caller's to close.

    Raises
    ------
    Problem
        404 when its bytes are not there, 409 when they are not those that were recorded.
    """
    try:
        if held.holding == "managed":
            descriptor = _open_below(files_root, held.location)
        else:
            descriptor = os.open(held.location, _FLAGS)
    except OSError as error:
        raise _unreadable(held, error) from None
    try:
        _check(held, os.fstat(descriptor))
    except Problem:
        os.close(descriptor)
        raise
    return descriptor


def _open_below(root: Path, location: str) -> int:
    """Open a path below a folder, following no symlink and no ``..``."""
    parts = PurePosixPath(location).parts
    if not parts or any(part in ("/", "..", ".") for part in parts):
        raise OSError(errno.EINVAL, "not a path below the file store")
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts[:-1]:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(parts[-1], _FLAGS | os.O_NOFOLLOW, dir_fd=folder)
    finally:
        os.close(folder)


def _unreadable(held: HeldFile, error: OSError) -> Problem:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return Problem(404, f"the bytes of {held.dp_id} are missing from where they were", kind="missing")
    return Problem(409, f"the bytes of {held.dp_id} cannot be read: {error.strerror}", kind="unreadable")


def _check(held: HeldFile, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise Problem(409, f"{held.dp_id} is no regular file any more", kind="changed")
    # A managed file was copied: its own time is that of the copy.
    moved = held.holding == "reference" and found.st_mtime_ns != held.mtime
    if found.st_size != held.size or moved:
        raise Problem(
            409,
            f"the file of {held.dp_id} changed after it was ingested and is not served; ingest it again",
            kind="changed",
        )


def read_span(descriptor: int, span: Span) -> Generator[bytes]:
    """Yield the bytes of a span."""
    place, left = span.first, span.size
    while left:
        chunk = os.pread(descriptor, min(CHUNK, left), place)
        if not chunk:
            # Cut off while it was being read: break the connection, for the length was promised.
            raise OSError(errno.EIO, "the file became shorter while it was read")
        yield chunk
        place += len(chunk)
        left -= len(chunk)


async def ahead(chunks: Generator[bytes], close: Callable[[], None]) -> AsyncIterator[bytes]:
    """Yield what a generator yields, run in threads and one chunk ahead: while one is sent the next is read.

    No thread waits for a slow client. At the end ``close`` is called in a thread too.
    """
    loop, turn = asyncio.get_running_loop(), Lock()

    def step() -> bytes | None:
        with turn:
            return next(chunks, None)

    def end() -> None:
        with turn:
            chunks.close()
            close()

    coming = loop.run_in_executor(_READERS, step)
    try:
        while (chunk := await coming) is not None:
            coming = loop.run_in_executor(_READERS, step)
            yield chunk
    finally:
        # What was read ahead, or failed to be, is of no use to a client that went away.
        coming.add_done_callback(lambda done: done.cancelled() or done.exception())
        _READERS.submit(end)
