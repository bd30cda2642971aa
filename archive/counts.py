"""Counting rows of the index."""

from __future__ import annotations

import schemas
from query import build, tree
from store.port import Snapshot

_SECONDS = 20.0


def count_rows(snapshot: Snapshot, table: schemas.Table) -> int:
    """Return how many rows a table has."""
    query = tree.Select((build.count(),), tree.TableRef(build.ALIAS, table))
    rows: int = snapshot.run(query, timeout=_SECONDS).table().column(0)[0].as_py()
    return rows
