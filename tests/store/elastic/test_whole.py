"""What Elasticsearch counts, groups and sorts is what SQL says of the same rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from elasticsearch import Elasticsearch

import schemas
from schemas.elastic import MOST_TEXT
from store.duckdb import DuckIndex, Follower
from store.elastic import Cluster, ElasticIndex
from store.port import Index, Site
from tests.store.elastic.conftest import Rows, World, make_obs
from vo.adql import translate

pytestmark = pytest.mark.slow

SITE = Site("here.example", "http://here.example")

CONE = "1 = CONTAINS(POINT(ra, dec), CIRCLE(40, 10, 50))"
FIELD = "1 = INTERSECTS(footprint, POLYGON(350, -40, 60, -40, 60, 50, 350, 50))"

GROUPED = {
    "whole": [
        "SELECT COUNT(*) FROM sky.obs WHERE n > 3",
        "SELECT COUNT(*), COUNT(n), COUNT(Name), COUNT(x) FROM sky.obs",
        "SELECT COUNT(*) + 1, MIN(n), MAX(n), MAX(tiny), MIN(x), MAX(x), MIN(f), MAX(f) FROM sky.obs",
        "SELECT COUNT(*), MAX(n) FROM sky.obs WHERE n > 100000",
        "SELECT MIN(Name), MAX(Name) FROM sky.obs WHERE n BETWEEN -50 AND 1000",
        "SELECT Name, COUNT(*) AS c FROM sky.obs GROUP BY Name ORDER BY c DESC, Name",
        "SELECT COUNT(*) FROM sky.obs GROUP BY Name HAVING COUNT(*) > 59 AND MAX(n) > 0",
        "SELECT UPPER(Name) AS u, COUNT(*) FROM sky.obs WHERE flag = 'true' GROUP BY UPPER(Name)",
        "SELECT flag, tiny, COUNT(*), MIN(n) FROM sky.obs GROUP BY flag, tiny",
        "SELECT x, COUNT(*) FROM sky.obs GROUP BY x",
        "SELECT f, COUNT(*) FROM sky.obs WHERE Name IS NOT NULL GROUP BY f",
        "SELECT big, flag, COUNT(*) FROM sky.obs GROUP BY big, flag",
        'SELECT "day", COUNT(*) FROM sky.obs GROUP BY "day"',
        'SELECT "odd.name", COUNT("odd.name") FROM sky.obs GROUP BY "odd.name"',
        "SELECT DISTINCT Name, flag FROM sky.obs WHERE n <> 4",
        "SELECT COUNT(DISTINCT Name), COUNT(*) FROM sky.obs",
        "SELECT flag, COUNT(DISTINCT tiny) FROM sky.obs GROUP BY flag",
        "SELECT COUNT(*) FROM sky.obs WHERE Name IN ('MUSE', 'muse') AND NOT (n = 7)",
        "SELECT s.Name, s.c FROM (SELECT Name, COUNT(*) AS c FROM sky.obs GROUP BY Name) AS s WHERE s.c > 3",
        "SELECT COUNT(*) FROM sky.plain UNION ALL SELECT COUNT(*) FROM sky.obs",
        "SELECT a, COUNT(*), MIN(v) FROM sky.plain GROUP BY a",
    ],
    "certain": [
        f"SELECT COUNT(*) FROM sky.obs WHERE {CONE}",
        f"SELECT flag, COUNT(*), MIN(n), MAX(x), COUNT(f) FROM sky.obs WHERE {CONE} AND n > 0 GROUP BY flag",
        f"SELECT Name, COUNT(*) FROM sky.obs WHERE {FIELD} GROUP BY Name",
        f"SELECT COUNT(*) FROM sky.obs WHERE {FIELD} AND {CONE}",
        "SELECT flag, COUNT(*) FROM sky.obs WHERE 1 = CONTAINS(footprint, CIRCLE(180, 0, 100)) GROUP BY flag",
        "SELECT COUNT(*) FROM sky.obs WHERE 1 = CONTAINS(POINT(37.7, 13.7), footprint)",
        f"SELECT COUNT(*), MAX(Name) FROM sky.obs WHERE {CONE} AND Name > 'M' AND f < 1.1",
        "SELECT a, COUNT(*) FROM sky.plain WHERE b < '5' GROUP BY a",
        "SELECT COUNT(*) FROM sky.plain WHERE b LIKE '%1'",
    ],
}

OTHERWISE = [
    "SELECT Name, SUM(n), AVG(x) FROM sky.obs WHERE n > 0 GROUP BY Name",
    "SELECT MIN(big), MAX(big) FROM sky.obs",
    'SELECT MIN("day"), MAX("day") FROM sky.obs',
    "SELECT did, COUNT(*) FROM sky.obs WHERE n < 5 GROUP BY did",
    "SELECT COUNT(*) FROM sky.obs WHERE x + 1 > 1",
    "SELECT COUNT(*) FROM sky.obs WHERE n + 1 > 5 AND n < 20",
    "SELECT COUNT(footprint), COUNT(*) FROM sky.obs WHERE n IS NULL",
    "SELECT COUNT(*) FROM sky.obs AS a JOIN sky.plain AS b ON a.n = b.a",
    "SELECT id FROM sky.obs WHERE n = (SELECT MAX(n) FROM sky.obs)",
    "SELECT COUNT(*) FROM sky.obs WHERE n IN (SELECT a FROM sky.plain)",
    "SELECT a, (SELECT COUNT(*) FROM sky.obs WHERE n = b.a) FROM sky.plain AS b",
    "SELECT 1 AS one FROM sky.obs WHERE n > 100000 GROUP BY tiny",
    "SELECT COUNT(*) FROM sky.obs WHERE DISTANCE(POINT(ra, dec), POINT(0, -90)) <= 0",
    "SELECT COUNT(*) FROM sky.obs WHERE DISTANCE(POINT(ra, dec), POINT(0, -90)) < 0",
    "SELECT id FROM sky.obs WHERE DISTANCE(POINT(ra, dec), POINT(0, -90)) < 0",
    f"SELECT id, did, ra FROM sky.obs WHERE {CONE} AND n > 0",
    f"SELECT id, did, Name FROM sky.obs WHERE {FIELD} AND did <> 'x' ORDER BY did",
    "SELECT id, did FROM sky.obs WHERE did IN ('ivo://elsewhere/7', 'ivo://here.example/ID?ID.000008')",
]

FIRST = [
    "SELECT TOP 7 id, n FROM sky.obs ORDER BY n, id",
    "SELECT TOP 7 id, n FROM sky.obs ORDER BY n DESC, id DESC",
    "SELECT TOP 250 id, x FROM sky.obs ORDER BY x, id",
    "SELECT TOP 40 id, x FROM sky.obs ORDER BY x DESC, id",
    "SELECT TOP 9 id, big FROM sky.obs ORDER BY big DESC, id",
    "SELECT TOP 130 id, big FROM sky.obs ORDER BY big, id",
    "SELECT TOP 20 id, Name FROM sky.obs ORDER BY Name DESC, id OFFSET 30",
    'SELECT TOP 70 id, "day" FROM sky.obs WHERE n > 3 ORDER BY "day", id',
    "SELECT TOP 5 id, footprint, flags, place FROM sky.obs WHERE flag = 'true' ORDER BY f DESC, tiny, id",
    f"SELECT TOP 10 id FROM sky.obs WHERE {CONE} ORDER BY n DESC, id",
    f"SELECT TOP 10 id FROM sky.obs WHERE {FIELD} AND n > 0 ORDER BY n, id",
    "SELECT TOP 10 id FROM sky.obs WHERE f < 1.1 ORDER BY n, id",
]


def finite(rows: Rows) -> Rows:
    """Rows as ingestion writes them: without numbers that are none."""
    return [{**row, "x": row["x"] if math.isfinite(row["x"] or 0.0) else None} for row in rows]


def answered(index: Index, text: str) -> list[tuple[Any, ...]]:
    with index.snapshot() as snapshot:
        rows = snapshot.run(translate(text, snapshot.schemas)).table()
    found = [tuple(row.values()) for row in rows.to_pylist()]
    return found if "ORDER BY" in text else sorted(found, key=repr)


@pytest.fixture(scope="module")
def both(
    tmp_path_factory: pytest.TempPathFactory,
    declared: schemas.Schemas,
    client: Elasticsearch,
    new_cluster: Callable[[], Cluster],
) -> Iterator[tuple[World, ElasticIndex, DuckIndex]]:
    """The same rows, with a past, in several shards and in the embedded index."""
    folder = tmp_path_factory.mktemp("whole")
    world = World(folder, declared, replace(new_cluster(), rows_per_shard=100), client)
    rows = finite(make_obs(300))
    world.write("append", "sky.obs", [{**row, "n": 7, "Name": "wrong"} for row in rows[:150]] + rows[150:])
    world.write("append", "sky.plain", [{"a": i % 7, "b": str(i), "v": i / 3} for i in range(40)])
    # Texts too long to be indexed, each at the end of what conditions ask about.
    texts = [digit * (MOST_TEXT + 1) for digit in "19"]
    world.write("append", "sky.plain", [{"a": i, "b": text, "v": 0.5} for i, text in enumerate(texts)])
    follower = world.follower()
    follower.step()
    world.write("replace", "sky.obs", rows[:150])
    world.write("append", "sky.obs", make_obs(20, first=500, x=None))
    world.write("delete", "sky.obs", make_obs(20, first=500, x=None))
    follower.step()
    follower.step()
    follower.step()
    with (
        closing(Follower(world.lake, folder / "index")) as maker,
        closing(ElasticIndex(world.lake, world.cluster, SITE, poll=None)) as index,
    ):
        maker.rebuild()
        with closing(DuckIndex(world.lake, folder / "index", SITE, poll=None)) as embedded:
            yield world, index, embedded
    world.close()


def plan(index: ElasticIndex, text: str) -> dict[str, Any]:
    with index.snapshot() as snapshot:
        found: dict[str, Any] = snapshot.explain(translate(text, snapshot.schemas))["tables"][0]
    return found


@pytest.mark.parametrize("how", GROUPED)
def test_groups_are_those_of_sql(both: tuple[World, ElasticIndex, DuckIndex], how: str) -> None:
    _, index, embedded = both
    wrong = [text for text in GROUPED[how] if answered(index, text) != answered(embedded, text)]
    assert wrong == []
    plans = [plan(index, text) for text in GROUPED[how]]
    assert [text for text, each in zip(GROUPED[how], plans, strict=True) if "groups" not in each] == []
    assert all(("certain" in each) == (how == "certain") for each in plans)


def test_the_first_rows_are_those_of_sql(both: tuple[World, ElasticIndex, DuckIndex]) -> None:
    _, index, embedded = both
    wrong = [text for text in FIRST if answered(index, text) != answered(embedded, text)]
    assert wrong == []
    assert plan(index, FIRST[0])["rows from"] == "elasticsearch"


def test_what_is_not_answered_whole_is_right_too(both: tuple[World, ElasticIndex, DuckIndex]) -> None:
    _, index, embedded = both
    wrong = [text for text in OTHERWISE if answered(index, text) != answered(embedded, text)]
    assert wrong == []
    assert [text for text in OTHERWISE[:9] if "groups" in plan(index, text)] == []
