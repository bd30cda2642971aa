"""Nothing but the index can be reached from a query."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import pytest

import schemas
from query import build, tree
from schemas import Kind
from store.limits import TimeLimit
from store.port import QueryError, QueryRejected, QueryTimeout, QueryTooLarge
from store.sql.compiler import Compiled
from store.sql.running import RunningQuery
from vo.adql import translate


@pytest.fixture(scope="module")
def index(sky_world: Any) -> Any:
    return sky_world.index()


@pytest.mark.parametrize(
    "sql",
    [
        "COPY (SELECT 1) TO '/tmp/onedfs-should-not-be.csv'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "ATTACH '/tmp/onedfs-should-not-be.db' AS other",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET threads = 1",
        "SET enable_external_access = true",
        "SET GLOBAL memory_limit = '100GB'",
        "DELETE FROM g.t0",
        "DROP TABLE g.t0",
        "SELECT * FROM secret_of_the_process",
    ],
)
def test_even_raw_sql_on_a_cursor_is_shut_in(index: Any, sql: str) -> None:
    secret_of_the_process = {"a": [1]}
    assert secret_of_the_process
    cursor, release = index._current.cursor()
    try:
        with pytest.raises(duckdb.Error):
            cursor.execute(sql).fetchall()
    finally:
        cursor.close()
        release()


def test_a_query_cannot_change_the_rows_of_the_delta(world: Any) -> None:
    world.fold()
    world.put("sky.plain", [{"a": 1, "b": "x", "v": 0.5}])
    index = world.index()
    table = index._current.state.tables["sky.plain"].delta_name
    with index.snapshot() as snapshot:
        query = build.select(snapshot.schemas.table("sky.plain"), names=["a"])
        compiled = Compiled(f"DELETE FROM {table}", query.columns)
        with pytest.raises(QueryError):
            RunningQuery(*index._current.cursor(), compiled, {}, TimeLimit())
        assert snapshot.run(query).table().num_rows == 1


def test_names_of_users_never_reach_the_engine(index: Any) -> None:
    nasty = 'x"; DROP TABLE g.t0; --'
    with index.snapshot() as snapshot:
        table = snapshot.schemas.table("sky.plain")
        inner = tree.Select(
            (tree.Output(tree.Column(nasty, "a", Kind.INT), schemas.Column(name=nasty, kind=Kind.INT)),),
            tree.TableRef(nasty, table),
        )
        outer = tree.Select(
            (tree.Output(tree.Column("it's", nasty, Kind.INT), schemas.Column(name=nasty, kind=Kind.INT)),),
            tree.Derived("it's", inner),
        )
        query = tree.With(
            ((nasty, outer),),
            tree.Select(
                (tree.Output(tree.Column("c", nasty, Kind.INT), schemas.Column(name=nasty, kind=Kind.INT)),),
                tree.CteRef("c", nasty),
                order_by=(tree.Order(tree.Column("c", nasty, Kind.INT)),),
            ),
        )
        sql = snapshot.explain(query)["sql"]
        assert "DROP" not in sql
        assert "it's" not in sql
        found = snapshot.run(query).table()
    assert found.column_names == [nasty]
    assert found.num_rows == 50


ENDLESS = (
    "SELECT COUNT(*) AS n FROM sky.obs AS a, sky.obs AS b, sky.obs AS c, sky.stars AS d "
    "WHERE SIN(a.x * b.x * c.x) * d.radius > 1e9"
)


def test_a_query_that_runs_too_long_is_stopped_alone(index: Any) -> None:
    with index.snapshot() as snapshot:
        with pytest.raises(QueryTimeout):
            snapshot.run(translate(ENDLESS, snapshot.schemas), timeout=0.3).table()
        assert (
            snapshot.run(translate("SELECT a FROM sky.plain", snapshot.schemas), timeout=5).table().num_rows
            == 50
        )


def test_a_closed_answer_ends_and_another_runs_on(index: Any) -> None:
    with index.snapshot() as snapshot:
        wide = translate("SELECT a.id, b.id AS other FROM sky.obs AS a, sky.obs AS b", snapshot.schemas)
        answer = snapshot.run(wide)
        other = snapshot.run(wide, limit=30_000)
        first = next(answer.batches)
        assert first.num_rows > 0
        answer.close()
        assert list(answer.batches) == []
        assert other.table().num_rows == 30_000


def test_a_query_that_needs_too_much_memory_says_so(sky_world: Any) -> None:
    from store.duckdb import Limits  # noqa: PLC0415

    index = sky_world.index(limits=Limits(memory="60MB", spill="0KB"))
    text_ = (
        "SELECT a.id, b.did, c.star, COUNT(*) AS n FROM sky.obs AS a, sky.obs AS b, sky.stars AS c "
        "GROUP BY a.id, b.did, c.star"
    )
    with index.snapshot() as snapshot, pytest.raises(QueryTooLarge):
        snapshot.run(translate(text_, snapshot.schemas), timeout=60).table()


def test_a_private_or_unknown_table_is_refused_in_words(index: Any) -> None:
    stranger = schemas.Table(
        schema_name="no", local_name="where", key=("a",), columns=(schemas.Column(name="a", kind=Kind.INT),)
    )
    with index.snapshot() as snapshot, pytest.raises(QueryRejected, match=r"no\.where"):
        snapshot.run(build.select(stranger))


def test_errors_are_query_errors(index: Any) -> None:
    with index.snapshot() as snapshot:
        query = translate(
            "SELECT CAST(big AS BIGINT) + 9223372036854775807 AS y FROM sky.obs", snapshot.schemas
        )
        with pytest.raises(QueryError):
            snapshot.run(query).table()


Ask = Callable[..., list[dict[str, Any]]]


def test_answers_have_the_declared_types_and_order(index: Any) -> None:
    from schemas.arrow import arrow_schema  # noqa: PLC0415

    with index.snapshot() as snapshot:
        table = snapshot.schemas.table("sky.obs")
        answer = snapshot.run(build.select(table))
        found = answer.table()
        assert found.schema == arrow_schema(table.columns)
        empty = snapshot.run(build.select(table), limit=0)
        assert empty.table().schema == arrow_schema(table.columns)


def test_served_values_are_formed_and_found(ask: Ask) -> None:
    rows = {row["id"]: row["did"] for row in ask("SELECT id, did FROM sky.obs")}
    own = {key: did for key, did in rows.items() if did.startswith("ivo://elsewhere/")}
    formed = {key: did for key, did in rows.items() if did == f"ivo://onedfs.example/ID?{key}"}
    assert own
    assert formed
    assert len(own) + len(formed) == len(rows)
    for key, did in [*list(own.items())[:2], *list(formed.items())[:2]]:
        assert ask(f"SELECT id FROM sky.obs WHERE did = '{did}'") == [{"id": key}]
        assert ask(f"SELECT id FROM sky.obs WHERE did IN ('{did}', 'nothing')") == [{"id": key}]
        assert {"id": key} in ask(f"SELECT id FROM sky.obs WHERE did LIKE '{did[:-1]}%'")
    assert ask("SELECT id FROM sky.obs WHERE did = 'ivo://other.example/ID?ID.000001'") == []
    hidden = next(iter(own))
    assert ask(f"SELECT id FROM sky.obs WHERE did = 'ivo://onedfs.example/ID?{hidden}'") == []
    assert len(ask("SELECT id FROM sky.obs WHERE did LIKE 'ivo://%'")) == len(rows)
    assert len(ask("SELECT id FROM sky.obs WHERE did LIKE '%ID?ID%'")) == len(formed)
