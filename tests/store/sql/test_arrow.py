"""Queries on Arrow data are answered as the embedded index answers them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

import schemas
from query import tree
from store.lake import Lake
from store.limits import TimeLimit
from store.planner import narrowings
from store.port import NO_UPLOADS, Answer, Index, QueryError, QueryRejected, QueryTimeout
from store.sql.arrow import ArrowRows, ArrowSource, compile_on_arrow, run_on_arrow
from tests.conformance.expressions import Chooser
from tests.conformance.judge import expected, judged
from tests.conformance.queries import Queries
from tests.conformance.world import Row, build_states, make_rows
from tests.store.duckdb.conftest import SCHEMA, World, make_obs, make_stars
from tests.support.engines import ENGINES, SITE
from tests.support.tables import HELD
from vo.adql import translate

Form = Callable[[Lake, str], ArrowRows]

FORMS: Mapping[str, Form] = {
    "tables": lambda lake, name: lake.read(name),
    "readers": lambda lake, name: lake.batches(name),
    "files": lambda lake, name: lake.dataset(name),
}
"""The rows of a table, whole in memory, streamed, and in the lake's files."""


@dataclass
class ArrowSnapshot:
    """The part of a snapshot that is asked here."""

    instance: duckdb.DuckDBPyConnection
    lake: Lake
    form: Form

    @property
    def schemas(self) -> schemas.Schemas:
        return self.lake.schemas()

    @property
    def version(self) -> int:
        return self.lake.version()

    def run(
        self,
        query: tree.Query,
        *,
        limit: int | None = None,
        timeout: float | None = None,
        uploads: Mapping[str, pa.Table] = NO_UPLOADS,
    ) -> Answer:
        names = {node.table.name for node in tree.walk(query) if isinstance(node, tree.TableRef)}
        rows = {name.lower(): self.form(self.lake, name) for name in names if not name.startswith("TAP_")}
        source = ArrowSource(self.lake.schemas(), SITE, {**rows, **uploads})
        allowed = TimeLimit(timeout)
        return run_on_arrow(self.instance, query, source, version=self.version, limit=limit, allowed=allowed)


@dataclass
class ArrowIndex:
    """Answers as an index does."""

    found: ArrowSnapshot

    @contextmanager
    def snapshot(self) -> Iterator[ArrowSnapshot]:
        yield self.found


@pytest.fixture(scope="module")
def rows() -> dict[str, list[Row]]:
    return make_rows()


