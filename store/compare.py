"""Holding an index against the lake."""

from __future__ import annotations

from collections.abc import Iterator

import schemas
from query import build, tree
from store.lake import Lake
from store.port import Difference, Index, Snapshot

_SECONDS = 60.0


def differences_in_counts(index: Index, lake: Lake) -> Iterator[Difference]:
    """Count each table by a query; for engines that answer it from what they hold.

    Raises
    ------
    QueryError
        When a table cannot be counted.
    """
    with index.snapshot() as snapshot:
        for table in snapshot.schemas:
            if table.indexed and not table.virtual:
                found = difference(
                    table, _counted(snapshot, table), lake.row_count(table.name, snapshot.version)
                )
                if found is not None:
                    yield found


def difference(table: schemas.Table, shown: int, kept: int) -> Difference | None:
    """Return what to say of the rows that an index shows and the lake keeps; None when they are as many."""
    return None if shown == kept else Difference(table.name, f"the index shows {shown} rows of {kept}")


def _counted(snapshot: Snapshot, table: schemas.Table) -> int:
    query = tree.Select((build.count(),), tree.TableRef(build.ALIAS, table))
    rows: int = snapshot.run(query, timeout=_SECONDS).table().column(0)[0].as_py()
    return rows
