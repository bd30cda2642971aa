"""Children of ``onedfs serve``: they are started again when they end, and none outlives the parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from archive.logs import get_logger

SUPERVISOR = "_ONEDFS_SUPERVISOR"
"""Environment variable with the process id of ``onedfs serve``, for its children."""

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_PATIENCE = 15.0


class Child:
    """A command that is kept running until ``stop``; ``name`` is what logs call it."""

    def __init__(self, command: Sequence[str], name: str) -> None:
        self._command = list(command)
        self._name = name
        self._stop = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the command and wait for it."""
        self._stop.set()
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                self._process.terminate()
        self._thread.join(_PATIENCE)
        if self._thread.is_alive() and self._process is not None:
            self._process.kill()
            self._thread.join()

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stop.is_set():
            began = time.monotonic()
            with self._lock:
                if self._stop.is_set():
                    return
                self._process = subprocess.Popen(self._command)  # noqa: S603 - our own command
            code = self._process.wait()
            if self._stop.is_set():
                return
            pause = _FIRST_PAUSE if time.monotonic() - began > _LONGEST_PAUSE else min(pause * 2, 30.0)
            get_logger().warning(f"{self._name} ended", exit_code=code, restart_seconds=pause)
            self._stop.wait(pause)


def follower_command() -> list[str]:
    """Return the command that keeps the index up to date."""
    return _command("index", "follow")


def worker_command() -> list[str]:
    """Return the command that runs jobs."""
    return _command("worker")


def _command(*arguments: str) -> list[str]:
    # -P: what is in the folder where the server was started is none of our modules.
    return [sys.executable, "-P", "-m", "archive.cli", *arguments]


def end_with_supervisor() -> None:
    """End this process, as SIGTERM does, when ``onedfs serve`` is gone without having said so."""
    supervisor = int(os.environ.get(SUPERVISOR, "0"))
    if not supervisor or supervisor == os.getpid():
        return

    def watch() -> None:
        while os.getppid() == supervisor:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_PATIENCE)
        os._exit(1)

    threading.Thread(target=watch, name="supervisor watch", daemon=True).start()
