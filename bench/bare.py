"""The same questions asked of an engine directly: what its answers cost without an archive around it.

The bodies are written as one writes them by hand for an index with HEALPix cells. Ranges of cells are known
beforehand, nothing is refined, and no version is kept apart: these are the limits, not the answers.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from elasticsearch import Elasticsearch

from bench.client import MOST_ROWS, TABLE
from bench.expected import Position
from schemas import load_schemas
from sky.coverage import search_ranges
from sky.forms import Circle
from sky.healpix import cells
from store.elastic import Cluster, Names

Body = dict[str, Any]


def plain_client(cluster: Cluster) -> Elasticsearch:
    """Open the official client as it comes."""
    more: dict[str, Any] = {} if cluster.api_key is None else {"api_key": cluster.api_key}
    if cluster.ca_file is not None:
        more["ca_certs"] = str(cluster.ca_file)
    return Elasticsearch(list(cluster.hosts), request_timeout=120, **more)


class BareEngine(Protocol):
    """An engine that is asked directly; conditions are of its own kind."""

    def near(self, position: Position, radius: float) -> Any:
        """Return the condition of rows whose position may be in a circle."""

    def touching(self, position: Position, radius: float) -> Any | None:
        """Return the condition of rows whose footprint may touch a circle; None where it has none."""

    def equals(self, column: str, value: str) -> Any:
        """Return the condition of rows with a value in a column."""

    def rows(self, condition: Any, columns: Sequence[str]) -> object:
        """Return columns of the rows that meet a condition."""

    def newest(self, condition: Any, columns: Sequence[str], most: int) -> object:
        """Return the rows that meet a condition and begin last."""

    def count(self) -> object:
        """Count all rows."""

    def facets(self, names: Sequence[str], condition: Any, columns: Sequence[str], most: int) -> object:
        """Count the values of columns in the rows that meet a condition, if any, and return the first."""


class BareElastic:
    """Asks an index through the official Python client."""

    def __init__(self, cluster: Cluster, index: str) -> None:
        self._client = plain_client(cluster)
        self._index = index

    @classmethod
    def of(cls, cluster: Cluster) -> Self:
        """Open the index that an archive's follower wrote."""
        return cls(cluster, Names.of(cluster).alias(load_schemas().table(TABLE)))

    def near(self, position: Position, radius: float) -> Body:
        """Filter by ranges of the position's cell."""
        bounds = ({"gte": lo, "lt": hi} for lo, hi in _ranges(position, radius))
        return {"bool": {"should": [{"range": {"@cell": each}} for each in bounds]}}

    def touching(self, position: Position, radius: float) -> Body:
        """Filter by ranges of the footprint's cells."""
        bounds = [{"gte": lo, "lt": hi, "relation": "intersects"} for lo, hi in _ranges(position, radius)]
        return {"bool": {"should": [{"range": {"@cover": each}} for each in bounds]}}

    def equals(self, column: str, value: str) -> Body:
        """Filter by a keyword."""
        return {"term": {column: value}}

    def rows(self, condition: Body, columns: Sequence[str]) -> list[Body]:
        """Return the sources of all rows."""
        return self._hits(condition, columns, MOST_ROWS)

    def newest(self, condition: Body, columns: Sequence[str], most: int) -> list[Body]:
        """Return the sources of the last rows."""
        return self._hits(condition, columns, most, sort=[{"t_min": "desc"}])

    def _hits(self, condition: Body, columns: Sequence[str], most: int, **more: Any) -> list[Body]:
        answer = self._client.search(
            index=self._index,
            query={"bool": {"filter": [condition]}},
            source_includes=list(columns),
            size=most,
            track_total_hits=False,
            **more,
        )
        found: list[Body] = answer["hits"]["hits"]
        return found

    def count(self) -> int:
        """Ask for the count."""
        return int(self._client.count(index=self._index)["count"])

    def facets(self, names: Sequence[str], condition: Body | None, columns: Sequence[str], most: int) -> Body:
        """Ask for terms, the total, and the first rows."""
        answer = self._client.search(
            index=self._index,
            query={"match_all": {}} if condition is None else {"bool": {"filter": [condition]}},
            aggs={name: {"terms": {"field": name, "size": 1000}} for name in names},
            size=most,
            source_includes=list(columns) if most else None,
            track_total_hits=True,
        )
        return dict(answer.body)

    def settle(self) -> None:
        """Wait until the index is not put together any more; some minutes at most."""
        end = time.monotonic() + 600
        while time.monotonic() < end:
            merges = self._client.indices.stats(index=self._index, metric="merge")
            if not merges["_all"]["total"]["merges"]["current"]:
                return
            time.sleep(1)

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


