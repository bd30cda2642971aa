"""What the archive holds, counted at one version."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

import schemas
from archive.api.params import DensityParams
from archive.api.search import density
from archive.counts import count_rows
from query import build, tree
from schemas import Kind
from store.port import Index, Snapshot

OBSCORE = "ivoa.ObsCore"

GROUPS: Mapping[str, str] = {
    "Collections": "obs_collection",
    "Instruments": "instrument_name",
    "Kinds of data": "dataproduct_type",
}
"""Headings and the ObsCore columns that are counted under them."""

_ORDER = 5
_SECONDS = 20.0

UNSTATED = "not stated"
"""What stands for a missing value."""

FALLBACK = (63.3558, 10.4663)
"""Where the examples look while nothing has a position: the cluster Abell 478; ICRS degrees."""


@dataclass(frozen=True, slots=True)
class TableCount:
    """A public table and its number of rows; None for tables that are computed."""

    table: schemas.Table
    rows: int | None


@dataclass(frozen=True, slots=True)
class Holdings:
    """Everything that the page counts."""

    version: int
    tables: tuple[TableCount, ...]
    groups: Mapping[str, list[tuple[str, int]]]
    sky: list[tuple[int, int]]
    """Nested HEALPix cells of ``order``, and the observations in each."""
    order: int
    example: tuple[float, float]
    """A position where something is to be found; ICRS degrees."""

    @property
    def observations(self) -> int:
        """Rows of ObsCore."""
        return next((t.rows or 0 for t in self.tables if t.table.name == OBSCORE), 0)

    @staticmethod
    def most(groups: list[tuple[str, int]]) -> int:
        """Return the largest count of those with a name, which fills its bar."""
        return max((count for name, count in groups if name != UNSTATED), default=1)


def count_holdings(snapshot: Snapshot) -> Holdings:
    """Count what a snapshot holds."""
    public = snapshot.schemas.public
    ordered = sorted(public, key=lambda t: (t.name != OBSCORE, t.virtual))
    tables = tuple(TableCount(t, None if t.virtual else count_rows(snapshot, t)) for t in ordered)
    obscore = public.table(OBSCORE)
    groups = {title: _group(snapshot, obscore, column) for title, column in GROUPS.items()}
    counted = density(obscore, DensityParams(order=_ORDER), snapshot, _SECONDS)
    return Holdings(
        snapshot.version, tables, groups, counted.cells, _ORDER, _example(snapshot, obscore) or FALLBACK
    )


def _group(snapshot: Snapshot, table: schemas.Table, name: str) -> list[tuple[str, int]]:
    column = build.column(table, name)
    query = tree.Select(
        (tree.Output(column, table.column(name)), build.count()),
        tree.TableRef(build.ALIAS, table),
        group_by=(column,),
    )
    found = snapshot.run(query, timeout=_SECONDS).table()
    pairs = zip(found.column(0).to_pylist(), found.column(1).to_pylist(), strict=True)
    ranked = sorted(pairs, key=lambda pair: (pair[0] is None, -pair[1], pair[0]))
    return [(UNSTATED if value is None else str(value), n) for value, n in ranked]


def _example(snapshot: Snapshot, table: schemas.Table) -> tuple[float, float] | None:
    """Return the position of a calibrated product, or of any row that has one."""
    placed = tree.IsNull(build.column(table, "s_ra"), negated=True)
    calibrated = tree.Comparison(">=", build.column(table, "calib_level"), tree.Literal(2, Kind.INT))
    cube = tree.Comparison("=", build.column(table, "dataproduct_type"), tree.Literal("cube", Kind.TEXT))
    for extra in ((calibrated, cube), (calibrated,), ()):
        query = build.select(
            table,
            names=("s_ra", "s_dec"),
            where=build.all_of([placed, *extra]),
            order_by=(tree.Order(build.column(table, "dp_id")),),
            top=1,
        )
        rows = snapshot.run(query, timeout=_SECONDS).table().to_pylist()
        if rows:
            return round(rows[0]["s_ra"], 4), round(rows[0]["s_dec"], 4)
    return None


class HoldingsCache:
    """The holdings of the newest version, counted at most once per ``pause`` seconds."""

    def __init__(self, index: Index, pause: float = 2.0) -> None:
        self._index = index
        self._pause = pause
        self._lock = threading.Lock()
        self._held: Holdings | None = None
        self._counted = 0.0

    def get(self) -> Holdings:
        """Return the holdings; IndexNotReady when there is nothing to count yet."""
        with self._lock, self._index.snapshot() as snapshot:
            fresh = time.monotonic() - self._counted < self._pause
            if self._held is None or (self._held.version != snapshot.version and not fresh):
                self._held = count_holdings(snapshot)
                self._counted = time.monotonic()
            return self._held
