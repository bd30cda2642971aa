"""Answers from rows that Elasticsearch selects are those of the embedded index."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from elastic_transport import ConnectionError  # noqa: A004

from store.duckdb import DuckIndex, Follower
from store.elastic import ElasticFollower, ElasticIndex
from store.port import Index, IndexNotReady, Site
from tests.store.elastic.conftest import Rows, World, make_obs
from vo.adql import translate

pytestmark = pytest.mark.slow

SITE = Site("here.example", "http://here.example")

CONDITIONS = [
    "n = 3",
    "3 < n",
    "n <= 2.5",
    "n <> 4",
    "n BETWEEN -5 AND 10.5",
    "n IN (1, 2, 3)",
    "n IS NULL",
    "n IS NOT NULL",
    "big = 9223372036854775807",
    "big < -9223372036854775807",
    "big IN (9007199254740993, 1)",
    "tiny >= 32767",
    "x = 0.1",
    "x = 0",
    "x > 1e300",
    "x < 1e-300",
    "x IS NULL",
    "x IS NOT NULL",
    "x IN (0.1, 7)",
    "f = 1.1",
    "f < 1.1",
    "f >= -3.4e38",
    "f IN (1.1, 2)",
    "Name = 'MUSE'",
    "Name > 'MUSE'",
    "Name LIKE 'NGC%'",
    "Name LIKE '%253%'",
    "Name LIKE 'm_se'",
    "Name ILIKE 'muse'",
    "Name = 'o''neill \"%\" \\'",
    "Name IS NULL",
    "Name IN ('MUSE', 'muse')",
    "\"day\" > '2023-01-01'",
    '"day" IS NOT NULL',
    "id LIKE 'ID.00000%' OR n = 20",
    "n = 20 OR x + 1 > 5",
    "NOT (n = 3)",
    "NOT (n IS NULL) AND Name = 'muse'",
    "did = 'ivo://here.example/ID?ID.000003'",
    "did IN ('ivo://elsewhere/7', 'ivo://here.example/ID?ID.000008')",
    "did LIKE 'ivo://here%'",
    "did IS NULL",
    "1 = CONTAINS(POINT(ra, dec), CIRCLE(0, 90, 30))",
    "1 = CONTAINS(POINT(ra, dec), POLYGON(350, -40, 30, -40, 30, 50, 350, 50))",
    "0 = CONTAINS(POINT(ra, dec), CIRCLE(180, 0, 60))",
    "1 = INTERSECTS(footprint, CIRCLE(37, 5, 40))",
    "1 = CONTAINS(footprint, CIRCLE(37, 5, 40))",
    "1 = CONTAINS(POINT(37.7, 13.7), footprint)",
    "1 = INTERSECTS(footprint, POLYGON(350, -40, 30, -40, 30, 50, 350, 50)) AND tiny IS NOT NULL",
]


@pytest.fixture
def follower(world: World) -> ElasticFollower:
    return world.follower()


@pytest.fixture
def told(world: World, follower: ElasticFollower) -> Iterator[tuple[World, ElasticIndex]]:
    world.write("append", "sky.obs", finite(make_obs(300)))
    follower.step()
    index = ElasticIndex(world.lake, world.cluster, SITE, poll=None)
    yield world, index
    index.close()


def finite(rows: Rows) -> Rows:
    """Rows as ingestion writes them: without numbers that are none."""
    return [{**row, "x": row["x"] if math.isfinite(row["x"] or 0.0) else None} for row in rows]


def answered(index: Index, text: str) -> list[str]:
    with index.snapshot() as snapshot:
        rows = snapshot.run(translate(text, snapshot.schemas)).table()
    return sorted(repr(tuple(row.values())) for row in rows.to_pylist())


def test_rows_are_those_of_the_embedded_index(told: tuple[World, ElasticIndex], tmp_path: Path) -> None:
    world, index = told
    with closing(Follower(world.lake, tmp_path / "index")) as follower:
        follower.rebuild()
    wrong = []
    with closing(DuckIndex(world.lake, tmp_path / "index", SITE, poll=None)) as embedded:
        for condition in CONDITIONS:
            text = f'SELECT id, did, ra, Name, tiny, n, big, x, f, "day" FROM sky.obs WHERE {condition}'
            if answered(index, text) != answered(embedded, text):
                wrong.append(condition)
    assert wrong == []


def test_a_plan_says_what_elasticsearch_selects(told: tuple[World, ElasticIndex]) -> None:
    _, index = told
    with index.snapshot() as snapshot:
        text = "SELECT id FROM sky.obs WHERE 1 = INTERSECTS(footprint, CIRCLE(37, 5, 40)) AND n > 0"
        [selected] = snapshot.explain(translate(text, snapshot.schemas))["tables"]
        whole = snapshot.explain(translate("SELECT COUNT(*) AS n FROM sky.obs", snapshot.schemas))
    assert selected["rows from"] == "elasticsearch"
    assert selected["filters"] == 2
    assert 0 < selected["exact"][0] <= selected["candidates"] < 300
    assert whole["tables"][0]["answered"] == "by the number of rows that the index keeps"


def test_while_the_cluster_is_away_the_lake_answers(
    told: tuple[World, ElasticIndex], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, index = told
    text = "SELECT id FROM sky.obs WHERE 1 = INTERSECTS(footprint, CIRCLE(37, 5, 40))"
    expected = answered(index, text)
    assert expected

    def away(*_: Any, **__: Any) -> None:
        raise ConnectionError("nobody is there")

    monkeypatch.setattr(index._client.transport, "perform_request", away)
    world.write("append", "sky.obs", make_obs(10, first=300))
    index.refresh()
    assert answered(index, text) == expected
    status = index.status()
    assert (status.version, status.lake_version) == (1, 2)
    assert "does not answer" in (status.reason or "")


def test_a_version_is_shown_as_it_was_while_the_next_is_written(
    told: tuple[World, ElasticIndex], follower: ElasticFollower
) -> None:
    world, index = told
    text = "SELECT id FROM sky.obs WHERE id LIKE 'ID.%' AND n = 0"
    with index.snapshot() as pinned:
        before = pinned.run(translate(text, pinned.schemas)).table()
        world.write("replace", "sky.obs", make_obs(300, n=0))
        follower.step()
        again = pinned.run(translate(text, pinned.schemas)).table()
        assert again.sort_by("id").equals(before.sort_by("id"))
    index.refresh()
    assert len(answered(index, text)) == 300


def test_before_anything_is_indexed_there_is_no_snapshot(world: World) -> None:
    index = ElasticIndex(world.lake, world.cluster, SITE, poll=None)
    assert not index.status().ready
    with pytest.raises(IndexNotReady), index.snapshot():
        pass
    index.close()