class BareDuck:
    """Asks one DuckDB table, sorted by cell a million rows at a time, through its Python client.

    It has no footprints.
    """

    def __init__(self, rows: Path, file: Path) -> None:
        self._database = duckdb.connect(str(file), config={"memory_limit": "4GB"})
        parts = pq.ParquetFile(rows)
        self._columns = frozenset(parts.schema_arrow.names)
        for number, batch in enumerate(parts.iter_batches(1_000_000)):
            part = pa.Table.from_batches([batch])
            found = cells(part["s_ra"].to_numpy(), part["s_dec"].to_numpy())
            part = part.append_column("cell", pa.array(found, pa.int64()))
            self._database.register("part", part)
            into = "INSERT INTO obscore" if number else "CREATE TABLE obscore AS"
            self._database.execute(f"{into} SELECT * FROM part ORDER BY cell")
            self._database.unregister("part")

    def near(self, position: Position, radius: float) -> str:
        """Filter by ranges of the position's cell."""
        ranges = _ranges(position, radius)
        either = " OR ".join(f"cell >= {lo} AND cell < {hi}" for lo, hi in ranges)
        # What all ranges lie in is told too: by that whole groups of rows are left out.
        return f"cell >= {ranges[0][0]} AND cell < {ranges[-1][1]} AND ({either})"

    def touching(self, position: Position, radius: float) -> None:
        """Tell that there is no such condition."""

    def equals(self, column: str, value: str) -> str:
        """Filter by a text."""
        return f"{column} = '{value}'"

    def rows(self, condition: str, columns: Sequence[str]) -> pa.Table:
        """Return all rows, and of their columns those that were loaded."""
        return self._ask(f"SELECT {self._known(columns)} FROM obscore WHERE {condition}")

    def newest(self, condition: str, columns: Sequence[str], most: int) -> pa.Table:
        """Return the last rows."""
        last = f"ORDER BY t_min DESC NULLS LAST LIMIT {most}"
        return self._ask(f"SELECT {self._known(columns)} FROM obscore WHERE {condition} {last}")

    def count(self) -> pa.Table:
        """Ask for the count."""
        return self._ask("SELECT COUNT(*) FROM obscore")

    def facets(
        self, names: Sequence[str], condition: str | None, columns: Sequence[str], most: int
    ) -> tuple[pa.Table, ...]:
        """Group by each column, and return the first rows."""
        where = "" if condition is None else f" WHERE {condition}"
        found = [self._ask(f"SELECT {name}, COUNT(*) FROM obscore{where} GROUP BY ALL") for name in names]
        if most:
            found.append(self._ask(f"SELECT {self._known(columns)} FROM obscore{where} LIMIT {most}"))
        return tuple(found)

    def _known(self, columns: Sequence[str]) -> str:
        return ", ".join(name for name in columns if name in self._columns)

    def _ask(self, query: str) -> pa.Table:
        return self._database.sql(query).to_arrow_table()

    def close(self) -> None:
        """Close the table."""
        self._database.close()


def _ranges(position: Position, radius: float) -> list[list[int]]:
    found: list[list[int]] = search_ranges(Circle(*position, radius)).tolist()
    return found
