"""The command line and the server as people run them: real processes on a data folder of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import httpx

from tests.support.trust import of_children

ONEDFS = Path(sys.executable).with_name("onedfs")
"""The command, beside the interpreter that runs the tests."""

_START_SECONDS = 90.0
_SERVES = "One DFS serves "

T = TypeVar("T")


@dataclass
class Server:
    """A running ``onedfs serve``."""

    process: subprocess.Popen[str]
    url: str
    log: Path

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def ready(self) -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/readyz", timeout=10).status_code == 200
        return False

    def wait_ready(self) -> None:
        wait_until(self.ready, "the server is ready", _START_SECONDS)

    def stop(self, seconds: float = 30.0) -> int:
        """Ask it to end, as an operator does; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


@dataclass
class Archive:
    """A data folder and the commands on it."""

    data: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        found = of_children(os.environ)
        clean = {name: value for name, value in found.items() if not name.startswith("ONEDFS_")}
        return {**clean, **self.settings, "ONEDFS_DATA": str(self.data), "COLUMNS": "200"}

    def start(self, *arguments: object, log: Path | None = None) -> subprocess.Popen[str]:
        """Start a command in a process group of its own."""
        words = [str(ONEDFS), *map(str, arguments)]
        with log.open("a") if log else nullcontext(subprocess.PIPE) as told:
            return subprocess.Popen(
                words,
                env=self.environment,
                cwd=self.data.parent,
                stdout=told,
                stderr=told,
                text=True,
                start_new_session=True,
            )

    def call(self, *arguments: object, seconds: float = 120.0) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, whatever that is."""
        process = self.start(*arguments)
        try:
            out, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            kill_group(process)
            raise
        return subprocess.CompletedProcess(process.args, process.returncode, out, errors)

    def run(self, *arguments: object, seconds: float = 120.0) -> str:
        """Run a command that must succeed; returns what it printed."""
        done = self.call(*arguments, seconds=seconds)
        assert done.returncode == 0, f"{arguments} exited {done.returncode}: {done.stderr}{done.stdout}"
        return done.stdout

    def start_server(self, *, workers: int = 1, port: int = 0) -> Server:
        """Start the server and return once it listens."""
        log = self.data.with_name(f"{self.data.name}-server.log")
        told = log.stat().st_size if log.exists() else 0
        process = self.start("serve", "--port", port, "--workers", workers, log=log)

        def url() -> str:
            assert process.poll() is None, log.read_text()
            lines = log.read_bytes()[told:].decode().splitlines()
            return next((line.split()[3].rstrip("/") for line in lines if line.startswith(_SERVES)), "")

        return Server(process, wait_until(url, "the server says its address", _START_SECONDS), log)

    @contextmanager
    def server(self, *, workers: int = 1) -> Iterator[Server]:
        """Serve for as long as the context lasts."""
        server = self.start_server(workers=workers)
        try:
            server.wait_ready()
            yield server
        finally:
            with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                server.stop()
            kill_group(server.process)

    def processes(self) -> list[int]:
        """Return the ids of all processes that work on this data folder."""
        mark = f"ONEDFS_DATA={self.data}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mark in (folder / "environ").read_bytes().split(b"\0") and _lives(folder):
                    found.append(int(folder.name))
        return found

    def wait_quiet(self, seconds: float = 20.0) -> None:
        """Wait until no process works on the data folder."""
        wait_until(lambda: not self.processes(), "every process has ended", seconds)


def _lives(folder: Path) -> bool:
    return (folder / "stat").read_text().rpartition(")")[2].split()[0] != "Z"


def catches(pid: int, number: signal.Signals) -> bool:
    """Tell whether a process has a handler for a signal."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    mask = next(line.split()[1] for line in lines if line.startswith("SigCgt:"))
    return bool(int(mask, 16) >> (number - 1) & 1)


def kill_group(process: subprocess.Popen[str]) -> None:
    """Kill a process and its children with SIGKILL."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(30)


def wait_until(met: Callable[[], T], what: str, seconds: float) -> T:
    """Ask again and again until the answer is true; returns it."""
    end = time.monotonic() + seconds
    while True:
        found = met()
        if found:
            return found
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.05)
