"""A writer for the tests that kill it: batch after batch, each determined by its number.

Run as ``busy_writer.py FOLDER [BATCHES]``; it says ``ready``, and ``batch N`` for each that is committed.
"""

from __future__ import annotations

import random
import sys
from itertools import count
from pathlib import Path

import pyarrow as pa

from schemas import Column, Kind, Schema, Schemas, Table
from store.lake import Lake, compact

FILES = Table(
    schema_name="archive",
    local_name="files",
    key=("id",),
    columns=(Column(name="id", kind=Kind.TEXT), Column(name="size", kind=Kind.LONG)),
)
HEADERS = FILES.model_copy(update={"local_name": "headers"})
DECLARED = Schemas([Schema(name="archive", tables=(FILES, HEADERS))])


def plan(batch: int) -> tuple[dict[str, int], dict[str, int], list[str]]:
    """Return what a batch appends, replaces and deletes."""
    chance = random.Random(batch)
    new = {f"{batch}-{number}": batch for number in range(chance.randint(1, 20))}
    earlier = [f"{chance.randrange(batch)}-0" for _ in range(chance.randint(0, 3))] if batch else []
    replaced = dict.fromkeys(earlier, -batch)
    return new, replaced, [f"{batch - 3}-1"] if chance.random() < 0.5 else []


def expected(batches: int) -> dict[str, int]:
    """Return the rows after so many batches."""
    rows: dict[str, int] = {}
    for batch in range(batches):
        new, replaced, deleted = plan(batch)
        rows |= new | replaced
        for name in deleted:
            rows.pop(name, None)
    return rows


def write(lake: Lake) -> int:
    """Write the next batch: the headers first, the files last."""
    with lake.writer("ingest") as writer:
        batch = done(lake, writer.version)
        new, replaced, deleted = plan(batch)
        for table in ("archive.headers", "archive.files"):
            writer.append(table, rows_of(new))
            writer.replace(table, rows_of(replaced))
            writer.delete(table, pa.table({"id": pa.array(deleted, pa.string())}))
        writer.commit({"batch": batch})
        return batch


def done(lake: Lake, version: int) -> int:
    """Return how many batches a version has."""
    for earlier in range(version, 0, -1):
        summary = lake.entry(earlier).summary
        if "batch" in summary:
            return int(summary["batch"]) + 1
    return 0


def rows_of(sizes: dict[str, int]) -> pa.Table:
    """Return rows of either table."""
    return pa.table({"id": pa.array(sizes, pa.string()), "size": pa.array(sizes.values(), pa.int64())})


def main(folder: Path, batches: int | None) -> None:
    """Write batches, and compact now and then."""
    lake = Lake(folder, DECLARED)
    print("ready", flush=True)  # noqa: T201 - the test waits for it
    for turn in count() if batches is None else range(batches):
        print("batch", write(lake), flush=True)  # noqa: T201
        if turn % 7 == 6:
            compact(lake)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)
