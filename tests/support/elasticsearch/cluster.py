"""Nodes of Elasticsearch on loopback, alone or as a cluster, that can be killed and started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.support.elasticsearch.home import find_jdk, prepared

_START_SECONDS = 120.0

_SYSTEM = (
    "--add-modules=jdk.net,jdk.management.agent,jdk.incubator.vector,ALL-MODULE-PATH",
    "--enable-native-access=org.elasticsearch.foreign,org.elasticsearch.nativeaccess,org.apache.lucene.core",
    "-Dorg.elasticsearch.nativeaccess.enableVectorLibrary=false",
    "-Dlog4j2.disable.jmx=true",
    "-Dlog4j.shutdownHookEnabled=false",
    "-Dio.netty.noUnsafe=true",
    "-Dio.netty.noKeySetOptimization=true",
    "-Dio.netty.recycler.maxCapacityPerThread=0",
)

QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""Options of Java by which a node starts soon, at the cost of its speed later."""


@dataclass
class Node:
    """One node: its ports, its folder, and the process while it runs."""

    folder: Path
    http: int
    transport: int
    settings: dict[str, str] = field(default_factory=dict)
    heap: str = "512m"
    java: Sequence[str] = QUICK
    process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        return f"node-{self.transport}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http}"

    def start(self) -> None:
        """Start the process; :meth:`wait` returns when it answers."""
        for name in ("data", "logs", "repo", "tmp"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        with (self.folder / "node.log").open("ab") as log:
            self.process = subprocess.Popen(self._command(), stdout=log, stderr=log, env=self._environment())

    def _environment(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if not name.startswith("JAVA_TOOL")}

    def _command(self) -> list[str]:
        home = prepared()
        settings = {
            "path.home": home,
            "path.data": self.folder / "data",
            "path.logs": self.folder / "logs",
            "path.repo": self.folder / "repo",
            "node.name": self.name,
            "network.host": "127.0.0.1",
            "http.port": self.http,
            "transport.port": self.transport,
            # A test must not depend on how full the disk of its machine is.
            "cluster.routing.allocation.disk.threshold_enabled": "false",
            **self.settings,
        }
        return [
            str(find_jdk() / "bin" / "java"),
            f"-Xms{self.heap}",
            f"-Xmx{self.heap}",
            *self.java,
            f"-Djava.io.tmpdir={self.folder / 'tmp'}",
            f"-Des.nativelibs.path={home / 'natives'}",
            f"--module-path={home / 'lib'}",
            *_SYSTEM,
            "-cp",
            str(home / "classes"),
            "OneNode",
            *(f"{name}={value}" for name, value in settings.items()),
        ]

    def wait(self) -> None:
        """Wait until it answers as part of a cluster that has a master."""
        _until(self._answers, f"{self.name} answers; see {self.folder / 'node.log'}")

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "node.log").read_text()[-4000:]
        return _health(self.url).get("status") in ("green", "yellow")

    def kill(self) -> None:
        """End it as a power cut does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as an operator does."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.send_signal(number)
            self.process.wait(30)
            self.process = None


@contextmanager
def one_node(folder: Path, *, heap: str = "512m", java: Sequence[str] = QUICK) -> Iterator[Node]:
    """Run a cluster of one node for as long as the context lasts."""
    http, transport = free_ports(2)
    node = Node(folder, http, transport, {"discovery.type": "single-node"}, heap, java)
    with _running([node]):
        yield node


@contextmanager
def cluster(folder: Path, size: int = 3, *, heap: str = "512m") -> Iterator[list[Node]]:
    """Run a cluster of several nodes for as long as the context lasts."""
    ports = free_ports(2 * size)
    addresses = [f"127.0.0.1:{port}" for port in ports[size:]]
    settings = {
        "cluster.name": f"tests-{ports[0]}",
        "discovery.seed_hosts": ",".join(addresses),
        "cluster.initial_master_nodes": ",".join(f"node-{port}" for port in ports[size:]),
    }
    nodes = [
        Node(folder / f"node-{number}", ports[number], ports[size + number], dict(settings), heap)
        for number in range(size)
    ]
    with _running(nodes):
        yield nodes


@contextmanager
def _running(nodes: Sequence[Node]) -> Iterator[None]:
    with ExitStack() as stack:
        for node in nodes:
            stack.callback(node.kill)
            node.start()
        for node in nodes:
            node.wait()
        yield


def wait_green(node: Node, *, nodes: int = 1, seconds: float = _START_SECONDS) -> None:
    """Wait until all shards of a cluster of so many nodes are where they should be."""

    def green() -> bool:
        health = _health(node.url)
        return health.get("status") == "green" and health.get("number_of_nodes") == nodes

    _until(green, "the cluster is green", seconds)


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _health(url: str) -> dict[str, object]:
    with suppress(httpx.HTTPError):
        found = httpx.get(f"{url}/_cluster/health", timeout=5)
        if found.status_code == 200:
            known: dict[str, object] = found.json()
            return known
    return {}


def _until(met: Callable[[], bool], what: str, seconds: float = _START_SECONDS) -> None:
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.1)
