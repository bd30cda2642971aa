"""Coverage maps (MOC 2.0): the part of the sky that the rows of a search cover."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

import schemas
from archive.api.filters import condition
from archive.api.params import MocParams
from archive.problems import Detail, wrong
from query import build, tree
from sky.extent import extent
from sky.footprints import Footprints
from sky.forms import MocRegion
from sky.healpix import cells
from sky.moc import from_cells, union
from store.limits import TimeLimit
from store.port import Snapshot

_AT_ONCE = 50_000
"""Footprints whose cells are joined before the next are read."""


def moc(table: schemas.Table, params: MocParams, snapshot: Snapshot, seconds: float) -> MocRegion:
    """Return the cells of an order that the matching rows cover: by their footprints, else their positions.

    Raises
    ------
    Problem
        400 when rows of the table have no place on the sky.
    QueryError
        When it takes longer than ``seconds``.
    """
    if table.position is None:
        raise wrong([Detail("value", f"{table.name} has no positions")])
    time, filters = TimeLimit(seconds), condition(table, params)
    found = MocRegion(())
    if table.region is not None:
        region = build.column(table, table.region)
        known = build.all_of([tree.IsNull(region, negated=True), filters])
        query = build.select(table, names=[table.region], where=known)
        for batch in _batches(snapshot, query, time):
            time.check()
            texts = pa.chunked_array([batch.column(0)]).unique()
            found = union(found, extent(Footprints.from_text(texts), params.order))
        filters = build.all_of([tree.IsNull(region), filters])
    ra, dec = (build.column(table, name) for name in table.position)
    placed = (tree.IsNull(ra, negated=True), tree.IsNull(dec, negated=True))
    query = build.select(table, names=table.position, where=build.all_of([*placed, filters]))
    for batch in _batches(snapshot, query, time):
        time.check()
        at = cells(np.asarray(batch.column(0)), np.asarray(batch.column(1)), params.order)
        found = union(found, from_cells(np.unique(at), params.order))
    return found


def _batches(snapshot: Snapshot, query: tree.Query, time: TimeLimit) -> Iterator[pa.RecordBatch]:
    answer = snapshot.run(query, timeout=time.left)
    try:
        for batch in answer.batches:
            for start in range(0, batch.num_rows, _AT_ONCE):
                yield batch.slice(start, _AT_ONCE)
    finally:
        answer.close()
