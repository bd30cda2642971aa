"""Queries at one version: rows that Elasticsearch selects, the rest from the lake, all SQL in one place."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
from elastic_transport import ApiError, TransportError
from elasticsearch import Elasticsearch
from typing_extensions import override

import schemas
from query import tree
from query.notes import notes
from sky.footprints import Footprints
from sky.regions import Region
from store.elastic.client import EngineError, in_words
from store.elastic.filters import Body, condition_filter, sky_filter, texts_filter
from store.elastic.gather import Search, numbers, with_sources
from store.elastic.state import State
from store.lake import Lake
from store.limits import TimeLimit
from store.planner import Narrowing, Relation, column_conditions, conditions_of, narrowings
from store.port import Answer, Site
from store.served import sought_texts
from store.spherical.refine import KERNELS, covering, positions_inside, searched
from store.sql.arrow import ArrowRows, ArrowSource, compile_on_arrow, run_on_arrow

LOG = logging.getLogger(__name__)


class LakeRows(Mapping[str, ArrowRows]):
    """The lake's tables at one version, opened when they are asked for."""

    def __init__(self, lake: Lake, declared: schemas.Schemas, version: int) -> None:
        self._lake = lake
        self._version = version
        self._names = {table.name.lower() for table in declared if not table.virtual}
        self._opened: dict[str, ds.Dataset] = {}

    @override
    def __getitem__(self, name: str) -> ArrowRows:
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


@dataclass
class _Plan:
    """What is asked of one alias of a table."""

    alias: str
    table: schemas.Table
    used: set[str]
    filters: list[Body] = field(default_factory=list)
    narrowings: list[Narrowing] = field(default_factory=list)
    how: dict[str, Any] = field(default_factory=dict)


