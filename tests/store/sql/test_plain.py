"""Rows in memory that are an answer as they stand are what the engine would answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pytest

import schemas
from query import tree
from store.planner import conjuncts
from store.sql.arrow import ArrowSource, run_on_arrow
from store.sql.instance import Limits, open_instance
from store.sql.plain import plain_rows, table_of
from tests.support.engines import SITE
from vo.adql import translate

NOW = datetime.now(UTC).replace(tzinfo=None)
EARLIER, LATER = NOW - timedelta(days=1), NOW + timedelta(days=1)

SCHEMA = """
schema: sky
tables:
  - name: obs
    key: [id]
    columns:
      - {name: id, kind: text, required: true}
      - {name: did, kind: text, served: "ivo://{authority}/ID?{id}"}
      - {name: publisher, kind: text, served: "ivo://{authority}"}
      - {name: rights, kind: text, rights_of: released}
      - {name: released, kind: timestamp}
      - {name: n, kind: int}
      - {name: x, kind: double}
      - {name: lacking, kind: text}
"""

ROWS = {
    "id": ["a", "B", "é", "", "b", "~"],
    "did": [None, "own", "", None, "ivo://x", None],
    "publisher": [None, "", "else", None, None, None],
    "rights": [None, "secure", "proprietary", "proprietary", "secure", ""],
    "released": [LATER, EARLIER, None, EARLIER, LATER, None],
    "n": [3, None, 1, 1, None, 2],
    "x": [0.5, -0.0, None, 0.0, -1e300, 7.0],
}

TYPES = {
    "id": pa.string(),
    "did": pa.string(),
    "publisher": pa.string(),
    "rights": pa.string(),
    "released": pa.timestamp("us"),
    "n": pa.int32(),
    "x": pa.float64(),
}


@pytest.fixture(scope="module")
def declared() -> schemas.Schemas:
    return schemas.Schemas([schemas.parse_schema(SCHEMA)])


@pytest.fixture
def rows() -> pa.Table:
    """Two chunks, as rows of two requests have."""
    whole = pa.table({name: pa.array(values, TYPES[name]) for name, values in ROWS.items()})
    return pa.concat_tables([whole.slice(0, 2), whole.slice(2)])


@pytest.fixture(scope="module")
def instance() -> Iterator[duckdb.DuckDBPyConnection]:
    opened = open_instance(Limits(memory="500MB"))
    yield opened
    opened.close()


PLAIN = [
    "SELECT * FROM sky.obs",
    "SELECT did, publisher, rights, lacking FROM sky.obs WHERE did = 'own'",
    "SELECT id, did FROM sky.obs WHERE did IN ('ivo://x', 'ivo://onedfs.example/ID?a', 'no')",
    "SELECT id FROM sky.obs WHERE 'proprietary' = rights ORDER BY id",
    "SELECT id FROM sky.obs WHERE did = '' OR 1 = 0",
    "SELECT id FROM sky.obs WHERE lacking = 'x'",
    "SELECT id FROM sky.obs ORDER BY id DESC",
    "SELECT id, did FROM sky.obs ORDER BY did, id",
    "SELECT id, n FROM sky.obs ORDER BY n DESC, id",
    "SELECT id, x FROM sky.obs ORDER BY x, id DESC",
    "SELECT TOP 2 id FROM sky.obs ORDER BY released DESC, id",
    "SELECT TOP 3 id FROM sky.obs ORDER BY id OFFSET 2",
    "SELECT id FROM sky.obs ORDER BY id OFFSET 5",
    "SELECT id FROM sky.obs ORDER BY id OFFSET 9",
]


def both(query: tree.Query, source: ArrowSource, instance: duckdb.DuckDBPyConnection, limit: int) -> Any:
    """Return a query's answer by the engine, and by rows as they stand; the engine reads a stream."""
    rows = source.rows["sky.obs"]
    streamed = ArrowSource(source.declared, source.site, {"sky.obs": rows.to_reader()})
    told = run_on_arrow(instance, query, streamed, version=1, limit=limit).table()
    return told, plain_rows(query, rows, source.site, known=frozenset(), limit=limit)


@pytest.mark.parametrize("text", PLAIN)
@pytest.mark.parametrize("limit", [3, 100])
def test_the_answer_is_that_of_the_engine(
    text: str, limit: int, declared: schemas.Schemas, rows: pa.Table, instance: duckdb.DuckDBPyConnection
) -> None:
    query = translate(text, declared)
    told, plain = both(query, ArrowSource(declared, SITE, {"sky.obs": rows}), instance, limit)
    if " OR " in text:
        assert plain is None
        return
    assert plain.schema == told.schema
    # Without an order, and with a limit, any rows will do; both take the first.
    assert plain.to_pylist() == told.to_pylist()


@pytest.mark.parametrize(
    "text",
    [
        "SELECT n + 1 FROM sky.obs",
        "SELECT DISTINCT n FROM sky.obs",
        "SELECT n, COUNT(*) FROM sky.obs GROUP BY n",
        "SELECT id FROM sky.obs ORDER BY n + 1",
        "SELECT id FROM sky.obs WHERE n = 1",
        "SELECT id FROM sky.obs WHERE id <> 'a'",
        "SELECT id FROM sky.obs WHERE id NOT IN ('a', 'b')",
        "SELECT id FROM sky.obs WHERE id IN ('a', did)",
        "SELECT id FROM sky.obs WHERE id LIKE 'a%'",
        "SELECT a.id FROM sky.obs AS a JOIN sky.obs AS b ON a.id = b.id",
        "SELECT id FROM sky.obs UNION ALL SELECT did FROM sky.obs",
    ],
)
def test_whatever_is_computed_is_left_to_the_engine(text: str, declared: schemas.Schemas) -> None:
    assert table_of(translate(text, declared), frozenset()) is None


def test_conditions_that_all_rows_fulfil_are_not_asked_again(
    declared: schemas.Schemas, rows: pa.Table
) -> None:
    query = translate("SELECT id FROM sky.obs WHERE n > 2 AND did = 'own'", declared)
    assert isinstance(query, tree.Select)
    greater, _ = conjuncts(query.where)
    found = plain_rows(query, rows, SITE, known={id(greater)}, limit=None)
    assert found is not None
    assert found.to_pylist() == [{"id": "B"}]


def test_nan_is_put_in_order_by_the_engine(declared: schemas.Schemas, rows: pa.Table) -> None:
    query = translate("SELECT id FROM sky.obs ORDER BY x", declared)
    odd = rows.set_column(rows.schema.get_field_index("x"), "x", [[float("nan")] * rows.num_rows])
    assert plain_rows(query, odd, SITE, known=frozenset(), limit=None) is None


def test_columns_of_other_types_are_left_to_the_engine(declared: schemas.Schemas) -> None:
    query = translate("SELECT id FROM sky.obs", declared)
    assert plain_rows(query, pa.table({"id": [1]}), SITE, known=frozenset(), limit=None) is None
