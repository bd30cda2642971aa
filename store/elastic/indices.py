"""Indices: one per table and mapping, written, made ready, found by an alias, and deleted in the end."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

from elasticsearch import BadRequestError, Elasticsearch, NotFoundError

import schemas
from schemas.elastic import OWN_FIELDS, SINCE, UNTIL, field_name, key_field, mapping
from store.elastic.client import Cluster, EngineError, patiently
from store.elastic.documents import live_at
from store.elastic.gather import MOST_ROWS
from store.elastic.names import FORMAT, META, Names
from store.elastic.state import State

LOG = logging.getLogger(__name__)

_GREEN_SECONDS = 300
"""How long a new index may take to get its copies before it is shown without them, seconds."""

_PATIENCE = 120.0
"""How long a node that is away is waited for at the end of writing, seconds."""

_SEGMENTS = 5
"""Pieces of a shard that has just been written: each condition costs some time in each of them.

Fewer would be larger than those that Elasticsearch merges by itself when rows have been replaced.
"""

_NUMBER = re.compile(r"-(\d+)\Z")


class Fit(Enum):
    """How an index stands to what is declared now."""

    SAME = "same"
    WIDENED = "widened"
    OTHER = "other"


class Indices:
    """Looks after the indices of tables."""

    def __init__(self, client: Elasticsearch, cluster: Cluster) -> None:
        self._client = client
        self._cluster = cluster
        self._names = Names.of(cluster)

    def create(self, table: schemas.Table, rows: int) -> str:
        """Create an empty index for a table of about so many rows; return its name.

        It has one copy of each shard until ``finish``, so that documents are written once.
        """
        settings = {
            "number_of_shards": self._shards(rows),
            "number_of_replicas": 0,
            "refresh_interval": "-1",
            "mapping.total_fields.limit": len(table.columns) + 100,
            "max_result_window": MOST_ROWS,
        }
        body = mapping(table) | {"_meta": self._names.meta(table)}
        number = self._next_number(table)
        while True:
            name = self._names.index(table, number)
            try:
                self._client.indices.create(index=name, settings=settings, mappings=body)
            except BadRequestError as error:
                if error.message != "resource_already_exists_exception":
                    raise
                number += 1
            else:
                return name

    def _next_number(self, table: schemas.Table) -> int:
        stem = self._names.index(table, 0).removesuffix("0")
        found = self._client.indices.get_alias(index=f"{stem}*", expand_wildcards="all")
        return max((int(match[1]) for name in found if (match := _NUMBER.search(name))), default=0) + 1

    def finish(self, index: str, version: int, meanwhile: Callable[[], None] = lambda: None) -> int:
        """Make an index that was written searchable and give it its copies; return its rows at a version.

        What took long to write is not given up for a node that is away for a moment. ``meanwhile`` is called
        again and again as long as copies are made.
        """
        copies = {"auto_expand_replicas": f"0-{self._cluster.replicas}"}
        patiently(lambda: self.refresh([index]), patience=_PATIENCE)
        patiently(lambda: self._merge(index), patience=_PATIENCE)
        patiently(lambda: self._client.indices.put_settings(index=index, settings=copies), patience=_PATIENCE)
        patiently(lambda: self._wait_for_copies(index, meanwhile), patience=_PATIENCE)
        return patiently(lambda: self.count(index, version), patience=_PATIENCE)

    def _merge(self, index: str) -> None:
        """Have what was written in many pieces put together; it is searched as well before that is done."""
        self._client.indices.forcemerge(index=index, max_num_segments=_SEGMENTS, wait_for_completion=False)

    def _wait_for_copies(self, index: str, meanwhile: Callable[[], None]) -> None:
        patient = self._client.options(ignore_status=408)
        end = time.monotonic() + _GREEN_SECONDS
        while True:
            health = patient.cluster.health(index=index, wait_for_status="green", timeout="2s")
            if not health.get("timed_out"):
                return
            if time.monotonic() > end:
                break
            meanwhile()
        LOG.warning("%s is shown although copies of it are missing: it is %s", index, health["status"])

    def count(self, index: str, version: int) -> int:
        """Return how many rows an index has at a version.

        Raises
        ------
        EngineError
            When a shard did not answer.
        """
        answer = self._client.count(index=index, query=live_at(version))
        if answer["_shards"]["failed"]:
            raise EngineError(f"a shard of {index} did not count its rows")
        return int(answer["count"])

    def begun(self, state: State) -> int | None:
        """Return the version that a step wrote changes for which the state does not show; None without any.

        Raises
        ------
        EngineError
            When a shard did not answer.
        """
        names = sorted({entry.index for entry in state.tables.values()})
        if not names:
            return None
        self.refresh(names)
        later = {"gt": state.version}
        answer = self._client.search(
            index=names,
            size=0,
            query={"bool": {"should": [{"range": {SINCE: later}}, {"range": {UNTIL: later}}]}},
            aggs={name: {"max": {"field": name}} for name in (SINCE, UNTIL)},
            track_total_hits=False,
            allow_partial_search_results=False,
            request_cache=False,
        )
        found = [answer["aggregations"][name]["value"] or 0 for name in (SINCE, UNTIL)]
        return int(max(found)) if max(found) > state.version else None

    def refresh(self, indices: Iterable[str]) -> None:
        """Make visible what was written.

        Raises
        ------
        EngineError
            When a shard did not do it.
        """
        names = sorted(set(indices))
        if not names or self._refreshed(names, None):
            return
        # A shard without any copy is not told as a failure, and one that is promoted now may not have heard.
        health = self._client.cluster.health(index=names)
        if health["status"] == "red" or not self._refreshed(names, health["active_shards"]):
            raise EngineError(f"not every shard of {', '.join(names)} was refreshed")

    def _refreshed(self, names: Sequence[str], least: int | None) -> bool:
        """Refresh, and tell whether at least so many copies were (None: all that there should be)."""
        shards = self._client.options(request_timeout=300).indices.refresh(index=names)["_shards"]
        wanted = shards["total"] if least is None else least
        return not shards["failed"] and bool(shards["successful"] >= wanted)

    def outgrown(self, state: State) -> dict[str, tuple[int, int]]:
        """Return the tables whose shards have more than twice the rows that they are meant for.

        With each come the shards that it has, and those that it would have if it were built now.
        """
        found: dict[str, tuple[int, int]] = {}
        for name, entry in state.tables.items():
            if entry.rows > 2 * self._cluster.rows_per_shard:
                told = self._client.indices.get_settings(index=entry.index, flat_settings=True)
                shards = int(told[entry.index]["settings"]["index.number_of_shards"])
                if entry.rows > 2 * self._cluster.rows_per_shard * shards:
                    found[name] = (shards, self._shards(entry.rows))
        return found

    def _shards(self, rows: int) -> int:
        return max(1, -(-rows // self._cluster.rows_per_shard))

    def fit(self, index: str, table: schemas.Table) -> Fit:
        """Tell whether an index can hold a table as it is declared now."""
        try:
            answer = self._client.indices.get_mapping(index=index)
        except NotFoundError:
            return Fit.OTHER
        held = answer[index]["mappings"]
        fields: Mapping[str, Any] = held.get("properties", {})
        wanted = mapping(table)["properties"]
        if held.get("_meta", {}).get(META, {}).get("format") != FORMAT:
            return Fit.OTHER
        if any(fields.get(name, field) != field for name, field in wanted.items()):
            return Fit.OTHER
        missing = wanted.keys() - fields.keys()
        # Rows that are there already have a value in a field of ours; in a new column they have none.
        keys = {key_field(c.name) for c in table.columns if field_name(c.name) in fields}
        if missing & (OWN_FIELDS | keys):
            return Fit.OTHER
        return Fit.WIDENED if missing else Fit.SAME

    def widen(self, index: str, table: schemas.Table) -> None:
        """Add the fields of columns that a table has gained; rows have no value there."""
        self._client.indices.put_mapping(index=index, properties=mapping(table)["properties"])

    def point_aliases(self, tables: Mapping[str, str], declared: schemas.Schemas) -> None:
        """Let the aliases, and no others, name the indices of tables; those of unknown tables keep theirs."""
        wanted = {
            self._names.alias(declared.table(name)): index
            for name, index in tables.items()
            if name in declared
        }
        unknown = {index for name, index in tables.items() if name not in declared}
        found = self._client.indices.get_alias(index=self._names.all)
        actions: list[dict[str, Any]] = []
        for index, entry in found.items():
            stale = [] if index in unknown else [n for n in entry["aliases"] if wanted.get(n) != index]
            actions += [{"remove": {"index": index, "alias": name}} for name in stale]
        for alias, index in wanted.items():
            if alias not in found.get(index, {}).get("aliases", {}):
                actions.append({"add": {"index": index, "alias": alias}})
        if actions:
            self._client.indices.update_aliases(actions=actions)

    def unneeded(self, needed: Collection[str]) -> set[str]:
        """Return our indices of tables that are not among the needed ones."""
        found = self._client.indices.get_mapping(index=self._names.all)
        ours = {
            name
            for name, entry in found.items()
            if entry["mappings"].get("_meta", {}).get(META, {}).get("prefix") == self._names.prefix
        }
        return ours - set(needed)

    def delete(self, index: str) -> None:
        """Delete an index; harmless when it is gone."""
        self._client.indices.delete(index=index, ignore_unavailable=True)
