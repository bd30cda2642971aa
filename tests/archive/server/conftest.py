"""A served archive, as a user has it: processes, a port, a data folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import httpx
import numpy as np
import pytest
from astropy.io import fits

T = TypeVar("T")

ONEDFS = (sys.executable, "-m", "archive.cli")


@dataclass
class Served:
    """A running ``onedfs serve`` and the folder that it serves from."""

    data: Path
    workers: int
    process: subprocess.Popen[bytes] | None = None
    url: str = ""
    logs: list[Path] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ONEDFS_")}
        return kept | {"ONEDFS_DATA": str(self.data)}

    def start(self) -> None:
        log = self.data.parent / f"serve-{len(self.logs)}.log"
        self.logs.append(log)
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [*ONEDFS, "serve", "--port", "0", "--workers", str(self.workers)],
                env=self.environment,
                stderr=file,
            )
        self.url = eventually(lambda: self._announced(log)).rstrip("/")
        eventually(lambda: httpx.get(f"{self.url}/readyz").status_code == 200)

    def _announced(self, log: Path) -> str:
        first = log.read_text().partition("\n")[0]
        return first.split()[3] if first.startswith("One DFS serves") else ""

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(30)

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*ONEDFS, *map(str, arguments)],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


def eventually(what: Callable[[], T], seconds: float = 60) -> T:
    """Return the first true value, or the last error."""
    end = time.monotonic() + seconds
    while True:
        try:
            if found := what():
                return found
        except (OSError, httpx.HTTPError, IndexError):
            if time.monotonic() > end:
                raise
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.1)


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False


def descendants(pid: int) -> set[int]:
    """Return the processes below one."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(entry.name)] = int(entry.joinpath("stat").read_text().rsplit(")", 1)[1].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def image(path: Path, number: int, *, ra: float = 63.3558, dec: float = 10.4663) -> Path:
    """Write a small image of a piece of sky."""
    header = fits.Header()
    header["OBJECT"] = f"FIELD {number}"
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
    header["CRVAL1"], header["CRVAL2"] = ra, dec
    header["CRPIX1"] = header["CRPIX2"] = 8.5
    header["CDELT1"], header["CDELT2"] = -0.01, 0.01
    header["CUNIT1"] = header["CUNIT2"] = "deg"
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.PrimaryHDU(np.full((16, 16), number, np.int16), header).writeto(path)
    return path


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """Serve an archive with one image, by two workers."""
    service = Served(folder / "data", workers=2)
    image(folder / "first" / "one.fits", 1)
    ended = service.run("ingest", folder / "first", "--workers", 0)
    assert ended.returncode == 0, ended.stderr
    service.start()
    try:
        yield service
    finally:
        if service.process is not None and service.process.poll() is None:
            service.stop()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """Give a test a server of its own."""
    with serving(tmp_path) as service:
        yield service


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve tests that change nothing."""
    with serving(tmp_path_factory.mktemp("shared")) as service:
        yield service
