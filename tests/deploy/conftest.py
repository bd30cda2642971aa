"""What docker-compose.yml puts together, started by hand on loopback."""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

import httpx
import pytest
import trustme

from tests.support.compose import ROOT, load
from tests.support.elasticsearch.cluster import free_ports, one_node
from tests.support.nginx import filled, nginx
from tests.support.postgres import Postgres, one_postgres
from tests.support.processes import Archive, kill_group, wait_until

HERE = Path(__file__).parent

_START_SECONDS = 120.0


@dataclass
class Service:
    """One process of a service: what it runs, how it is set, and where its words go."""

    name: str
    archive: Archive
    command: Sequence[str]
    log: Path
    process: Any = None

    def start(self) -> None:
        self.process = self.archive.start(*self.command, log=self.log)

    def kill(self) -> None:
        """End it and its children as a power cut does."""
        if self.process is not None:
            kill_group(self.process)
            self.process = None


@dataclass
class Deployment:
    """The running deployment, seen from outside (``url``) and from inside."""

    folder: Path
    model: dict[str, Any]
    url: str
    plain_url: str
    authority: trustme.CA
    postgres: Postgres
    guard: str
    places: Mapping[str, str]
    hidden: dict[str, str]
    api: dict[str, str] = field(default_factory=dict)
    running: list[Service] = field(default_factory=list)

    @property
    def trusted(self) -> Path:
        """The certificate of the authority that signed all others."""
        return self.folder / "ca.crt"

    def client(self, **options: Any) -> httpx.Client:
        """Return a client that comes to the proxy from outside; ``options`` are those of its transport."""
        context = ssl.create_default_context(cafile=self.trusted)
        transport = httpx.HTTPTransport(verify=context, **options)
        return httpx.Client(transport=transport, base_url=self.url, timeout=60)

    def service(self, name: str, **settings: str) -> Service:
        """Return a service of the compose file with the addresses that it has here."""
        service = self.model["services"][name]
        secret = "reader" if "reader:/run/onedfs:ro" in service["volumes"] else "writer"
        places = {**self.places, "/run/onedfs": str(self.folder / secret)}
        environment = {key: _moved(str(value), places) for key, value in service["environment"].items()}
        archive = Archive(self.folder / "data", {**environment, **settings})
        command = list(service.get("command", ()))
        if name in self.api:
            command = _with(command, host="127.0.0.1", port=self.api[name], workers="1")
        return Service(name, archive, command, self.folder / f"{name}.log")

    def start(self, name: str) -> Service:
        found = self.service(name)
        found.start()
        self.running.append(found)
        return found

    def run(self, *arguments: object, **settings: str) -> Any:
        """Run a command as ``docker compose run onedfs`` does."""
        return self.service("onedfs", **settings).archive.call(*arguments)

    def ready(self, name: str) -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(f"http://127.0.0.1:{self.api[name]}/readyz", timeout=10).status_code == 200
        return False

    def wait_ready(self, name: str) -> None:
        wait_until(lambda: self.ready(name), f"{name} is ready", _START_SECONDS)

    def asked(self) -> list[list[str]]:
        """Return what Elasticsearch was asked: status, whose key, method, path."""
        return [line.split(" ", 3) for line in (self.folder / "asked.log").read_text().splitlines()]

    def logs(self) -> str:
        """Return all that was logged."""
        return "".join(path.read_text(errors="replace") for path in self.folder.rglob("*.log"))


def _stop(services: Sequence[Service]) -> None:
    running = [service for service in services if service.process is not None]
    for service in running:
        service.process.terminate()
    for service in running:
        with suppress(TimeoutExpired):
            service.process.wait(30)
        service.kill()


def _moved(value: str, places: Mapping[str, str]) -> str:
    for there, here in places.items():
        value = value.replace(there, here)
    return ",".join(dict.fromkeys(value.split(",")))


def _with(command: Sequence[str], **options: str) -> list[str]:
    words = list(command)
    for name, value in options.items():
        words[words.index(f"--{name}") + 1] = value
    return words


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("deployment")
    with ExitStack() as stack:
        node = stack.enter_context(one_node(folder / "elasticsearch"))
        postgres = stack.enter_context(one_postgres())
        postgres.new_database("onedfs")
        made = _deployment(folder, postgres)
        proxy = made.model["services"]["proxy"]["environment"]
        template = (ROOT / "deploy/nginx/onedfs.conf.template").read_text()
        configurations = {"guard": _guard(made, node.http), "onedfs": filled(template, proxy)}
        stack.enter_context(nginx(folder / "nginx", configurations, [made.plain_url, made.guard]))
        stack.callback(_stop, made.running)
        migrated = made.service("migration")
        done = migrated.archive.call(*migrated.command)
        assert done.returncode == 0, done.stderr
        for name in ("follower", "follower", *made.api):
            made.start(name)
        for name in made.api:
            made.wait_ready(name)
        yield made


def _deployment(folder: Path, postgres: Postgres) -> Deployment:
    first, second, http, https, guard = free_ports(5)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.crt")
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    certificate.private_key_pem.write_to_path(folder / "server.key")
    for number, blob in enumerate(certificate.cert_chain_pems):
        blob.write_to_path(folder / "server.crt", append=number > 0)
    hidden = {name: secrets.token_urlsafe(30) for name in ("reader", "writer")}
    hidden["database"] = postgres.password
    for name in ("reader", "writer"):
        secret = folder / name
        secret.mkdir()
        (secret / "ca.crt").write_bytes((folder / "ca.crt").read_bytes())
        (secret / "onedfs_elasticsearch_api_key").write_text(hidden[name] + "\n")
        (secret / "onedfs_database_password").write_text(hidden["database"])
    url = f"https://127.0.0.1:{https}"
    needed = {"ONEDFS_PUBLIC_URL": url, "ONEDFS_AUTHORITY": "archive.example"}
    model = load({**needed, "TLS_CERTIFICATE": "unused", "TLS_KEY": "unused"})
    proxy = model["services"]["proxy"]["environment"]
    listens = {"PROXY_HTTP": f"127.0.0.1:{http}", "PROXY_HTTPS": f"127.0.0.1:{https}"}
    files = {"PROXY_CERTIFICATE": str(folder / "server.crt"), "PROXY_KEY": str(folder / "server.key")}
    proxy |= {**listens, **files, "PROXY_RESOLVER": "127.0.0.1"}
    places = {"api-1:8000 resolve": f"127.0.0.1:{first}", "api-2:8000 resolve": f"127.0.0.1:{second}"}
    proxy["PROXY_SERVERS"] = _moved(proxy["PROXY_SERVERS"], places)
    guarded = f"https://127.0.0.1:{guard}"
    inside = {f"https://elastic-{number}:9200": guarded for number in (1, 2, 3)}
    inside["database:5432"] = f"127.0.0.1:{postgres.port}"
    api = {"api-1": str(first), "api-2": str(second)}
    plain = f"http://127.0.0.1:{http}"
    return Deployment(folder, model, url, plain, authority, postgres, guarded, inside, hidden, api)


def _guard(made: Deployment, node: int) -> str:
    values = {
        "READER": made.hidden["reader"],
        "WRITER": made.hidden["writer"],
        "NODE": f"127.0.0.1:{node}",
        "PORT": made.guard.removeprefix("https://"),
        "CERTIFICATE": made.folder / "server.crt",
        "KEY": made.folder / "server.key",
        "LOG": made.folder / "asked.log",
    }
    return filled((HERE / "guard.conf").read_text(), values)
