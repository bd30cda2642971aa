"""Queries at one version: what Elasticsearch tells of them, the rest from the lake, all SQL in one place."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

import duckdb
import pyarrow as pa
from elasticsearch import Elasticsearch

import schemas
from query import tree
from query.notes import notes
from schemas.arrow import arrow_schema
from store.elastic.lake_rows import LakeRows
from store.elastic.reach import Reach
from store.elastic.selection import Selected, Selector
from store.elastic.state import State
from store.elastic.together import Together, together
from store.limits import TimeLimit
from store.planner import narrowings
from store.port import NO_UPLOADS, Answer, Found, Site, Sought
from store.search import by_queries, reference, table_of, with_facets
from store.sql.arrow import ArrowRows, ArrowSource, compile_on_arrow, run_on_arrow


class ElasticSnapshot:
    """One version; any number of threads may run queries on it."""

    def __init__(
        self,
        client: Elasticsearch,
        state: State,
        declared: schemas.Schemas,
        *,
        lake: LakeRows,
        site: Site,
        instance: duckdb.DuckDBPyConnection,
        reach: Reach,
    ) -> None:
        self._client = client
        self._state = state
        self._declared = declared
        self._site = site
        self._instance = instance
        self._reach = reach
        self._rows = lake

    @property
    def version(self) -> int:
        """The lake version."""
        return self._state.version

    @property
    def schemas(self) -> schemas.Schemas:
        """The declarations in force at that version."""
        return self._declared

    def run(
        self,
        query: tree.Query,
        *,
        limit: int | None = None,
        timeout: float | None = None,
        uploads: Mapping[str, pa.Table] = NO_UPLOADS,
    ) -> Answer:
        """Start a query; see :class:`store.port.Snapshot`."""
        allowed = TimeLimit(timeout)
        found = self._selected(query, limit, allowed)
        answer = run_on_arrow(
            self._instance,
            found.query,
            self._source(found, allowed, uploads),
            version=self.version,
            known=found.known,
            limit=limit,
            allowed=allowed,
        )
        return replace(answer, notes=notes(query))

    def search(self, sought: Sought, *, timeout: float | None = None) -> Found:
        """Answer a search, in one request where that can be; see :class:`store.port.Snapshot`."""
        allowed = TimeLimit(timeout)
        told = together(Selector(self._client, self._state, self._site, self._reach, allowed), sought)
        if told is None:
            return by_queries(self, sought, timeout=allowed.left)
        page, source = sought.page, table_of(sought.page)
        rows = arrow_schema(page.columns).empty_table()
        if page.top:
            rows = self._run_on(page, {source.alias: told.rows}, told.known, allowed)
        total, facets = told.total, told.facets
        if told.doubtful.num_rows:
            total, facets = told.counted_with(self._matching(sought, told, allowed))
        return Found(self.version, rows, total if sought.counted else None, facets)

    def _matching(self, sought: Sought, told: Together, allowed: TimeLimit) -> pa.Table:
        """Return the facets, and the key of the table, of the doubtful rows that match."""
        source = table_of(sought.page)
        key = source.table.column(source.table.key[0])
        outputs = (tree.Output(reference(sought.page, key), key.renamed("key")),)
        page = replace(sought.page, outputs=outputs, order_by=(), top=None)
        query = with_facets(replace(sought, page=page))
        return self._run_on(query, {source.alias: told.doubtful}, told.known, allowed)

    def _run_on(
        self, query: tree.Select, chosen: Mapping[str, pa.Table], known: AbstractSet[int], allowed: TimeLimit
    ) -> pa.Table:
        source = ArrowSource(self._declared, self._site, self._rows, chosen)
        return run_on_arrow(
            self._instance, query, source, version=self.version, known=known, allowed=allowed
        ).table()

    def explain(self, query: tree.Query, *, timeout: float | None = None) -> Mapping[str, Any]:
        """Say what Elasticsearch answers and selects, what comes from the lake, and the SQL."""
        allowed = TimeLimit(timeout)
        found = self._selected(query, None, allowed)
        compiled, _ = compile_on_arrow(found.query, self._source(found, allowed), known=found.known)
        return {
            "engine": "elasticsearch",
            "version": self.version,
            "tables": found.tables,
            "notes": list(notes(query)),
            "sql": compiled.sql,
        }

    def _selected(self, query: tree.Query, limit: int | None, allowed: TimeLimit) -> Selected:
        selector = Selector(self._client, self._state, self._site, self._reach, allowed)
        return selector.select(query, limit)

    def _source(
        self, found: Selected, allowed: TimeLimit, uploads: Mapping[str, pa.Table] = NO_UPLOADS
    ) -> ArrowSource:
        chosen: Mapping[str, ArrowRows] = found.chosen
        if any(told["rows from"] == "lake" for told in found.tables):
            left = (n for n in narrowings(tree.walk(found.query)) if n.alias not in found.chosen)
            chosen = found.chosen | self._rows.narrowed(left, allowed)
        came = {
            ref.alias: uploads[ref.table.name.lower()]
            for ref in tree.walk(found.query)
            if isinstance(ref, tree.TableRef) and ref.table.name.lower() in uploads
        }
        return ArrowSource(self._declared, self._site, self._rows, {**chosen, **came})
