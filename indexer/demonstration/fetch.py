"""Fetch packages through their ordinary clients, check their hash, and unpack chosen members."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO, Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

_STAMP: Final = ".unpacked"
_SECONDS: Final = 600
_LARGEST: Final = 1 << 30
"""Bytes that one member may have."""


class NotAvailable(Exception):  # noqa: N818 - a source that cannot be had is no error of ours
    """A source that cannot be had here; the message says why."""


class Publish(BaseModel):
    """A catalogue among the members."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    table: str
    source_table: str | None = None
    title: str = ""
    description: str = ""
    columns: dict[str, dict[str, str]] = {}


class Source(BaseModel):
    """One package of the list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    kind: Literal["pypi", "debian"]
    package: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")]
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+~:-]*$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    tags: tuple[str, ...] = ()
    members: tuple[str, ...]
    publish: Publish | None = None


def unpacked(source: Source, folder: Path) -> Path:
    """Return the folder with a source's members, fetched and unpacked if they are not there yet.

    Raises
    ------
    NotAvailable
        When it cannot be fetched, or is not what the list says.
    """
    target = folder / source.name
    stamp = target / _STAMP
    if stamp.exists() and stamp.read_text() == source.sha256:
        return target
    try:
        artefact = _fetched(source, folder / "packages")
        _unpack(source, artefact, target)
        stamp.write_text(source.sha256)
    except (OSError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise NotAvailable(f"it cannot be unpacked: {error}") from error
    artefact.unlink(missing_ok=True)
    return target


def _fetched(source: Source, folder: Path) -> Path:
    target = folder / source.name
    if found := _checked(source, target):
        return found
    target.mkdir(parents=True, exist_ok=True)
    _run(_pip(source, target) if source.kind == "pypi" else _apt(source), target)
    if found := _checked(source, target):
        return found
    raise NotAvailable("what was fetched is not what the list says: its hash differs")


def _checked(source: Source, folder: Path) -> Path | None:
    """Return the file with the right hash."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == source.sha256:
                return path
    return None


def _pip(source: Source, target: Path) -> Sequence[str]:
    # The tags make it the same wheel for everybody, whatever Python and machine this is.
    tags = [tag.split("-", 1) for tag in source.tags]
    options = [f"--platform={platform}" for _, platform in tags]
    if tags:
        python = tags[0][0]
        options += [f"--python-version={python[2]}.{python[3:]}", "--implementation=cp"]
        options += [f"--abi={abi}" for abi in (python, "abi3", "none")]
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    command += ["--no-deps", "--only-binary=:all:", f"--dest={target}", *options]
    return [*command, f"{source.package}=={source.version}"]


def _apt(source: Source) -> Sequence[str]:
    client = shutil.which("apt-get")
    if client is None:
        raise NotAvailable("there is no apt-get here")
    return [client, "--quiet", "download", f"{source.package}={source.version}"]


def _run(command: Sequence[str], folder: Path) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - every word is checked by the list's model
            command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotAvailable(f"it cannot be fetched: {error}") from error
    if done.returncode:
        said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise NotAvailable(f"it cannot be fetched: {said[-1].strip() if said else 'no word why'}")


def _unpack(source: Source, artefact: Path, target: Path) -> None:
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    members = _wheel(artefact) if source.kind == "pypi" else _deb(artefact)
    for name, stream in members:
        place = safe_place(partial, name)
        if place is None or not any(fnmatchcase(name, pattern) for pattern in source.members):
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("wb") as file:
            shutil.copyfileobj(stream, file)
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)


def safe_place(folder: Path, name: str) -> Path | None:
    """Return where a member goes below a folder; None for a name that leads out of it."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or not path.parts:
        return None
    return folder / path


def _wheel(artefact: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(artefact) as archive:
        for member in archive.infolist():
            if not member.is_dir() and member.file_size <= _LARGEST:
                with archive.open(member) as stream:
                    yield member.filename, stream


def _deb(artefact: Path) -> Iterator[tuple[str, IO[bytes]]]:
    client = shutil.which("dpkg-deb")
    if client is None:
        raise NotAvailable("there is no dpkg-deb here")
    command = [client, "--fsys-tarfile", str(artefact)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE) as process,  # noqa: S603 - our own file
        tarfile.open(fileobj=process.stdout, mode="r|") as archive,
    ):
        for member in archive:
            stream = archive.extractfile(member) if member.isreg() and member.size <= _LARGEST else None
            if stream is not None:
                yield member.name.removeprefix("./"), stream
