"""What ``onedfs check`` compares: files with their records, the file store and the index with the lake."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archive import factory, stores
from archive.settings import Settings
from store.lake import Lake

_FILES = "archive.files"
_COLUMNS = ("dp_id", "holding", "location", "size", "mtime", "checksum", "withdrawn")
_CHUNK = 1 << 20
CONTENT = re.compile(r"([0-9a-f]{2})/\1[0-9a-f]{62}")
"""Where content stands in the file store: by its SHA-256."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is not as recorded: an id, path or table, and what is wrong with it."""

    what: str
    code: str
    message: str


@dataclass(slots=True)
class Checked:
    """How many files were looked at, how many in the file store are of replaced revisions, what is wrong."""

    checked: int = 0
    unused: int = 0
    problems: list[Trouble] = field(default_factory=list)


def check(settings: Settings, *, checksums: bool = True) -> Checked:
    """Compare files with their records, the file store with the lake, and the index with the lake."""
    lake, result = stores.open_lake(settings), Checked()
    known: set[str] = set()
    for row in _recorded(lake):
        if row["holding"] == "managed":
            known.add(row["location"])
        if row["withdrawn"] is None:
            result.checked += 1
            result.problems.extend(_file_trouble(settings.files_root, row, checksums=checksums))
    for location in unnamed(settings.files_root, known):
        if CONTENT.fullmatch(location):
            result.unused += 1
        else:
            path = settings.files_root / location
            result.problems.append(Trouble(location, "unknown", f"{path} belongs to no row"))
    result.problems.extend(_index_trouble(settings, lake, checksums=checksums))
    return result


def _recorded(lake: Lake) -> Iterator[dict[str, Any]]:
    for batch in lake.batches(_FILES, columns=_COLUMNS):
        yield from batch.to_pylist()


def _file_trouble(root: Path, row: dict[str, Any], *, checksums: bool) -> Iterator[Trouble]:
    managed = row["holding"] == "managed"
    path = root / row["location"] if managed else Path(row["location"])
    try:
        found = path.stat()
        if found.st_size != row["size"] or (not managed and found.st_mtime_ns != row["mtime"]):
            yield Trouble(row["dp_id"], "changed", f"{path} changed after it was ingested")
        elif managed and checksums and _sha256(path) != row["checksum"]:
            yield Trouble(row["dp_id"], "corrupt", f"the bytes of {path} are not those that were ingested")
    except FileNotFoundError:
        yield Trouble(row["dp_id"], "missing", f"{path} is missing")
    except OSError as error:
        yield Trouble(row["dp_id"], "unreadable", f"{path} cannot be read: {error.strerror}")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def unnamed(root: Path, known: Collection[str]) -> Iterator[str]:
    """Yield the locations of what is in the file store and not among those known."""
    for folder, folders, names in os.walk(root):
        # What a copy in progress uses begins with a dot or an underscore and is its own.
        folders[:] = [name for name in folders if not name.startswith((".", "_"))]
        for name in names:
            location = Path(folder, name).relative_to(root).as_posix()
            if location not in known and not name.startswith((".", "_")):
                yield location


def _index_trouble(settings: Settings, lake: Lake, *, checksums: bool) -> Iterator[Trouble]:
    if factory.built_version(settings) is None:
        if lake.version():
            yield Trouble("index", "absent", "there is no index; run: onedfs index rebuild")
        return
    index = factory.open_index(settings, lake, poll=False)
    try:
        for found in index.differences(thorough=checksums):
            yield Trouble(found.table, "index", f"{found.message}; run: onedfs index rebuild")
    finally:
        index.close()