@pytest.fixture(scope="module")
def indexes(
    instance: duckdb.DuckDBPyConnection,
    rows: dict[str, list[Row]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Mapping[str, Any]]:
    states = build_states(ENGINES[0], tmp_path_factory.mktemp("states"), rows)
    lake = states["mixed"].lake
    found = {name: ArrowIndex(ArrowSnapshot(instance, lake, form)) for name, form in FORMS.items()}
    yield {"duckdb": states["mixed"].index, **found}
    for state in states.values():
        state.engine.close()


def check(seed: int, rows: Mapping[str, Sequence[Row]], indexes: Mapping[str, Index]) -> None:
    query = Queries(Chooser(random.Random(seed).randrange), rows).query()
    wrong = judged(query, expected(query), indexes)
    assert wrong is None, f"{wrong}\n{query.text}"


@pytest.mark.parametrize("seed", range(60))
def test_answers_are_those_computed_by_hand(
    seed: int, rows: Mapping[str, Sequence[Row]], indexes: Mapping[str, Index]
) -> None:
    check(seed, rows, indexes)


@pytest.mark.slow
@pytest.mark.parametrize("hundred", [1])
def test_many_answers_are_those_computed_by_hand(
    hundred: int, rows: Mapping[str, Sequence[Row]], indexes: Mapping[str, Index]
) -> None:
    for seed in range(100 * hundred, 100 * hundred + 100):
        check(seed, rows, indexes)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    tap = next(schema for schema in schemas.load_schemas().schemas if schema.name == "TAP_SCHEMA")
    declared = schemas.Schemas([schemas.parse_schema(SCHEMA), schemas.parse_schema(HELD), tap])
    made = World(tmp_path_factory.mktemp("world"), declared)
    made.put("sky.obs", make_obs(400))
    made.put("sky.stars", make_stars(150))
    made.put("sky.plain", [{"a": i, "b": "b" * (i % 3), "v": i / 7} for i in range(50)])
    now = datetime.now(UTC).replace(tzinfo=None)
    times = {"old": now - timedelta(days=1), "kept": now + timedelta(days=1), "open": None}
    made.put("held.data", [{"id": key, "since": time} for key, time in times.items()])
    made.fold()
    yield made
    made.close()


@pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM sky.obs",
        "SELECT COUNT(*) AS n FROM sky.obs",
        "SELECT id, did FROM sky.obs WHERE did = 'ivo://onedfs.example/ID?ID.000001'",
        "SELECT id, did FROM sky.obs WHERE did IN ('ivo://elsewhere/7', 'ivo://onedfs.example/ID?ID.000002')",
        "SELECT id FROM sky.obs WHERE did LIKE 'ivo://onedfs.example/ID?ID.00001%'",
        "SELECT id FROM held.data WHERE rights = 'proprietary'",
        "SELECT rights, COUNT(*) AS n FROM held.data GROUP BY rights",
        "SELECT table_name, description FROM TAP_SCHEMA.tables",
        (
            "SELECT c.column_name FROM TAP_SCHEMA.columns AS c JOIN TAP_SCHEMA.tables AS t "
            "ON c.table_name = t.table_name WHERE t.table_name = 'sky.obs'"
        ),
        "SELECT id FROM sky.obs WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE(0, 0, 20))",
        "SELECT id FROM sky.obs WHERE 1 = CONTAINS(POINT(ra, dec), POLYGON(350, -9, 9, -9, 9, 9, 350, 9))",
        "SELECT id FROM sky.obs WHERE 1 = INTERSECTS(footprint, CIRCLE(0, 88, 3))",
        (
            "SELECT o.id, s.star FROM sky.obs AS o JOIN sky.stars AS s "
            "ON 1 = CONTAINS(POINT(o.ra, o.dec), CIRCLE(s.ra, s.dec, 0.5))"
        ),
        (
            "SELECT o.id, s.star FROM sky.obs AS o LEFT JOIN sky.stars AS s "
            "ON DISTANCE(POINT(o.ra, o.dec), POINT(s.ra, s.dec)) < 0.02"
        ),
        (
            "SELECT o.id, s.star FROM sky.obs AS o, sky.stars AS s "
            "WHERE 1 = CONTAINS(POINT(o.ra, o.dec), CIRCLE(s.ra, s.dec, s.radius))"
        ),
        (
            "WITH few AS (SELECT a, b FROM sky.plain WHERE a < 9) "
            "SELECT x.a, y.b FROM few AS x JOIN few AS y ON x.a = y.a"
        ),
        "SELECT x.a, y.a AS other FROM sky.plain AS x, sky.plain AS y WHERE x.a + y.a = 9",
        (
            "SELECT (SELECT MAX(a) FROM sky.plain) AS most, COUNT(*) AS n FROM sky.plain AS p "
            "GROUP BY (SELECT MAX(a) FROM sky.plain)"
        ),
    ],
)
def test_answers_are_those_of_the_embedded_index(
    instance: duckdb.DuckDBPyConnection, world: World, form: Form, text: str
) -> None:
    with world.index().snapshot() as snapshot:
        query = translate(text, snapshot.schemas)
        expected = snapshot.run(query).table()
    found = ArrowSnapshot(instance, world.lake, form).run(query).table()
    assert found.schema == expected.schema
    assert sorted(map(str, found.to_pylist())) == sorted(map(str, expected.to_pylist()))
    assert found.num_rows > 0


def test_each_alias_may_have_rows_of_its_own_and_one_that_has_none_those_of_the_table(
    instance: duckdb.DuckDBPyConnection, world: World
) -> None:
    whole = world.lake.read("sky.plain")
    text = "SELECT COUNT(*) AS n FROM sky.plain AS x, sky.plain AS y"
    query = translate(text, world.lake.schemas())
    (first, _) = (node.alias for node in tree.walk(query) if isinstance(node, tree.TableRef))
    source = ArrowSource(world.lake.schemas(), SITE, {"sky.plain": whole}, {first: whole.slice(0, 3)})
    assert run_on_arrow(instance, query, source, version=1).table().to_pylist() == [{"n": 150}]


