"""The same questions asked of an engine directly: what its answers cost without an archive around it.

The bodies are written as one writes them by hand for an index with HEALPix cells. Ranges of cells are known
beforehand, nothing is refined, and no version is kept apart: these are the limits, not the answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from elasticsearch import Elasticsearch

from bench.client import MOST_ROWS
from sky.coverage import search_ranges
from sky.forms import Circle
from store.elastic import Cluster

Body = dict[str, Any]


def plain_client(cluster: Cluster) -> Elasticsearch:
    """Open the official client as it comes."""
    more: dict[str, Any] = {} if cluster.api_key is None else {"api_key": cluster.api_key}
    if cluster.ca_file is not None:
        more["ca_certs"] = str(cluster.ca_file)
    return Elasticsearch(list(cluster.hosts), request_timeout=120, **more)


def near(position: tuple[float, float], radius: float) -> Body:
    """Return the filter of rows whose position may be in a circle."""
    ranges = search_ranges(Circle(*position, radius)).tolist()
    return {"bool": {"should": [{"range": {"@cell": {"gte": lo, "lt": hi}}} for lo, hi in ranges]}}


def touching(position: tuple[float, float], radius: float) -> Body:
    """Return the filter of rows whose footprint may touch a circle."""
    ranges = search_ranges(Circle(*position, radius)).tolist()
    found = [
        {"range": {name: {"gte": lo, "lt": hi, "relation": "intersects"}}}
        for lo, hi in ranges
        for name in ("@inner", "@border")
    ]
    return {"bool": {"should": found}}


class BareElastic:
    """Asks an index through the official Python client."""

    def __init__(self, cluster: Cluster, index: str) -> None:
        self._client = plain_client(cluster)
        self._index = index

    def rows(
        self, condition: Body, columns: Sequence[str], *, most: int = MOST_ROWS, sort: Any = None
    ) -> list[Body]:
        """Return columns of the rows that a filter finds."""
        answer = self._client.search(
            index=self._index,
            query={"bool": {"filter": [condition]}},
            source_includes=list(columns),
            size=most,
            sort=sort,
            track_total_hits=False,
        )
        found: list[Body] = answer["hits"]["hits"]
        return found

    def count(self) -> int:
        """Count all rows."""
        return int(self._client.count(index=self._index)["count"])

    def facets(
        self, names: Sequence[str], condition: Body | None = None, columns: Sequence[str] = (), most: int = 0
    ) -> Mapping[str, Any]:
        """Count the values of columns in the rows that a filter finds, and return the first of these."""
        answer = self._client.search(
            index=self._index,
            query={"match_all": {}} if condition is None else {"bool": {"filter": [condition]}},
            aggs={name: {"terms": {"field": name, "size": 1000}} for name in names},
            size=most,
            source_includes=list(columns) if most else None,
            track_total_hits=True,
        )
        return dict(answer.body)

    def size(self) -> int:
        """Return the bytes of the index without its copies."""
        stats = self._client.indices.stats(index=self._index, metric="store")
        return int(stats["_all"]["primaries"]["store"]["size_in_bytes"])

    def shards(self) -> int:
        """Return into how many shards the index is divided."""
        return int(self._client.cluster.health(index=self._index)["active_primary_shards"])

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
