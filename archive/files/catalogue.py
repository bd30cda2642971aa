"""What the archive knows about a file, read at the version of a snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from archive.problems import Problem
from query import build, tree
from schemas import Kind
from store.port import Snapshot

FILES = "archive.files"
OBSCORE = "ivoa.ObsCore"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldFile:
    """A row of ``archive.files``; size in bytes, mtime in nanoseconds since 1970."""

    dp_id: str
    revision: int
    holding: Literal["reference", "managed"]
    location: str
    size: int
    mtime: int
    checksum: str
    content_type: str
    file_name: str
    release_date: datetime | None
    rights: str | None
    withdrawn: str | None


def find(snapshot: Snapshot, dp_id: str, files_url: str) -> HeldFile:
    """Return the file of that id; ``files_url`` is where this archive serves files.

    Raises
    ------
    Problem
        410 when it was withdrawn; 404 when there is none, naming where its bytes are if its row says so.
    """
    row = _row(snapshot, FILES, dp_id, list(HeldFile.__slots__))
    if row is None:
        raise _not_held(snapshot, dp_id, f"{files_url}/{dp_id}")
    held = HeldFile(**row)
    if held.withdrawn is not None:
        raise Problem(410, f"{dp_id} was withdrawn: {held.withdrawn}", kind="withdrawn")
    return held


def _row(snapshot: Snapshot, name: str, dp_id: str, columns: list[str]) -> dict[str, Any] | None:
    if not dp_id.isprintable():
        return None
    table = snapshot.schemas.table(name)
    where = tree.Comparison("=", build.column(table, "dp_id"), tree.Literal(dp_id, Kind.TEXT))
    rows = snapshot.run(build.select(table, names=columns, where=where, top=1)).table().to_pylist()
    return rows[0] if rows else None


def _not_held(snapshot: Snapshot, dp_id: str, own_url: str) -> Problem:
    row = _row(snapshot, OBSCORE, dp_id, ["access_url"])
    if row is None:
        return Problem(404, f"there is no file {dp_id}", kind="unknown-file")
    url = row["access_url"]
    if url is None or url == own_url:
        return Problem(
            404, f"this archive has the row of {dp_id}; where its bytes are, nobody said", kind="no-bytes"
        )
    return Problem(
        404, f"this archive has the row of {dp_id}, not its bytes", kind="held-elsewhere", access_url=url
    )
