"""What the conditions of a query say about the rows of each of its tables, as filters."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

import schemas
from query import tree
from sky.regions import Circle, Region
from store.elastic.circles import circle_filter
from store.elastic.columns import Body, Filter, all_of
from store.elastic.filters import condition_filter, sky_filter, texts_filter
from store.elastic.inside import certain_filter
from store.limits import TimeLimit
from store.planner import (
    Narrowing,
    Relation,
    column_conditions,
    conditions_of,
    narrowings,
    told_by_region,
)
from store.port import Site
from store.served import sought_texts, with_sources
from store.spherical.refine import MAX_RANGES, covering

_WORTH = ((0.3, 4), (1.5, 8))
"""Up to which radius of a circle [deg] how many ranges of cells are asked for, as measured.

Each range costs as much time as reading some rows that only lie near the circle.
"""


@dataclass
class Asked:
    """What is asked of one alias of a table.

    Every row that can matter comes through all ``filters``. Those that come through ``certain`` too fulfil
    all conditions; None when that can be said of no row.
    """

    alias: str
    table: schemas.Table
    used: set[str] = field(default_factory=set)
    filters: list[Body] = field(default_factory=list)
    certain: list[Body] | None = field(default_factory=list)
    exact: bool = True
    """Whether the rows that come through all filters are just those that fulfil all conditions."""
    tested: bool = False
    """Whether there are conditions that the query itself has to test, besides what ``narrowings`` tell."""
    fulfilled: set[int] = field(default_factory=set)
    """Identities of the conditions that every row which comes through all filters fulfils."""
    narrowings: list[Narrowing] = field(default_factory=list)
    how: dict[str, Any] = field(default_factory=dict)
    """What is told to people."""
    why: str | None = None
    """Why Elasticsearch is not to be asked for it."""

    def add(self, found: Filter | None) -> None:
        """Take over what is known of one more condition that all rows have to fulfil."""
        if found is None or found.certain is None:
            self.certain = None
        elif self.certain is not None:
            self.certain.append(found.certain)
        if found is not None:
            self.filters.append(found.body)
        self.exact = self.exact and found is not None and found.exact

    @property
    def sure(self) -> Body:
        """The filter of the rows that are certain."""
        return all_of(self.certain or [])


def asked_of(
    nodes: Sequence[Any],
    tables: AbstractSet[str],
    site: Site,
    sure: AbstractSet[str],
    allowed: TimeLimit,
) -> dict[str, Asked]:
    """Say what is asked of each alias of those of the ``tables`` (lower-case names) that a query reads.

    ``sure`` are the aliases of which it is worth while to say what is certain.
    """
    found = {
        node.alias: Asked(node.alias, node.table)
        for node in nodes
        if isinstance(node, tree.TableRef) and node.table.name.lower() in tables
    }
    for node in nodes:
        if isinstance(node, tree.Column) and node.alias in found:
            found[node.alias].used.add(node.name.lower())
    narrowed = {id(narrowing.condition): narrowing for narrowing in narrowings(nodes)}
    for own, conditions in conditions_of(nodes):
        for alias in own.keys() & found.keys():
            for condition in conditions:
                _ask(found[alias], condition, narrowed.get(id(condition)), allowed, sure=alias in sure)
    for sought in sought_texts(column_conditions(nodes), site):
        body = texts_filter(sought.texts) if sought.alias in found else None
        if body is not None and sought.table.by_name[next(iter(sought.texts))].served:
            found[sought.alias].filters.append(body)
    for asked in found.values():
        asked.used = with_sources(asked.table, asked.used, site)
    return found


def _ask(
    asked: Asked,
    condition: tree.Predicate,
    narrowing: Narrowing | None,
    allowed: TimeLimit,
    *,
    sure: bool,
) -> None:
    if narrowing is None or narrowing.alias != asked.alias:
        found = condition_filter(condition, asked.alias, asked.table)
        asked.add(found)
        if found is not None and found.exact:
            asked.fulfilled.add(id(condition))
        else:
            asked.tested = True
        return
    relation, region = narrowing.relation, narrowing.region
    found = circle_filter(relation, region)
    if found is None:
        ranges = covering(relation, region, allowed, _most_ranges(region))
        certain = certain_filter(relation, region) if sure and asked.certain is not None else None
        found = Filter(sky_filter(relation, ranges), certain)
        asked.how.setdefault("sky", []).append({"relation": str(relation), "ranges": len(ranges)})
    else:
        asked.how.setdefault("sky", []).append({"relation": str(relation), "by": "distances"})
    asked.add(found)
    # The rows that cells find have still to be told from those near by.
    asked.exact = False
    asked.tested = asked.tested or not told_by_region(narrowing)
    asked.narrowings.append(narrowing)
    place = asked.table.position if relation is Relation.POSITION else (asked.table.region,)
    asked.used |= {name.lower() for name in place or () if name}


def _most_ranges(region: Region) -> int:
    """Return with how many ranges of cells a region is covered at most."""
    if not isinstance(region, Circle):
        return MAX_RANGES
    return next((most for radius, most in _WORTH if region.radius <= radius), MAX_RANGES)
