"""What Elasticsearch gives for one query: whole groups, the first rows, or the rows that can matter.

Whatever it gives, the query that is run on it afterwards gives the answer; what it does not give, the lake
does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from elastic_transport import ApiError, TransportError
from elasticsearch import Elasticsearch
from numpy.typing import NDArray

from query import tree
from sky.footprints import Footprints
from store.elastic.aggregates import aggregations, groups, single_rows
from store.elastic.asked import Asked, asked_of
from store.elastic.client import EngineError, in_words
from store.elastic.first import First, beside, firsts
from store.elastic.gather import FIRST_ROWS, MOST_ROWS, Inexact, Search
from store.elastic.names import Names
from store.elastic.reach import Reach
from store.elastic.state import State
from store.elastic.whole import Whole, changed, wholes
from store.limits import TimeLimit
from store.planner import Narrowing, Relation, told_by_region
from store.port import Site
from store.spherical.refine import footprints_related, positions_inside, searched

LOG = logging.getLogger(__name__)

_FEW = 200
"""Rows that are read rather than sorted."""

Found = TypeVar("Found")


@dataclass
class Selected:
    """The query as it is to be run, and the rows that stand for aliases in it.

    ``known`` are identities of conditions that these rows fulfil; ``tables`` say how they were found.
    """

    query: tree.Query
    chosen: dict[str, pa.Table] = field(default_factory=dict)
    known: set[int] = field(default_factory=set)
    tables: list[dict[str, Any]] = field(default_factory=list)


class Selector:
    """Asks Elasticsearch for what one query needs of each table, within the time allowed."""

    def __init__(
        self, client: Elasticsearch, state: State, site: Site, reach: Reach, allowed: TimeLimit
    ) -> None:
        self._client = client
        self._state = state
        self._site = site
        self._reach = reach
        self._allowed = allowed

    def select(self, query: tree.Query, limit: int | None) -> Selected:
        """Ask for everything that a query needs; ``limit`` cuts its answer.

        Raises
        ------
        QueryTimeout
            When the time is up.
        """
        nodes = tuple(tree.walk(query))
        grouped = tuple(wholes(nodes))
        cut = tuple(firsts(nodes, query, limit))
        sure = {each.source.alias for each in grouped} | {each.alias for each in cut}
        asked = self.asked(nodes, sure)
        found = Selected(query)
        anew: dict[int, tree.Select] = {}
        for whole in grouped:
            self._in_groups(whole, asked, found, anew)
        for first in cut:
            self._first_rows(first, asked, found)
        for each in asked.values():
            if each.alias not in found.chosen:
                self._matching_rows(each, found)
        if anew:
            found.query = changed(query, lambda node: anew.get(id(node)))
        found.tables = [
            {"alias": each.alias, "table": each.table.name, **each.how} for each in asked.values()
        ]
        return found

    def asked(self, nodes: Sequence[Any], sure: AbstractSet[str]) -> dict[str, Asked]:
        """Say what is asked of each alias; of those that are in ``sure``, also what is certain."""
        return asked_of(nodes, self._state.tables.keys(), self._site, sure, self._allowed)

    def _in_groups(
        self, whole: Whole, asked: Mapping[str, Asked], found: Selected, anew: dict[int, tree.Select]
    ) -> None:
        each = asked.get(whole.source.alias)
        if each is None or each.certain is None:
            return
        told = self.attempt(each, lambda search: self._groups(whole, each, search, found.known))
        if told is not None:
            rows, tested = told
            found.chosen[each.alias] = rows
            single = whole.over_single_groups() if each.exact else None
            anew[id(whole.select)] = single or whole.over_groups(tested=tested)
            each.how |= {"rows from": "elasticsearch", "groups": rows.num_rows}

    def _groups(
        self, whole: Whole, asked: Asked, search: Search, known: set[int]
    ) -> tuple[pa.Table, bool] | None:
        """Return the groups of a query, and whether some are rows that have still to be tested."""
        aggs = aggregations(whole)
        if asked.exact:
            if not asked.filters and not aggs:
                asked.how["answered"] = "by the number of rows that the index keeps"
                return groups(whole, self.rows_of(asked), {}), False
            answer = search.ask(asked.filters, size=0, track_total_hits=not whole.keys, aggs=aggs or None)
            asked.how["answered"] = "whole in Elasticsearch: groups and counts"
            total = answer["hits"]["total"]["value"] if not whole.keys else 0
            return groups(whole, total, answer.get("aggregations", {})), False
        return self._groups_and_rows(whole, asked, search, known)

    def rows_of(self, asked: Asked) -> int:
        """Return how many rows the table has."""
        return self._state.tables[asked.table.name.lower()].rows

    def _groups_and_rows(
        self, whole: Whole, asked: Asked, search: Search, known: set[int]
    ) -> tuple[pa.Table, bool] | None:
        """Have the rows that are certain put together by Elasticsearch, and gather and test the others."""
        aggs = aggregations(whole)
        certain: dict[str, Any] = {"filter": asked.sure} | ({"aggs": aggs} if aggs else {})
        answer = search.ask(
            asked.filters,
            size=FIRST_ROWS,
            sort=["_doc"],
            track_total_hits=MOST_ROWS + 1,
            post_filter={"bool": {"must_not": [asked.sure]}},
            aggs={"certain": certain},
            **search.fields(asked.used),
        )
        total, sure = answer["hits"]["total"]["value"], answer["aggregations"]["certain"]
        if total > MOST_ROWS:
            asked.how["candidates"] = "too many"
            return None
        rows: pa.Table | None = search.read(answer, asked.used)
        if total > len(answer["hits"]["hits"]):
            rows = search.rows(asked.filters, asked.used, without=asked.sure)
        if rows is None:
            return None
        asked.how["answered"] = "in Elasticsearch as far as cells and filters are certain; other rows tested"
        asked.how["certain"] = sure["doc_count"]
        asked.how["candidates"] = rows.num_rows
        rows = self.refined(asked, rows, known)
        tested = asked.tested and rows.num_rows > 0
        parts = [groups(whole, sure["doc_count"], sure), single_rows(whole, rows, tested=tested)]
        return pa.concat_tables(parts, promote_options="default"), tested

    def _first_rows(self, first: First, asked: Mapping[str, Asked], found: Selected) -> None:
        each = asked.get(first.alias)
        if each is None or each.certain is None:
            return
        rows = self.attempt(each, lambda search: self._sorted(first, each, search))
        if rows is not None:
            found.known |= each.fulfilled
            found.chosen[each.alias] = self.refined(each, rows, found.known)
            words = f"from the first {first.count} rows of Elasticsearch, and those that it is not certain of"
            each.how |= {"rows from": "elasticsearch", "answered": words}

    def _sorted(self, first: First, asked: Asked, search: Search) -> pa.Table | None:
        if not asked.exact:
            # Of few rows, all are read sooner than the first are found.
            few = search.few(asked.filters, asked.used, min(max(first.count, _FEW), FIRST_ROWS))
            if few is not None:
                return few
        others = beside(first, asked.sure, exact=asked.exact)
        certain = asked.filters if asked.exact else asked.certain or []
        kept = [*certain, {"bool": {"must_not": first.unsorted}}] if first.unsorted else certain
        answer = search.ask(
            kept, size=first.count, sort=first.sort, track_total_hits=False, **search.fields(asked.used)
        )
        if not first.is_exact(answer["hits"]["hits"]):
            return None
        rows = search.read(answer, asked.used)
        if others is None or (not first.columns and rows.num_rows == first.count):
            return rows
        rest = search.rows([*asked.filters, others], asked.used)
        return None if rest is None else pa.concat_tables([rows, rest])

    def _matching_rows(self, asked: Asked, found: Selected) -> None:
        rows = None
        if asked.filters:
            rows = self.attempt(asked, lambda search: self._gathered(asked, search))
        if rows is None:
            why = "nothing narrows it" if not asked.filters else "too many rows"
            asked.how |= {"rows from": "lake", "answered": f"from the lake: {asked.why or why}"}
            return
        tested = ", tested exactly against the region" if asked.narrowings else ""
        words = f"from the rows that Elasticsearch lets through{tested}"
        asked.how |= {"rows from": "elasticsearch", "answered": words}
        found.known |= asked.fulfilled
        found.chosen[asked.alias] = self.refined(asked, rows, found.known)

    def _gathered(self, asked: Asked, search: Search) -> pa.Table | None:
        rows = search.rows(asked.filters, asked.used)
        asked.how["filters"] = len(asked.filters)
        asked.how["candidates"] = "too many" if rows is None else rows.num_rows
        return rows

    def attempt(self, asked: Asked, ask: Callable[[Search], Found | None]) -> Found | None:
        """Return what is asked for; None when the lake, or asking for less, has to do."""
        entry = self._state.tables[asked.table.name.lower()]
        trouble = "it does not take all rows" if entry.refused else self._reach.trouble
        if trouble is not None or asked.why is not None:
            asked.why = asked.why or trouble
            return None
        self._allowed.check()
        seconds = self._allowed.left
        search = Search(
            self._client,
            entry.index,
            asked.table,
            self._state.version,
            self._allowed,
            packed=Names.as_made(entry.index, entry.mapping),
        )
        try:
            return ask(search)
        except Inexact as error:
            asked.how["not exact"] = str(error)
        except (ApiError, TransportError, EngineError) as error:
            self._reach.failed(error, seconds)
            self._allowed.check()
            # The lake has the same rows at the same version.
            LOG.warning("reading the lake instead: %s", in_words(error))
            asked.why = in_words(error)
        return None

    def refined(self, asked: Asked, rows: pa.Table, known: set[int]) -> pa.Table:
        """Leave of the candidates those that stand in every relation to its region, and remember that."""
        for narrowing in asked.narrowings:
            rows = rows.filter(pa.array(self._related(asked, narrowing, rows)))
            asked.how.setdefault("exact", []).append(rows.num_rows)
            if told_by_region(narrowing):
                known.add(id(narrowing.condition))
        return rows

    def _related(self, asked: Asked, narrowing: Narrowing, rows: pa.Table) -> NDArray[np.bool_]:
        """Tell which rows stand in a relation to a region."""
        relation, table = narrowing.relation, asked.table
        inside = np.zeros(rows.num_rows, np.bool_)
        if relation is Relation.POSITION:
            ra, dec = (_numbers(rows, name) for name in table.position or ())
            left = np.flatnonzero(np.isfinite(ra) & np.isfinite(dec))
            for part in searched(relation, narrowing.region):
                inside[left] |= positions_inside(part, ra, dec, left, self._allowed)
            return inside
        shapes = Footprints.from_text(rows[table.region or ""])
        for part in searched(relation, narrowing.region):
            left = np.flatnonzero(~inside)
            inside[left] = footprints_related(relation, part, shapes, left, self._allowed)
        return inside


def _numbers(rows: pa.Table, name: str) -> NDArray[np.float64]:
    """Return a column of numbers; what is missing is NaN."""
    return np.asarray(rows[name].cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
