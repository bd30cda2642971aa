from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from elasticsearch import Elasticsearch

import schemas
from schemas import Kind
from schemas.elastic import field_name
from store.elastic import (
    Cluster,
    ElasticFollower,
    Names,
    Pace,
    Policy,
    State,
    StateDocument,
    live_at,
    open_client,
)
from store.lake import Lake
from tests.support.elasticsearch.cluster import Node, one_node
from tests.support.lake_rows import as_lake
from tests.support.tables import PLAIN, SHAPED

SCHEMA = f"""
schema: sky
tables:
  - name: obs
{SHAPED}\
      - {{name: did, kind: text, served: "ivo://{{authority}}/ID?{{id}}"}}
      - {{name: Name, kind: text}}
      - {{name: tiny, kind: short}}
      - {{name: n, kind: int}}
      - {{name: big, kind: long}}
      - {{name: x, kind: double}}
      - {{name: f, kind: float}}
      - {{name: flag, kind: boolean}}
      - {{name: day, kind: timestamp}}
      - {{name: flags, kind: int, array: "*"}}
      - {{name: place, kind: point}}
      - {{name: round, kind: circle}}
      - {{name: shape, kind: polygon}}
      - {{name: "odd.name", kind: int}}
{PLAIN}\
  - name: hidden
    key: [a]
    indexed: false
    columns:
      - {{name: a, kind: int, required: true}}
"""

Rows = list[dict[str, Any]]
Shown = dict[str, dict[str, dict[str, Any]]]


def make_obs(count: int, first: int = 0, **more: Any) -> Rows:
    """Rows with values of every kind, awkward ones among them."""
    rows: Rows = []
    for i in range(first, first + count):
        here = i % 5 != 3
        ra, dec = (i * 37.7) % 360, math.degrees(math.asin(((i * 0.618) % 2) - 1))
        rows.append(
            {
                "id": f"ID.{i:06d}",
                "did": f"ivo://elsewhere/{i}" if i % 7 == 0 else None,
                "ra": ra if here else None,
                "dec": dec if here else None,
                "footprint": f"CIRCLE ICRS {ra:.6f} {dec:.6f} {0.1 + i % 3}" if here else None,
                "Name": ["MUSE", "muse", 'o\'neill "%" \\', "NGC 253 é \U0001f52d", None][i % 5],
                "tiny": [-32768, 32767, None][i % 3],
                "n": i - 50 if i % 4 else None,
                "big": [2**63 - 1, -(2**63), 2**53 + 1, None][i % 4],
                "x": [0.1, -0.0, 1e-308, 1.7976931348623157e308, math.nan, math.inf, None][i % 7],
                "f": [1.1, -3.4e38, 1e-45, None][i % 4],
                "flag": [True, False, None][i % 3],
                "day": [0, -62135596800000000, 253402300799999999, 1_700_000_000_123_456, None][i % 5],
                "flags": [[], [i], [i, None, -i], None][i % 4],
                "place": [ra, dec] if i % 2 else None,
                "round": [ra, dec, 0.5] if i % 3 else None,
                "shape": [ra, dec, ra + 1, dec, ra, dec + 1] if i % 2 else None,
                "odd.name": i % 3 or None,
                **more,
            }
        )
    return rows


def as_document(table: schemas.Table, row: dict[str, Any]) -> dict[str, Any]:
    """What Elasticsearch should hold of a row, told value by value."""
    found = {
        field_name(column.name): json_value(column, row[column.name])
        for column in table.columns
        if row[column.name] is not None
    }
    key = "\x1f".join(str(row[name]) for name in table.key)
    found["@key"] = key if len(key) < 480 else f"#{hashlib.sha256(key.encode()).hexdigest()}"
    if (row.get("_healpix") or -1) >= 0:
        found["@cell"], found["@tile"] = row["_healpix"], row["_healpix"] // 4**18
        found["@place"] = point(*(row[name] for name in table.position))
    for name, of in (("@inner", row.get("_inner")), ("@cover", covered(row))):
        if of:
            bounds = iter(of)
            found[name] = [{"gte": lo, "lt": hi} for lo, hi in zip(bounds, bounds, strict=True)]
    if table.region and row[table.region]:
        shape, _, ra, dec, *_ = row[table.region].split()
        assert shape == "CIRCLE"
        found["@corner"] = point(float(ra), float(dec))
    return {name: value for name, value in found.items() if value is not None}


def point(ra: float, dec: float) -> list[float]:
    return [(ra + 180.0) % 360.0 - 180.0, dec]


def covered(row: dict[str, Any]) -> list[int]:
    """The cells inside and on the border of a footprint, neighbours as one range."""
    found: list[int] = []
    for part in sorted(list(pair) for name in ("_inner", "_border") for pair in pairs(row.get(name))):
        if found and found[-1] == part[0]:
            found[-1] = part[1]
        else:
            found += part
    return found


def pairs(bounds: list[int] | None) -> Iterator[tuple[int, int]]:
    one = iter(bounds or [])
    return zip(one, one, strict=True)


def json_value(column: schemas.Column, value: Any) -> Any:
    # Times are read as numbers: Python has none before the year 1.
    assert not isinstance(value, datetime)
    if column.kind in (Kind.FLOAT, Kind.DOUBLE) and not column.array and not math.isfinite(value):
        return None
    return value


