"""A search in one request tells what the queries of the embedded engine tell."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from elastic_transport import ConnectionError  # noqa: A004

import schemas
from query import tree
from store.duckdb import DuckIndex, Follower
from store.elastic import ElasticFollower, ElasticIndex
from store.elastic.gather import Inexact
from store.elastic.together import _pairs
from store.port import Found, Index, Site, Sought
from tests.store.elastic.conftest import World, make_obs
from vo.adql import translate

pytestmark = pytest.mark.slow

SITE = Site("here.example", "http://here.example")
# Numbers that are not finite, as some rows here have in x, are no numbers of documents.
FACETS = ("Name", "n", "flag", "day", "f", "tiny")
CONDITIONS = (
    "1 = 1",
    "n > 0",
    "Name LIKE '%G%'",
    "Name IS NULL",
    "1 = CONTAINS(POINT(ra, dec), CIRCLE(37, 5, 40))",
    "1 = CONTAINS(POINT(ra, dec), CIRCLE(200, -80, 59)) AND LOWER(Name) <> 'muse'",
    "1 = CONTAINS(POINT(ra, dec), POLYGON(0, -40, 80, -40, 80, 40, 0, 40))",
    "1 = INTERSECTS(footprint, CIRCLE(37, 5, 40))",
    "1 = CONTAINS(footprint, CIRCLE(37, 5, 40)) AND n * 2 > 1",
    "1 = INTERSECTS(footprint, POLYGON(0, -40, 80, -40, 80, 40, 0, 40)) AND n IS NOT NULL",
    "n = 123456",
)


def sought(index: Index, condition: str, top: int, most: int = 1000) -> Sought:
    with index.snapshot() as snapshot:
        order = "ORDER BY n DESC, id" if top else ""
        text = f"SELECT id, Name, n, ra FROM sky.obs WHERE {condition} {order}"
        page = translate(text, snapshot.schemas)
        assert isinstance(page, tree.Select)
        table = snapshot.schemas.table("sky.obs")
    page = tree.Select(page.outputs, page.source, page.where, order_by=page.order_by, top=top)
    return Sought(page, counted=True, facets=tuple(table.column(n) for n in FACETS), most_values=most)


def told(index: Index, condition: str, top: int, most: int = 1000) -> Any:
    wanted = sought(index, condition, top, most)
    with index.snapshot() as snapshot:
        return _plain(snapshot.search(wanted, timeout=60), most)


def _plain(found: Found, most: int) -> Any:
    facets = [
        "too many" if len(pairs) > most else sorted(pairs, key=lambda pair: (pair[0] is None, str(pair[0])))
        for pairs in found.facets
    ]
    return found.rows.to_pylist(), found.total, facets


def test_rows_totals_and_facets_are_those_of_queries(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("append", "sky.obs", make_obs(300))
    world.write("replace", "sky.obs", make_obs(40, n=5))
    with closing(ElasticFollower(world.lake, world.cluster)) as follower:
        follower.step()
    with closing(Follower(world.lake, tmp_path / "index")) as other:
        other.rebuild()
    with (
        closing(ElasticIndex(world.lake, world.cluster, SITE, poll=None)) as index,
        closing(DuckIndex(world.lake, tmp_path / "index", SITE, poll=None)) as embedded,
    ):
        asked = [(each, top) for each in CONDITIONS for top in (0, 7)]
        expected = [told(embedded, *each) for each in asked]
        found = [told(index, *each) for each in asked]
        assert [one for one, new, old in zip(asked, found, expected, strict=True) if new != old] == []
        assert told(index, "1 = 1", 7, most=3) == told(embedded, "1 = 1", 7, most=3)

        asked_for = []
        perform = index._client.transport.perform_request

        def counted(method: str, target: str, **more: Any) -> Any:
            asked_for.append(target)
            return perform(method, target, **more)

        monkeypatch.setattr(index._client.transport, "perform_request", counted)
        told(index, "n > 0", 7)
        assert len([target for target in asked_for if "/_search" in target]) == 1
        told(index, CONDITIONS[7], 7)
        assert len([target for target in asked_for if "/_search" in target]) <= 3

        def away(*_: Any, **__: Any) -> None:
            raise ConnectionError("nobody is there")

        monkeypatch.setattr(index._client.transport, "perform_request", away)
        assert told(index, CONDITIONS[7], 7) == expected[asked.index((CONDITIONS[7], 7))]


def test_values_are_told_only_when_all_of_them_were_counted(declared: schemas.Schemas) -> None:
    column = declared.table("sky.obs").column("n")
    buckets = {"buckets": [{"key": 3, "doc_count": 2}, {"key": 1, "doc_count": 5}]}
    whole = {"sum_other_doc_count": 0, "doc_count_error_upper_bound": 0}
    told = {"values 0": buckets | whole, "missing 0": {"doc_count": 4}}
    assert sorted(_pairs(column, 0, told), key=str) == [(1, 5), (3, 2), (None, 4)]
    for lacking in whole:
        with pytest.raises(Inexact):
            _pairs(column, 0, told | {"values 0": buckets | whole | {lacking: 1}})
