"""Takes the indices of a state from one version of the lake to a later one."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

import schemas
from store.elastic.build import RowWriter
from store.elastic.indices import Fit, Indices
from store.elastic.names import fingerprint
from store.elastic.state import TableIndex
from store.lake import Lake, Step

LOG = logging.getLogger(__name__)

Tables = dict[str, TableIndex]
"""The indices of tables by lower-case name."""


@dataclass(frozen=True)
class Changes:
    """What is to be applied next.

    Of the tables in ``anew`` so much changed that they are written anew. Those in ``unknown`` changed too,
    and this process has no declaration of them; both are lower-case names.
    """

    step: Step
    anew: frozenset[str]
    unknown: frozenset[str]


class Applier:
    """Brings indices up to date; each call can be repeated without harm.

    A step takes up to ``stride`` versions, and no more than ``most`` rows.
    """

    def __init__(self, lake: Lake, indices: Indices, rows: RowWriter, *, stride: int, most: int) -> None:
        self._lake = lake
        self._indices = indices
        self._rows = rows
        self._stride = stride
        self._most = most
        self._fitted: dict[str, schemas.Table] = {}

    def forget(self) -> None:
        """Look at each index again: another process may have changed it."""
        self._fitted.clear()

    def next(self, after: int, newest: int, upto: int | None) -> Changes:
        """Return the changes that are to be applied next: those ``upto`` a version, if one is given."""
        last = min(newest, after + self._stride) if upto is None else upto
        while True:
            indexed = self._lake.schemas(last).indexed
            changed = self._lake.change_sizes(after, last)
            sizes = {name: size for name, size in changed.items() if name.lower() in indexed}
            if upto is not None or last == after + 1 or sum(sizes.values()) <= self._most:
                break
            last = after + (last - after) // 2
        anew = {name for name, size in sizes.items() if size > self._most}
        others = changed.keys() - sizes.keys()
        unknown = {name.lower() for name in others if changed[name] and name not in self._lake.schemas(last)}
        step = self._lake.difference(after, last, without=anew | others)
        return Changes(step, frozenset(name.lower() for name in anew), frozenset(unknown))

    def refitted(self, held: Mapping[str, TableIndex], version: int) -> Tables:
        """Return an index for each table as it is declared at a version; new ones hold its rows.

        A table that the lake has and this process does not know, as those of another site folder, keeps the
        one it has.
        """
        declared = self._lake.schemas(version)
        there = {name.lower() for name in self._lake.entry(version).tables if name not in declared}
        kept = {name: entry for name, entry in held.items() if name in there}
        fitting = {
            name: self._fitting(table, held.get(name), version) for name, table in declared.indexed.items()
        }
        return fitting | kept

    def _fitting(self, table: schemas.Table, entry: TableIndex | None, version: int) -> TableIndex:
        if entry is not None and self._fitted.get(entry.index) != table:
            fit = self._indices.fit(entry.index, table)
            if fit is Fit.OTHER:
                LOG.info("%s does not hold %s as it is declared now", entry.index, table.name)
                entry = None
            elif fit is Fit.WIDENED:
                self._indices.widen(entry.index, table)
        if entry is None:
            entry = self._rows.table(table, version)
        if self._fitted.get(entry.index) != table:
            entry = replace(entry, mapping=fingerprint(table))
        self._fitted[entry.index] = table
        return entry

    def applied(self, tables: Mapping[str, TableIndex], changes: Changes) -> Tables:
        """Write what changed; return the tables as they are after it, refreshed."""
        step = changes.step
        lost = changes.unknown & tables.keys()
        if lost:
            LOG.warning(
                "rows of %s changed, which this process does not know (ONEDFS_SITE); "
                "the lake answers until a process that does leads",
                ", ".join(sorted(lost)),
            )
        dropped = {name.lower() for name in step.dropped} | changes.anew | lost
        kept = {name: entry for name, entry in tables.items() if name not in dropped}
        found = self.refitted(kept, step.version)
        for name in step.dropped:
            self._rows.drop(name)
        declared = self._lake.schemas(step.version)
        touched: list[str] = []
        for change in step.changes:
            name = change.table.lower()
            # An index that was written for this version holds its changes.
            if name in found and name in kept and found[name].index == kept[name].index:
                found[name] = self._rows.change(found[name], declared.table(name), change, step.version)
                touched.append(found[name].index)
        self._indices.refresh(touched)
        return found
