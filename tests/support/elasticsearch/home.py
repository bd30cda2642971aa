"""A real Elasticsearch, put together from the official jars on Maven Central.

It is the server's own code, without what an installation adds around it: scripts, by-query calls, reindex,
``geo_shape``, security. The jars are fetched when tests need them and never kept with the project; their
licence (Elastic License 2.0, SSPL or AGPL) allows the use.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OURS = Path(__file__).parent
"""The folder of the sources."""

BUILD = OURS.parents[2] / "build" / "elasticsearch"
"""Where it is put together."""

LEAST_JDK = 21
"""Elasticsearch 9 runs on this Java and later ones."""


class CannotPrepareError(Exception):
    """Something that Elasticsearch needs is not on this machine; the message says what."""


def find_jdk() -> Path:
    """Return the folder of a JDK that is new enough: ``JAVA_HOME``, or one of the system's.

    Raises
    ------
    CannotPrepareError
        When there is none.
    """
    named = os.environ.get("JAVA_HOME")
    for folder in (*([Path(named)] if named else ()), *sorted(Path("/usr/lib/jvm").glob("*"))):
        release = folder / "release"
        if (folder / "bin" / "javac").exists() and release.exists():
            version = re.search(r'^JAVA_VERSION="(\d+)', release.read_text(), re.MULTILINE)
            if version and int(version[1]) >= LEAST_JDK:
                return folder
    raise CannotPrepareError(f"Elasticsearch 9 needs a JDK {LEAST_JDK} or newer: set JAVA_HOME to one")


def prepared() -> Path:
    """Return a folder with ``lib``, ``modules``, ``classes``, ``config`` and ``natives``; made once.

    Raises
    ------
    CannotPrepareError
        When a tool, a library or a jar is not to be had.
    """
    home = BUILD / f"home-{_digest()}"
    with _alone():
        if not home.exists():
            draft = BUILD / "draft"
            shutil.rmtree(draft, ignore_errors=True)
            _assemble(draft, find_jdk() / "bin")
            draft.rename(home)
    return home


def _digest() -> str:
    made_of = (
        Path(__file__),
        *(path for path in OURS.iterdir() if path.suffix in (".java", ".xml", ".properties")),
    )
    sources = b"".join(path.read_bytes() for path in sorted(made_of))
    return hashlib.sha256(sources).hexdigest()[:12]


@contextmanager
def _alone() -> Iterator[None]:
    """Keep the other test processes waiting until the first has put it together."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _assemble(home: Path, java: Path) -> None:
    network, root = home / "modules" / "transport-netty4", home / "modules" / "root-page"
    for folder in (network, root, home / "config", home / "natives"):
        folder.mkdir(parents=True)
    shutil.copy(OURS / "log4j2.properties", home / "config")
    _run(
        "mvn", "-q", "-B", "-f", OURS / "pom.xml", "dependency:copy-dependencies",
        f"-DoutputDirectory={home / 'lib'}", "-DincludeScope=runtime",
    )  # fmt: skip
    for pattern in ("netty-*.jar", "transport-netty4-*.jar", "elasticsearch-ssl-config-*.jar"):
        for jar in (home / "lib").glob(pattern):
            jar.rename(network / jar.name)
    _unpack_descriptor(network, java)
    _compile(home, root, java)
    _describe(network, root)
    (home / "natives" / "libzstd.so").symlink_to(_zstd())


def _unpack_descriptor(network: Path, java: Path) -> None:
    inside = "META-INF/es-plugins/transport-netty4"
    [jar] = network.glob("transport-netty4-*.jar")
    _run(java / "jar", "xf", jar, inside, folder=network)
    for path in (network / inside).iterdir():
        path.rename(network / path.name)
    shutil.rmtree(network / "META-INF")


def _compile(home: Path, root: Path, java: Path) -> None:
    classes, plugin = home / "classes", home / "plugin"
    libraries = f"{home / 'lib'}/*"
    _run(java / "javac", "-cp", libraries, "-d", classes, OURS / "OneNode.java")
    _run(java / "javac", "-cp", libraries, "-d", plugin, OURS / "RootPage.java")
    _run(java / "jar", "cf", root / "root-page.jar", "-C", plugin, ".")


def _describe(network: Path, root: Path) -> None:
    """Write our plugin's descriptor from that of the transport, which names the versions."""
    ours = {"name": "root-page", "description": "GET /", "classname": "onedfs.RootPage"}
    lines = []
    for line in (network / "plugin-descriptor.properties").read_text().splitlines():
        name = line.partition("=")[0]
        if name != "modulename":
            lines.append(f"{name}={ours[name]}" if name in ours else line)
    (root / "plugin-descriptor.properties").write_text("\n".join(lines) + "\n")


def _zstd() -> Path:
    """Return the system's library, which Elasticsearch looks for under another name."""
    listed = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"libzstd\.so\.1 .*=> (\S+)", listed)
    if not found:
        raise CannotPrepareError("Elasticsearch needs libzstd: apt-get install libzstd1")
    return Path(found[1])


def _run(*words: object, folder: Path | None = None) -> None:
    command = [str(word) for word in words]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise CannotPrepareError(f"Elasticsearch needs {command[0]} to be put together") from None
    if done.returncode:
        told = (done.stdout + done.stderr).strip().splitlines()[-3:]
        raise CannotPrepareError(f"{Path(command[0]).name} failed: {' '.join(told)}")
