"""What queries read of the lake: all that matters to them, and little more."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import schemas
from query import tree
from sky import relations
from sky.footprints import Footprints
from sky.regions import Region
from store.elastic.lake_rows import LakeRows
from store.lake import compact, groups, merge, tables
from store.lake.groups import groups_of
from store.limits import TimeLimit
from store.planner import Narrowing, Relation, narrowings
from store.spherical.refine import KERNELS
from store.sql.arrow import ArrowSource, run_on_arrow
from store.sql.instance import Limits, open_instance
from tests.sky.test_coverage import regions
from tests.store.duckdb.conftest import SCHEMA, World, make_obs, make_stars
from tests.support.engines import SITE
from vo.adql import translate

ANYWHERE = tree.Comparison("=", tree.Literal(1, schemas.Kind.INT), tree.Literal(1, schemas.Kind.INT))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Groups of 20 rows: those of versions 1 to 3 as they were loaded, of version 4 merged, more after it."""
    declared = schemas.Schemas([schemas.parse_schema(SCHEMA)])
    made = World(tmp_path_factory.mktemp("world"), declared)
    with pytest.MonkeyPatch.context() as patch:
        for module in (groups, merge, tables):
            patch.setattr(module, "GROUP_ROWS", 20)
        patch.setattr(merge, "MERGED_ROWS", 300)
        made.put("sky.obs", make_obs(600))
        made.put("sky.obs", make_obs(200, first=600))
        made.put("sky.stars", make_stars(100))
        assert compact(made.lake) == 4
        made.put("sky.obs", [row | {"name": "again"} for row in make_obs(800, seed=9)[50:700:11]])
        made.put("sky.obs", make_obs(30, first=800))
        made.delete("sky.obs", [(f"ID.{i:06d}",) for i in range(3, 750, 19)])
    yield made
    made.close()


@pytest.fixture(scope="module")
def instance() -> Iterator[duckdb.DuckDBPyConnection]:
    opened = open_instance(Limits())
    yield opened
    opened.close()


def rows_at(world: World, version: int | None = None) -> LakeRows:
    return LakeRows(world.lake, world.lake.schemas(), version or world.lake.version())


def related(relation: Relation, region: Region, rows: pa.Table) -> set[str]:
    """Tell which rows stand in a relation to a region, by looking at each."""
    if relation is Relation.POSITION:
        ra, dec = (np.asarray(rows[name].to_numpy(), np.float64) for name in ("ra", "dec"))
        holds = relations.contains_points(region, ra, dec)
    else:
        holds = KERNELS[relation](region, Footprints.from_text(rows["footprint"].combine_chunks()))
    return set(rows["id"].filter(pa.array(holds)).to_pylist())


@settings(max_examples=60)
@given(region=regions, relation=st.sampled_from(Relation), version=st.sampled_from([3, 4, 7]))
def test_rows_related_to_any_region_are_among_those_read(
    world: World, region: Region, relation: Relation, version: int
) -> None:
    rows = rows_at(world, version)
    table = world.lake.schemas().table("sky.obs")
    narrowing = Narrowing("o", table, relation, region, ANYWHERE)
    read = rows.narrowed([narrowing], TimeLimit())["o"].to_table()
    assert related(relation, region, read) == related(relation, region, rows["sky.obs"].to_table())


OF_A = "1 = CONTAINS(POINT(a.ra, a.dec), CIRCLE(0, 30, 5))"
IN_CIRCLE = "1 = CONTAINS(POINT(ra, dec), CIRCLE(0, 30, 5))"


@pytest.mark.parametrize(
    ("text", "most"),
    [
        (f"SELECT id FROM sky.obs WHERE {IN_CIRCLE}", 6),
        ("SELECT id FROM sky.obs WHERE DISTANCE(POINT(ra, dec), POINT(0, 30)) < 5 AND n > 0", 6),
        (f"SELECT COUNT(*) AS n FROM sky.obs WHERE {IN_CIRCLE}", 6),
        ("SELECT id FROM sky.obs WHERE 1 = INTERSECTS(footprint, CIRCLE(0, 30, 1))", 6),
        (f"SELECT id FROM sky.obs WHERE 1 = INTERSECTS(footprint, CIRCLE(0, 30, 9)) AND {IN_CIRCLE}", 6),
        (f"SELECT a.id, b.id AS other FROM sky.obs AS a JOIN sky.obs AS b ON a.n = b.n WHERE {OF_A}", 6),
    ],
)
def test_a_query_answers_the_same_and_reads_less(
    world: World, instance: duckdb.DuckDBPyConnection, text: str, most: int
) -> None:
    rows, declared = rows_at(world), world.lake.schemas()
    query = translate(text, declared)
    chosen = rows.narrowed(narrowings(tree.walk(query)), TimeLimit())
    found, expected = (
        run_on_arrow(instance, query, ArrowSource(declared, SITE, rows, some), version=7).table()
        for some in (chosen, {})
    )
    assert sorted(map(str, found.to_pylist())) == sorted(map(str, expected.to_pylist()))
    assert found.num_rows > 0
    (read,) = chosen.values()
    assert 0 < groups_of(read) <= most < groups_of(rows["sky.obs"])
