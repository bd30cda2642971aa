"""Word that running servers leave about the version they show, so that commands can wait for it.

Each serving process keeps ``<data>/run/server-<host>-<pid>.json`` and a lock on it for as long as it lives. A
process that was killed loses its lock, and whoever looks removes its file. Numbers of processes alone would
not tell servers in containers apart.
"""

from __future__ import annotations

import fcntl
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from archive.supervise import SUPERVISOR
from store.alive import removed_if_dead

_STEP = 0.1
_HOST = socket.gethostname()


@dataclass(frozen=True, slots=True)
class Server:
    """One serving process: the lake version it shows (None: none yet), and the URL it serves.

    ``parent`` is the ``onedfs serve`` that it belongs to, on ``host``.
    """

    pid: int
    version: int | None
    url: str
    host: str
    parent: int

    def is_beside(self) -> bool:
        """Whether it takes requests from the same socket as this process."""
        return self.host == _HOST and self.parent == _parent() and self.pid != os.getpid()


def _parent() -> int:
    return int(os.environ.get(SUPERVISOR) or os.getpid())


class Presence:
    """What one process says, renewed in the background whenever its version changes."""

    def __init__(self, folder: Path, url: str, version: Callable[[], int | None]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / _own_name()
        self._url = url
        self._version = version
        self._stop = threading.Event()
        self._file = self._path.open("w+b", buffering=0)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._write(version())
        self._thread = threading.Thread(target=self._renew, name="presence", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take the word back."""
        self._stop.set()
        self._thread.join()
        self._path.unlink(missing_ok=True)
        self._file.close()

    def _renew(self) -> None:
        said = self._version()
        self._write(said)
        while not self._stop.wait(_STEP):
            now = self._version()
            if now != said:
                self._write(now)
                said = now

    def _write(self, version: int | None) -> None:
        word = {"pid": os.getpid(), "version": version, "url": self._url, "host": _HOST, "parent": _parent()}
        data = orjson.dumps(word)
        # Padded to one length and written at once, so that a reader never sees half of it.
        os.pwrite(self._file.fileno(), data.ljust(1024), 0)


def servers(folder: Path) -> list[Server]:
    """Return the serving processes that are alive; removes the word of those that are not."""
    found = []
    for path in sorted(folder.glob("server-*.json")):
        if path.name == _own_name() or not _is_dead(path):
            server = _read(path)
            if server is not None:
                found.append(server)
    return found


def _own_name() -> str:
    return f"server-{_HOST}-{os.getpid()}.json"


def _is_dead(path: Path) -> bool:
    with suppress(OSError):
        return removed_if_dead(path)
    return True


def _read(path: Path) -> Server | None:
    with suppress(OSError, ValueError, KeyError):
        data: dict[str, Any] = orjson.loads(path.read_bytes())
        return Server(data["pid"], data["version"], data["url"], data["host"], data["parent"])
    return None


@dataclass(frozen=True, slots=True)
class Visibility:
    """Whether running servers show a version: how many there are, and how far the last of them is."""

    servers: int
    lag: int

    @property
    def reached(self) -> bool:
        """Whether all of them show it."""
        return self.lag == 0


def wait_visible(folder: Path, version: int, seconds: float) -> Visibility:
    """Wait until every running server shows a version, or the time is over."""
    end = time.monotonic() + seconds
    while True:
        alive = servers(folder)
        lag = max((version - (s.version or 0) for s in alive), default=0)
        if lag <= 0 or time.monotonic() >= end:
            return Visibility(len(alive), max(lag, 0))
        time.sleep(_STEP)