class ElasticSnapshot:
    """One version; any number of threads may run queries on it."""

    def __init__(
        self,
        client: Elasticsearch,
        state: State,
        declared: schemas.Schemas,
        *,
        lake: Lake,
        site: Site,
        instance: duckdb.DuckDBPyConnection,
    ) -> None:
        self._client = client
        self._state = state
        self._declared = declared
        self._lake = lake
        self._site = site
        self._instance = instance

    @property
    def version(self) -> int:
        """The lake version."""
        return self._state.version

    @property
    def schemas(self) -> schemas.Schemas:
        """The declarations in force at that version."""
        return self._declared

    def run(self, query: tree.Query, *, limit: int | None = None, timeout: float | None = None) -> Answer:
        """Start a query; see :class:`store.port.Snapshot`."""
        allowed = TimeLimit(timeout)
        source, known, _ = self._source(query, allowed)
        return run_on_arrow(
            self._instance, query, source, version=self.version, known=known, limit=limit, allowed=allowed
        )

    def explain(self, query: tree.Query, *, timeout: float | None = None) -> Mapping[str, Any]:
        """Say what Elasticsearch selects, what is refined, what comes from the lake, and the SQL."""
        source, known, plans = self._source(query, TimeLimit(timeout))
        compiled, _ = compile_on_arrow(query, source, known=known)
        return {
            "engine": "elasticsearch",
            "version": self.version,
            "tables": [{"alias": plan.alias, "table": plan.table.name, **plan.how} for plan in plans],
            "notes": list(notes(query)),
            "sql": compiled.sql,
        }

    def _source(
        self, query: tree.Query, allowed: TimeLimit
    ) -> tuple[ArrowSource, frozenset[int], list[_Plan]]:
        plans = self._plans(tuple(tree.walk(query)), allowed)
        chosen: dict[str, ArrowRows] = {}
        known: set[int] = set()
        for plan in plans:
            rows = self._gathered(plan, allowed) if plan.filters else None
            plan.how["rows from"] = "lake" if rows is None else "elasticsearch"
            if rows is not None:
                chosen[plan.alias] = self._refined(plan, rows, known, allowed)
        lake = LakeRows(self._lake, self._declared, self.version)
        return ArrowSource(self._declared, self._site, lake, chosen), frozenset(known), plans

    def _plans(self, nodes: tuple[Any, ...], allowed: TimeLimit) -> list[_Plan]:
        """Say what is asked of each alias of a stored table."""
        plans = {
            node.alias: _Plan(node.alias, node.table, set())
            for node in nodes
            if isinstance(node, tree.TableRef) and node.table.name.lower() in self._state.tables
        }
        for node in nodes:
            if isinstance(node, tree.Column) and node.alias in plans:
                plans[node.alias].used.add(node.name.lower())
        for tables, conditions in conditions_of(nodes):
            for alias in tables.keys() & plans.keys():
                found = (condition_filter(each, alias, tables[alias]) for each in conditions)
                plans[alias].filters += [each.body for each in found if each is not None]
        for sought in sought_texts(column_conditions(nodes), self._site):
            body = texts_filter(sought.texts) if sought.alias in plans else None
            if body is not None:
                plans[sought.alias].filters.append(body)
        for narrowing in narrowings(nodes):
            if narrowing.alias in plans:
                self._narrow(plans[narrowing.alias], narrowing, allowed)
        return list(plans.values())

    def _narrow(self, plan: _Plan, narrowing: Narrowing, allowed: TimeLimit) -> None:
        ranges = covering(narrowing.relation, narrowing.region, allowed)
        plan.filters.append(sky_filter(narrowing.relation, ranges))
        plan.narrowings.append(narrowing)
        plan.how.setdefault("sky", []).append({"relation": str(narrowing.relation), "ranges": len(ranges)})
        place = plan.table.position if narrowing.relation is Relation.POSITION else (plan.table.region,)
        plan.used |= {name.lower() for name in place or () if name}

    def _gathered(self, plan: _Plan, allowed: TimeLimit) -> pa.Table | None:
        """Return the rows that the filters let through; None when the lake is to be read."""
        index = self._state.tables[plan.table.name.lower()]
        if index.refused:
            return None
        allowed.check()
        search = Search(self._client, index.index, plan.table, self.version)
        try:
            rows = search.rows(plan.filters, with_sources(plan.table, plan.used), allowed.left)
        except (ApiError, TransportError, EngineError) as error:
            allowed.check()
            # The lake has the same rows at the same version.
            LOG.warning("reading the lake instead: %s", in_words(error))
            plan.how["not from elasticsearch"] = in_words(error)
            return None
        plan.how["filters"] = len(plan.filters)
        plan.how["candidates"] = "too many" if rows is None else rows.num_rows
        return rows

    def _refined(self, plan: _Plan, rows: pa.Table, known: set[int], allowed: TimeLimit) -> pa.Table:
        """Leave of the candidates those that stand in every relation to its region, and remember that."""
        for narrowing in plan.narrowings:
            if narrowing.relation is Relation.POSITION:
                inside = _positions(plan.table, rows, narrowing.region, allowed)
            else:
                inside = _footprints(plan.table, rows, narrowing, allowed)
            rows = rows.filter(pa.array(inside))
            plan.how.setdefault("exact", []).append(rows.num_rows)
            if narrowing.relation is not Relation.POSITION:
                known.add(id(narrowing.condition))
        return rows


def _positions(
    table: schemas.Table, rows: pa.Table, region: Region, allowed: TimeLimit
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    ra, dec = (numbers(rows, name) for name in table.position or ())
    places = np.flatnonzero(np.isfinite(ra) & np.isfinite(dec))
    inside = np.zeros(rows.num_rows, np.bool_)
    for part in searched(Relation.POSITION, region):
        inside[places] |= positions_inside(part, ra, dec, places, allowed)
    return inside


def _footprints(
    table: schemas.Table, rows: pa.Table, narrowing: Narrowing, allowed: TimeLimit
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    shapes = Footprints.from_text(rows[table.region or ""])
    kernel = KERNELS[narrowing.relation]
    inside = np.zeros(rows.num_rows, np.bool_)
    for part in searched(narrowing.relation, narrowing.region):
        left = np.flatnonzero(~inside)
        inside[left] = allowed.tested(lambda some: kernel(part, shapes.take(some)), left)  # noqa: B023
    return inside