def test_columns_that_the_rows_lack_are_null_and_others_are_read_in_any_order_and_kind(
    instance: duckdb.DuckDBPyConnection, world: World
) -> None:
    rows = pa.table(
        {
            "DEC": pa.array([20.0, 10.0], pa.float32()),
            "ID": pa.array(["x", "y"]).dictionary_encode(),
            "more": [1, 2],
            "ra": [10.0, 350.0],
        }
    )
    source = ArrowSource(world.lake.schemas(), SITE, {"sky.obs": rows})
    text = (
        "SELECT id, did, name, ra, dec FROM sky.obs WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE(10, 20, 0.5))"
    )
    found = run_on_arrow(instance, translate(text, world.lake.schemas()), source, version=1).table()
    did = "ivo://onedfs.example/ID?x"
    assert found.to_pylist() == [{"id": "x", "did": did, "name": None, "ra": 10.0, "dec": 20.0}]


def test_conditions_known_to_hold_are_not_asked_again(
    instance: duckdb.DuckDBPyConnection, world: World
) -> None:
    text = "SELECT id FROM sky.obs WHERE 1 = INTERSECTS(footprint, CIRCLE(0, 88, 3))"
    query = translate(text, world.lake.schemas())
    (narrowing,) = narrowings(tree.walk(query))
    source = ArrowSource(world.lake.schemas(), SITE, {"sky.obs": world.lake.read("sky.obs")})
    known = frozenset({id(narrowing.condition)})
    assert run_on_arrow(instance, query, source, version=1, known=known).table().num_rows == 400


def test_no_name_of_a_column_stands_in_the_sql(world: World) -> None:
    rows = pa.table({'id"; DROP': ["x"], "id": ["y"]})
    source = ArrowSource(world.lake.schemas(), SITE, {"sky.obs": rows})
    compiled, registered = compile_on_arrow(translate("SELECT id FROM sky.obs", world.lake.schemas()), source)
    assert "id" not in compiled.sql.lower()
    assert list(registered.values()) == [rows]


def test_a_table_without_rows_to_read_is_refused(instance: duckdb.DuckDBPyConnection, world: World) -> None:
    query = translate("SELECT id FROM sky.obs", world.lake.schemas())
    with pytest.raises(QueryRejected, match=r"sky\.obs"):
        run_on_arrow(instance, query, ArrowSource(world.lake.schemas(), SITE, {}), version=1)


def test_an_answer_is_cut_and_the_time_is_kept(instance: duckdb.DuckDBPyConnection, world: World) -> None:
    snapshot = ArrowSnapshot(instance, world.lake, FORMS["files"])
    query = translate("SELECT id FROM sky.obs", snapshot.schemas)
    assert snapshot.run(query, limit=7).table().num_rows == 7
    assert snapshot.run(query).version == world.lake.version()
    endless = translate(
        "SELECT COUNT(*) AS n FROM sky.obs AS a, sky.obs AS b, sky.obs AS c, sky.stars AS d "
        "WHERE SIN(a.x * b.x * c.x) * d.radius > 1e9",
        snapshot.schemas,
    )
    with pytest.raises(QueryTimeout):
        snapshot.run(endless, timeout=0.3).table()
    with pytest.raises(QueryTimeout):
        snapshot.run(query, timeout=0)
    assert snapshot.run(query).table().num_rows == 400


def test_rows_that_cannot_be_read_end_the_query_alone(
    instance: duckdb.DuckDBPyConnection, world: World
) -> None:
    schema = pa.schema([("id", pa.string())])

    def torn() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch([pa.array(["x"])], schema=schema)
        raise OSError("the disk is gone")

    query = translate("SELECT id FROM sky.obs", world.lake.schemas())
    torn_rows = pa.RecordBatchReader.from_batches(schema, torn())
    source = ArrowSource(world.lake.schemas(), SITE, {"sky.obs": torn_rows})
    with pytest.raises(QueryError):
        run_on_arrow(instance, query, source, version=1).table()
    assert ArrowSnapshot(instance, world.lake, FORMS["tables"]).run(query).table().num_rows == 400


def test_files_are_out_of_reach_of_a_locked_instance(
    instance: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    (tmp_path / "x.csv").write_text("a\n1\n")
    with instance.cursor() as cursor:
        with pytest.raises(duckdb.Error):
            cursor.execute(f"SELECT * FROM read_csv('{tmp_path}/x.csv')")
        with pytest.raises(duckdb.Error):
            cursor.execute("SET GLOBAL enable_external_access = true")
