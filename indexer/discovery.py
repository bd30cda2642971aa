"""Find the files to ingest below paths, globs and folders."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from indexer.errors import IngestError
from indexer.fits import MAGIC

SUFFIXES: Final = (".fits", ".fit", ".fts", ".mt", ".tfits", ".ffits", ".fits.fz", ".fz")
"""Names that say FITS; what else begins as a FITS file is one too."""

COMPRESSIONS: Final = (".gz", ".z", ".bz2")
"""Suffixes that may follow those, in lower case."""

_UNFINISHED: Final = ("~", ".tmp", ".part", ".partial", ".crdownload", ".swp", ".lock")


@dataclass(frozen=True, slots=True)
class Found:
    """A file to be read.

    Attributes
    ----------
    path : absolute path, symbolic links kept.
    root : absolute path of the ingest root it was found under.
    relative : its path below the root, with ``/``.
    size : bytes.
    mtime : modification time, nanoseconds since 1970.
    """

    path: Path
    root: Path
    relative: str
    size: int
    mtime: int


@dataclass(frozen=True, slots=True)
class NotRead:
    """Something that is in the way: an unreadable folder, a link that leaves the root.

    ``relative`` ends with ``/`` for a folder.
    """

    root: Path
    relative: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Visited:
    """A folder that could be listed; ``relative`` ends with ``/``."""

    root: Path
    relative: str


Discovered: TypeAlias = Found | NotRead | Visited


def discover(paths: Iterable[str | Path], *, must_exist: bool = True) -> Iterator[Discovered]:
    """Walk paths, globs and folders, sorted, each file once.

    A file named by the caller is always a candidate; in folders those are, whose name or first bytes say
    FITS. Hidden and unfinished files are passed over.

    Parameters
    ----------
    must_exist : whether a path that is not there, or a glob that matches nothing, is an error.

    Raises
    ------
    IngestError
        Before anything is yielded, when a path does not exist or a glob matches nothing.
    """
    roots = [root for path in paths for root in _roots(path, must_exist=must_exist)]
    return _walk_all(roots)


def find_again(root: Path, relatives: Iterable[str]) -> Iterator[Discovered]:
    """Look again at files and folders below a root, whose paths below it or absolute ones are known."""
    walk = _Walk(root)
    for path in relatives:
        relative = os.path.relpath(path, root) if os.path.isabs(path) else path  # noqa: PTH117
        yield from walk.named(relative.rstrip("/"))


def _roots(path: str | Path, *, must_exist: bool) -> list[tuple[Path, str | None]]:
    """Return (root folder, entry below it); the entry is None for the whole folder."""
    if not os.fspath(path).strip():
        raise IngestError("not-found", "An empty path names no file.")
    text = os.path.abspath(os.fspath(path))  # noqa: PTH100 - resolve() would follow the links we check
    if os.path.lexists(text):
        return [_root(Path(text))]
    if glob.has_magic(text):
        folder = _fixed_part(text)
        matches = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 - the pattern may be absolute
        if matches or not must_exist:
            return [(folder, os.path.relpath(match, folder)) for match in matches]
        raise IngestError("not-found", f"Nothing matches {path}.")
    if not must_exist:
        return []
    raise IngestError("not-found", f"There is no file or folder {path}.")


def _root(path: Path) -> tuple[Path, str | None]:
    return (path, None) if path.is_dir() else (path.parent, path.name)


def _fixed_part(pattern: str) -> Path:
    """Return the longest leading folder without wildcards."""
    folder = Path(pattern)
    while glob.has_magic(str(folder)):
        folder = folder.parent
    return folder


def _walk_all(roots: Iterable[tuple[Path, str | None]]) -> Iterator[Discovered]:
    seen: set[tuple[Path, str]] = set()
    for root, entry in roots:
        walk = _Walk(root)
        found = walk.folder("") if entry is None else walk.named(entry)
        for item in found:
            key = (item.root, item.relative)
            if key not in seen:
                seen.add(key)
                yield item


class _Walk:
    """One root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._real = os.path.realpath(root)

    def named(self, relative: str) -> Iterator[Discovered]:
        """Take what the caller named, whatever it is called."""
        relative = relative.replace(os.sep, "/")
        path = self.root / relative
        if path.is_dir() and not self._leaves(path):
            yield from self.folder(f"{relative}/")
        else:
            yield from self._file(relative, path)

    def folder(self, prefix: str) -> Iterator[Discovered]:
        """List a folder whose path below the root is ``prefix``, empty or ending with ``/``."""
        try:
            with os.scandir(self.root / prefix) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            yield NotRead(
                self.root, prefix or "./", "unreadable", f"The folder cannot be listed: {error.strerror}."
            )
            return
        yield Visited(self.root, prefix or "./")
        for entry in entries:
            if not _passed_over(entry.name):
                yield from self._entry(prefix, entry)

    def _entry(self, prefix: str, entry: os.DirEntry[str]) -> Iterator[Discovered]:
        relative = f"{prefix}{entry.name}"
        path = self.root / relative
        if entry.is_symlink():
            yield from self._link(relative, path)
        elif entry.is_dir(follow_symlinks=False):
            yield from self.folder(f"{relative}/")
        elif entry.is_file(follow_symlinks=False) and (_fits_name(entry.name) or _fits_start(path)):
            yield from self._file(relative, path)

    def _link(self, relative: str, path: Path) -> Iterator[Discovered]:
        if path.is_dir():
            # What a link inside the root points to is found where it stands.
            if self._leaves(path):
                yield NotRead(self.root, f"{relative}/", "link-outside", _LEAVES)
        elif _fits_name(path.name) or (not self._leaves(path) and path.is_file() and _fits_start(path)):
            yield from self._file(relative, path)

    def _file(self, relative: str, path: Path) -> Iterator[Discovered]:
        if not _is_text(relative):
            shown = os.fsencode(relative).decode("utf-8", "backslashreplace")
            yield NotRead(self.root, shown, "bad-name", "The file's name is not valid UTF-8.")
        elif path.is_symlink() and self._leaves(path):
            yield NotRead(self.root, relative, "link-outside", _LEAVES)
        else:
            yield self._stated(relative, path)

    def _stated(self, relative: str, path: Path) -> Discovered:
        try:
            status = path.stat()
        except OSError as error:
            return NotRead(self.root, relative, "unreadable", f"It cannot be opened: {error.strerror}.")
        if not stat.S_ISREG(status.st_mode):
            return NotRead(self.root, relative, "unreadable", "It is not a regular file.")
        if not _EARLIEST <= status.st_mtime_ns <= _LATEST:
            year = 1970 + status.st_mtime_ns // _YEAR
            return NotRead(
                self.root, relative, "bad-time", f"Its modification time is about the year {year}."
            )
        return Found(path, self.root, relative, status.st_size, status.st_mtime_ns)

    def _leaves(self, path: Path) -> bool:
        real = os.path.realpath(path)
        return os.path.commonpath((real, self._real)) != self._real


_LATEST: Final = 2**63 - 1
_EARLIEST: Final = -_LATEST
"""Times in nanoseconds that the lake can keep: the years 1678 to 2262."""

_YEAR: Final = 31_556_952 * 10**9

_LEAVES: Final = "It is a symbolic link to something outside the folder that is ingested."


def _passed_over(name: str) -> bool:
    return name.startswith(".") or name.lower().endswith(_UNFINISHED)


def _fits_name(name: str) -> bool:
    lower = name.lower()
    for suffix in COMPRESSIONS:
        lower = lower.removesuffix(suffix)
    return lower.endswith(SUFFIXES)


def _fits_start(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
