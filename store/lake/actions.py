"""Files that a commit adds and removes, as Delta's log tells of them."""

from __future__ import annotations

import json
import math
import time
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from deltalake.transaction import AddAction, RemoveAction

from schemas.arrow import HEALPIX


def new_name() -> str:
    """Return the name of a new data file."""
    return f"part-00000-{uuid.uuid4()}-c000.zstd.parquet"


def add(table: Path, name: str, columns: Iterable[str], *, changes_rows: bool) -> AddAction:
    """Say that a file of a table's folder is part of it, and what it holds at least and at most.

    That is said of the position's cell and of some ``columns`` of numbers and texts.
    """
    written = (table / name).stat()
    noted = json.dumps(_statistics(pq.read_metadata(table / name), {*columns, HEALPIX}))
    return AddAction(name, written.st_size, {}, written.st_mtime_ns // 1_000_000, changes_rows, noted)


def remove(table: Path, name: str, *, changes_rows: bool) -> RemoveAction:
    """Say that a file is no part of a table any more."""
    size = (table / name).stat().st_size
    return RemoveAction(name, changes_rows, time.time_ns() // 1_000_000, size, {})


def _statistics(metadata: pq.FileMetaData, wanted: set[str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "numRecords": metadata.num_rows,
        "minValues": {},
        "maxValues": {},
        "nullCount": {},
    }
    for place in range(metadata.num_columns):
        name = metadata.schema.column(place).path
        if name not in wanted:
            continue
        groups = [metadata.row_group(number).column(place) for number in range(metadata.num_row_groups)]
        stats = [group.statistics for group in groups]
        if not all(each is not None and each.has_null_count for each in stats):
            continue
        found["nullCount"][name] = sum(each.null_count for each in stats)
        filled = [s for s, group in zip(stats, groups, strict=True) if s.null_count < group.num_values]
        values = [value for each in filled if each.has_min_max for value in (each.min, each.max)]
        if filled and len(values) == 2 * len(filled) and all(map(_can_be_told, values)):
            found["minValues"][name], found["maxValues"][name] = min(values), max(values)
    return found


def _can_be_told(value: object) -> bool:
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
