"""A PostgreSQL of Debian's on loopback, for as long as tests want it."""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tests.support.elasticsearch.cluster import free_ports

USER = "onedfs"

_START_SECONDS = 60.0


class CannotPrepareError(Exception):
    """PostgreSQL is not on this machine."""


def programs() -> Path:
    """Return the folder of the newest server's programs.

    Raises
    ------
    CannotPrepareError
        When none is installed.
    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise CannotPrepareError("PostgreSQL is needed: apt-get install postgresql")
    return found[-1].parent


@dataclass
class Postgres:
    """A server: its port, and the password of its one user, who may do everything."""

    folder: Path
    port: int
    password: str
    process: subprocess.Popen[bytes] | None = None
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, database: str, *, password: bool = True) -> str:
        """Return the URL of a database, as a setting of the archive."""
        shown = f":{self.password}" if password else ""
        return f"postgresql://{USER}{shown}@127.0.0.1:{self.port}/{database}"

    def new_database(self, name: str | None = None) -> str:
        """Make an empty database; returns its name."""
        name = name or f"made_{next(self._numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return name

    def start(self) -> None:
        """Start it and return when it answers."""
        # What the tests write need not outlive the machine.
        options = ["fsync=off", "full_page_writes=off", "shared_buffers=16MB", f"port={self.port}"]
        options += ["listen_addresses=127.0.0.1", f"unix_socket_directories={self.folder}"]
        words = [str(programs() / "postgres"), "-D", str(self.folder / "data")]
        words += [word for option in options for word in ("-c", option)]
        with (self.folder / "postgres.log").open("ab") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=log, user=_owner(), cwd=self.folder)
        _wait(self)

    def stop(self) -> None:
        """End it at once; open connections are cut."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(30)
            self.process = None


def _wait(server: Postgres) -> None:
    asked = [programs() / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(server.port)]
    end = time.monotonic() + _START_SECONDS
    while subprocess.run(asked, check=False).returncode != 0:
        assert server.process is not None
        assert server.process.poll() is None, (server.folder / "postgres.log").read_text()[-2000:]
        assert time.monotonic() < end, "PostgreSQL does not answer"
        time.sleep(0.1)


@contextmanager
def one_postgres() -> Iterator[Postgres]:
    """Run a server for as long as the context lasts."""
    # Not below pytest's own folder, which another user may not enter.
    folder = Path(tempfile.mkdtemp(prefix="onedfs-postgres-"))
    server = Postgres(folder, free_ports(1)[0], secrets.token_urlsafe(12))
    try:
        _initialise(server)
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _initialise(server: Postgres) -> None:
    word = server.folder / "password"
    word.write_text(server.password)
    for path in (server.folder, word):
        if _owner() is not None:
            shutil.chown(path, _owner())
    words: Sequence[str | Path] = [
        programs() / "initdb", "-D", server.folder / "data", "-U", USER, "--pwfile", word,
        "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync",
    ]  # fmt: skip
    done = subprocess.run(
        words, user=_owner(), cwd=server.folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def _owner() -> str | None:
    """Whom it runs as: it refuses to be root."""
    return "nobody" if os.geteuid() == 0 else None
