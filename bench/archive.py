"""An archive of its own for one run: a server on loopback over a data folder, and its index."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import httpx

from archive import ingestion
from archive.presence import wait_visible
from archive.settings import PREFIX, Settings
from bench.client import TABLE
from store.elastic import Cluster

ENGINES = ("embedded", "elasticsearch")
"""The engines by name."""

_PATIENCE = 7200.0


def settings_for(data: Path, cluster: Cluster | None, **further: str) -> dict[str, str]:
    """Return an archive's settings as environment variables; without a cluster its index is embedded."""
    found = {f"{PREFIX}DATA": str(data)}
    if cluster is not None:
        found |= {
            f"{PREFIX}ELASTICSEARCH_URL": ",".join(cluster.hosts),
            f"{PREFIX}ELASTICSEARCH_PREFIX": cluster.prefix,
            f"{PREFIX}ELASTICSEARCH_REPLICAS": str(cluster.replicas),
        }
        if cluster.api_key is not None:
            found[f"{PREFIX}ELASTICSEARCH_API_KEY"] = cluster.api_key
        if cluster.ca_file is not None:
            found[f"{PREFIX}ELASTICSEARCH_CA_FILE"] = str(cluster.ca_file)
    return found | {f"{PREFIX}{name.upper()}": value for name, value in further.items()}


class Archive:
    """Runs ``onedfs serve`` on a free port between ``start`` and ``close``.

    What the caller's environment says of other archives is left out.
    """

    def __init__(
        self, data: Path, cluster: Cluster | None = None, *, workers: int = 1, poll: float = 0.2
    ) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self.data = data
        self.cluster = cluster
        self.engine = ENGINES[cluster is not None]
        own = settings_for(data, cluster, poll_seconds=str(poll))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        self._environment = kept | own
        self._settings = Settings.model_validate(
            {name.removeprefix(PREFIX).lower(): value for name, value in own.items()}
        )
        self._onedfs = str(Path(sys.executable).with_name("onedfs"))
        self._workers = workers
        self._server: subprocess.Popen[bytes] | None = None
        self.base = f"http://127.0.0.1:{_free_port()}"

    def start(self, seconds: float = _PATIENCE) -> None:
        """Start the server and wait until it is ready.

        Raises
        ------
        RuntimeError
            When it ends instead, or does not become ready in time.
        """
        port = self.base.rpartition(":")[2]
        with (self.data / "server.log").open("ab") as log:
            self._server = subprocess.Popen(  # noqa: S603 - our own command
                [self._onedfs, "serve", "--port", port, "--workers", str(self._workers)],
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + seconds
        while time.monotonic() < end and self._server.poll() is None:
            try:
                if httpx.get(f"{self.base}/readyz", timeout=5, trust_env=False).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        told = (self.data / "server.log").read_text(errors="replace")
        raise RuntimeError(f"the {self.engine} server did not become ready: {told[-1000:]}")

    def run(self, *words: str) -> str:
        """Run an ``onedfs`` command on the same data; its output."""
        done = subprocess.run(  # noqa: S603 - our own command
            [self._onedfs, *words], env=self._environment, check=False, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"onedfs {' '.join(words)}: {done.stderr.strip()[-1000:]}")
        return done.stdout

    def load(self, paths: Iterable[Path]) -> None:
        """Load files one after the other, each until the server shows it, as ``onedfs load`` does.

        Raises
        ------
        TimeoutError
            When the server does not show one.
        """
        with ingestion.opened(self._settings) as opened:
            for path in paths:
                version = opened.load(path, TABLE, workers=0).version
                if not wait_visible(self._settings.run_root, version, 120.0).reached:
                    raise TimeoutError(f"the {self.engine} server does not show {path.name}")

    def memory(self) -> int:
        """Return the bytes of memory that its processes have to themselves."""
        return 0 if self._server is None else sum(map(_own_memory, _family(self._server.pid)))

    def close(self) -> None:
        """Stop the server."""
        if self._server is not None and self._server.poll() is None:
            self._server.send_signal(signal.SIGTERM)
            try:
                self._server.wait(60)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()


def copied(data: Path, to: Path, *, index: bool) -> Path:
    """Copy the lake, with the embedded index or without it, of an archive that is at rest."""
    to.mkdir(parents=True)
    for name in ("lake", "index") if index else ("lake",):
        if (data / name).exists():
            shutil.copytree(data / name, to / name)
    for name in ("authority", "secret"):
        if (data / name).exists():
            shutil.copy2(data / name, to / name)
    return to


def size_of(folder: Path) -> int:
    """Return the bytes of a folder's files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _family(pid: int) -> list[int]:
    """Return a process and its descendants."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            after = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(path.parent.name)] = int(after[1])
    family = [pid]
    for member in family:
        family += [child for child, parent in parents.items() if parent == member]
    return family


def _own_memory(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))
