"""The lake's tables at one version, as queries read them that Elasticsearch does not answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import pyarrow.dataset as ds
from typing_extensions import override

import schemas
from store.lake import Lake
from store.lake.groups import at_footprints, at_positions
from store.limits import TimeLimit
from store.planner import Narrowing, Relation
from store.spherical.refine import covering
from store.sql.arrow import ArrowRows


class LakeRows(Mapping[str, ArrowRows]):
    """Tables by lower-case name, opened when they are asked for."""

    def __init__(self, lake: Lake, declared: schemas.Schemas, version: int) -> None:
        self._lake = lake
        self._version = version
        self._names = {table.name.lower() for table in declared if not table.virtual}
        self._opened: dict[str, ds.Dataset] = {}

    @override
    def __getitem__(self, name: str) -> ds.Dataset:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._opened:
            self._opened[name] = self._lake.dataset(name, self._version)
        return self._opened[name]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    @override
    def __len__(self) -> int:
        return len(self._names)

    def narrowed(self, narrowings: Iterable[Narrowing], allowed: TimeLimit) -> dict[str, ds.Dataset]:
        """Return, by alias, the parts of tables that hold all rows that can matter.

        Raises
        ------
        QueryTimeout
            When the time is up.
        """
        found: dict[str, ds.Dataset] = {}
        for each in narrowings:
            name = each.table.name.lower()
            if name in self._names:
                ranges = covering(each.relation, each.region, allowed)
                leave = at_positions if each.relation is Relation.POSITION else at_footprints
                found[each.alias] = leave(found.get(each.alias, self[name]), ranges)
        return found