NOT_COMPARED = frozenset({"@since", "@until", "@row"})


class World:
    """A lake, and a follower that keeps its index."""

    def __init__(
        self, folder: Path, declared: schemas.Schemas, cluster: Cluster, client: Elasticsearch
    ) -> None:
        self.lake = Lake(folder / "lake", declared)
        self.cluster = cluster
        self.client = client
        self.states = StateDocument(client, Names(cluster.prefix))
        self.refused: list[Any] = []
        self._open: list[ElasticFollower] = []

    def follower(self, **options: Any) -> ElasticFollower:
        """A follower whose lease another waits for only briefly."""
        policy = options.pop("policy", Policy(term=4.0, stride=1, pace=Pace(chunk_bytes=20_000)))
        follower = ElasticFollower(
            self.lake, self.cluster, client=self.client, policy=policy, refused=self.refused.extend, **options
        )
        self._open.append(follower)
        return follower

    def table(self, name: str) -> schemas.Table:
        return self.lake.schemas().table(name)

    def as_lake(self, name: str, rows: Rows) -> pa.Table:
        return as_lake(self.table(name), rows)

    def write(self, method: str, name: str, rows: Rows) -> int:
        with self.lake.writer(method) as writer:
            getattr(writer, method)(name, as_lake(self.table(name), rows))
            return writer.commit()

    @property
    def state(self) -> State:
        stored = self.states.read()
        assert stored is not None
        assert stored.state is not None
        return stored.state

    def shown(self, state: State | None = None, version: int | None = None) -> Shown:
        """All documents of a version, by table and key, without their versions."""
        state = state or self.state
        found: Shown = {}
        for name, entry in state.tables.items():
            answer = self.client.search(
                index=entry.index,
                query=live_at(state.version if version is None else version),
                size=10_000,
                track_total_hits=True,
            )
            hits = answer["hits"]["hits"]
            assert len(hits) == answer["hits"]["total"]["value"]
            rows = [{k: v for k, v in hit["_source"].items() if k not in NOT_COMPARED} for hit in hits]
            found[name] = {row["@key"]: row for row in rows}
            assert len(found[name]) == len(rows), f"two documents of {name} live at one version"
        return found

    def held(self, version: int | None = None) -> Shown:
        """What the lake holds at a version, as documents."""
        found: Shown = {}
        for table in self.lake.schemas(version):
            if table.indexed and not table.virtual:
                rows = self.lake.read(table.name, version)
                times = [c.name for c in table.columns if c.kind is Kind.TIMESTAMP]
                for name in times:
                    place = rows.schema.get_field_index(name)
                    rows = rows.set_column(place, name, rows[name].cast(pa.int64()))
                documents = [as_document(table, row) for row in rows.to_pylist()]
                found[table.name.lower()] = {document["@key"]: document for document in documents}
        return found

    def agrees(self) -> None:
        """The index shows the lake's newest version, and shows it entirely."""
        state = self.state
        assert state.version == self.lake.version()
        shown, held = self.shown(state), self.held(state.version)
        assert shown.keys() == held.keys()
        for name, rows in held.items():
            keys = rows.keys() | shown[name].keys()
            differ = {key for key in keys if rows.get(key) != shown[name].get(key)}
            assert not differ, [(shown[name].get(key), rows.get(key)) for key in sorted(differ)[:5]]
        counts = {name: len(rows) for name, rows in self.held(state.version).items()}
        assert {name: entry.rows for name, entry in state.tables.items()} == counts

    def close(self) -> None:
        for follower in self._open:
            follower.close()


@pytest.fixture(scope="session")
def declared() -> schemas.Schemas:
    ours = next(schema for schema in schemas.load_schemas().schemas if schema.name == "TAP_SCHEMA")
    return schemas.Schemas([schemas.parse_schema(SCHEMA), ours])


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One node of Elasticsearch, shared by the tests of a process."""
    with one_node(tmp_path_factory.mktemp("elasticsearch")) as running:
        yield running


@pytest.fixture(scope="session")
def client(node: Node) -> Iterator[Elasticsearch]:
    with open_client(Cluster((node.url,))) as opened:
        yield opened


@pytest.fixture(scope="session")
def new_cluster(node: Node) -> Callable[[], Cluster]:
    """Clusters on the one node that see nothing of each other."""
    numbers = itertools.count()
    return lambda: Cluster((node.url,), prefix=f"test{next(numbers)}")


@pytest.fixture
def world(
    tmp_path: Path, declared: schemas.Schemas, client: Elasticsearch, new_cluster: Callable[[], Cluster]
) -> Iterator[World]:
    made = World(tmp_path, declared, new_cluster(), client)
    yield made
    made.close()


@pytest.fixture
def obs() -> Callable[..., Rows]:
    return make_obs


@pytest.fixture
def rows_of(declared: schemas.Schemas) -> Callable[[str, Rows], pa.Table]:
    return lambda name, rows: as_lake(declared.table(name), rows)


@pytest.fixture
def document_of(declared: schemas.Schemas) -> Callable[[str, dict[str, Any]], dict[str, Any]]:
    return lambda name, row: as_document(declared.table(name), row)
