"""An archive of its own for one run: a server on loopback over a new data folder."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx


class Archive:
    """Starts ``onedfs serve`` on a free port and stops it at the end."""

    def __init__(self, data: Path, workers: int = 1) -> None:
        self._environment = {**os.environ, "ONEDFS_DATA": str(data)}
        self._onedfs = str(Path(sys.executable).with_name("onedfs"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.base = f"http://127.0.0.1:{port}"
        with (data / "server.log").open("wb") as log:
            self._server = subprocess.Popen(  # noqa: S603 - our own command
                [self._onedfs, "serve", "--port", str(port), "--workers", str(workers)],
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        self._wait_until_ready()

    def _wait_until_ready(self, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if httpx.get(f"{self.base}/readyz", timeout=5, trust_env=False).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise TimeoutError("the server did not become ready")

    def run(self, *words: str) -> str:
        """Run an ``onedfs`` command on the same data; its output."""
        done = subprocess.run(  # noqa: S603 - our own command
            [self._onedfs, *words], env=self._environment, check=False, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"onedfs {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def close(self) -> None:
        """Stop the server."""
        self._server.send_signal(signal.SIGTERM)
        self._server.wait(30)
