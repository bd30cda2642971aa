"""An index that a column was added to in place answers with all its rows, those from before too."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from schemas import Column, Kind, Table
from store.elastic import ElasticIndex
from store.elastic.names import Names
from store.elastic.verify import Comparison
from store.port import Site
from vo.adql import translate

pytestmark = pytest.mark.slow

SITE = Site("here.example", "http://here.example")
QUERY = "SELECT a, b, v, grade FROM sky.plain WHERE b = 'x' OR grade = 'A' ORDER BY a"


def test_rows_from_before_and_after_a_column_was_added_are_read_and_ended(world: Any) -> None:
    follower = world.follower()
    world.write("append", "sky.plain", [{"a": n, "b": "x", "v": n / 7} for n in range(3)])
    follower.step()
    table = world.lake.declared.table("sky.plain")
    columns = (*table.columns, Column(name="grade", kind=Kind.TEXT))
    wide = Table.model_validate(table.model_dump() | {"columns": columns})
    world.lake.declared = world.lake.declared.with_tables([wide])
    world.write("append", "sky.plain", [{"a": 9, "b": "wide", "v": 1.0, "grade": "A"}])
    world.write("delete", "sky.plain", [{"a": 1, "b": "x", "v": 1 / 7}])
    while follower.step() is not None:
        pass
    entry = world.state.tables["sky.plain"]
    assert not Names.as_made(entry.index, entry.mapping)
    with closing(ElasticIndex(world.lake, world.cluster, SITE, poll=None)) as index, index.snapshot() as now:
        query = translate(QUERY, now.schemas)
        assert now.explain(query)["tables"][0]["rows from"] == "elasticsearch"
        rows = now.run(query).table().to_pylist()
    found = [tuple(row.values()) for row in rows]
    assert found == [(0, "x", 0.0, None), (2, "x", 2 / 7, None), (9, "wide", 1.0, "A")]
    compared = Comparison(world.client, world.lake, world.state)
    assert list(compared.differences(world.lake.schemas(world.state.version), thorough=True)) == []
