"""What is on record of the files of a collection, to skip what is known without opening it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from indexer.settle import ALIASES, FILES, Place
from store.lake import Lake


@dataclass(frozen=True, slots=True)
class Known:
    """What is on record of a place.

    Attributes
    ----------
    size, mtime : of the file as it was read.
    location : where its bytes are; None for an alias of a file that the archive does not keep.
    managed : whether the archive keeps the bytes.
    """

    size: int
    mtime: int
    location: str | None
    managed: bool


def recorded(lake: Lake, collection: str, version: int) -> Iterator[tuple[Place, Known]]:
    """Yield what is on record of a collection."""
    chosen = pc.field("collection") == collection
    columns = ["path", "size", "mtime", "dp_id", "checksum"]
    aliases = lake.read(ALIASES, version, columns, filter=chosen).to_pylist()
    same = pc.field("dp_id").isin(pa.array({row["dp_id"] for row in aliases}, pa.string()))
    held = lake.read(FILES, version, ["dp_id", "checksum", "location", "holding"], filter=same).to_pylist()
    files = {row["dp_id"]: row for row in held}
    for row in aliases:
        file = files[row["dp_id"]]
        # An alias whose file has new content since is a file of its own.
        if row["checksum"] == file["checksum"]:
            managed = file["holding"] == "managed"
            location = file["location"] if managed else None
            yield (collection, row["path"]), Known(row["size"], row["mtime"], location, managed)
    columns = ["path", "size", "mtime", "location", "holding"]
    for row in lake.read(FILES, version, columns, filter=chosen).to_pylist():
        managed = row["holding"] == "managed"
        yield (collection, row["path"]), Known(row["size"], row["mtime"], row["location"], managed)
