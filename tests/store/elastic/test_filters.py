"""A filter leaves out no row for which its condition is true, and is certain only of such."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, get_args

import duckdb
import numpy as np
import orjson
import pyarrow as pa
import pytest
from elasticsearch import Elasticsearch
from hypothesis import given, settings
from hypothesis import strategies as st

import schemas
from query import build, tree
from query.functions import NAME_KEY
from schemas import Kind
from schemas.arrow import lake_schema
from schemas.elastic import MOST_TEXT, mapping
from store.elastic.columns import MOST_TERMS
from store.elastic.documents import creations
from store.elastic.filters import Body, Filter, condition_filter, texts_filter
from store.port import Site
from store.sql.arrow import ArrowSource, run_on_arrow
from store.sql.instance import Limits, open_instance

[TABLE] = schemas.parse_schema(
    """
schema: lab
tables:
  - name: values
    key: [id]
    columns:
      - {name: id, kind: int, required: true}
      - {name: text, kind: text, ucd: "meta.id;src"}
      - {name: other, kind: text}
      - {name: short, kind: short}
      - {name: int, kind: int}
      - {name: long, kind: long}
      - {name: double, kind: double}
      - {name: float, kind: float}
      - {name: flag, kind: boolean}
      - {name: moment, kind: timestamp}
      - {name: served, kind: text, served: "{authority}/{text}"}
"""
).tables

LONG_TEXTS = ["x" * MOST_TEXT, "x" * (MOST_TEXT + 1), "x" * MOST_TEXT + "y", "\U0001f52d" * 5000]
TEXTS = [
    *("", " ", "MUSE", "muse", "Muse 2", "NGC 253", "NGC", "a%b", "a_b", "a\\b", "*", "a*", "é", "e\u0301"),
    *("\U0001f52d", "\uffee", "x", "x\0", "ngc-0253", "\u212a\u0130\u00c9", "ki\u00e9", "a.b\n(c]"),
    *LONG_TEXTS,
]
WHOLE = [0, 1, -1, 2, 7, -7, 100]
LONGS = [*WHOLE, 2**53, 2**53 + 1, -(2**53) - 1, 2**62, 2**63 - 1, -(2**63)]
REALS = [
    0.0,
    -0.0,
    0.1,
    -0.1,
    0.5,
    1.0,
    2.5,
    -7.0,
    1e-308,
    5e-324,
    -5e-324,
    1e15 + 0.5,
    1e300,
    2.0**53,
    2.0**62,
]
SINGLES = [float(np.float32(value)) for value in (0, -0.0, 0.1, -0.1, 0.5, 1, 1e-45, 16777216, 3.4e38)]
MOMENTS = [0, -1, 1, 1704067200000000, -62135596800000000, 253402300799999999]

VALUES: dict[Kind, list[Any]] = {
    Kind.INT: [*WHOLE, 2**31 - 1, -(2**31)],
    Kind.SHORT: [*WHOLE, 2**15 - 1, -(2**15)],
    Kind.LONG: LONGS,
    Kind.DOUBLE: REALS,
    Kind.FLOAT: SINGLES,
    Kind.TEXT: TEXTS,
    Kind.BOOLEAN: [True, False],
    Kind.TIMESTAMP: MOMENTS,
}
NUMBERS = (Kind.SHORT, Kind.INT, Kind.LONG, Kind.DOUBLE, Kind.FLOAT)

ROWS = 400


def drawn_rows() -> pa.Table:
    """Rows whose values are chosen one by one; many are missing."""
    rng = np.random.default_rng(7)
    schema = lake_schema(TABLE)
    columns: dict[str, pa.Array] = {}
    for column in TABLE.columns:
        options = [None, *VALUES[column.kind]]
        chosen = [options[place] for place in rng.integers(0, len(options), ROWS)]
        values = list(range(ROWS)) if column.name == "id" else chosen
        columns[column.name] = pa.array(values, schema.field(column.name).type)
    return pa.table(columns)


@dataclass
class Bench:
    """The rows in Elasticsearch and beside it."""

    client: Elasticsearch
    rows: pa.Table
    instance: duckdb.DuckDBPyConnection

    def found(self, body: Body) -> set[int]:
        answer = self.client.search(
            index="filters",
            query={"bool": {"filter": [body]}},
            size=ROWS,
            source_includes=["id"],
            allow_partial_search_results=False,
        )
        return {hit["_source"]["id"] for hit in answer["hits"]["hits"]}

    def true(self, condition: tree.Predicate) -> set[int]:
        query = build.select(TABLE, names=["id"], where=condition)
        declared = schemas.Schemas([schemas.Schema(name="lab", tables=(TABLE,))])
        source = ArrowSource(declared, Site("a.example", "http://a.example"), {"lab.values": self.rows})
        return set(run_on_arrow(self.instance, query, source, version=1).table()["id"].to_pylist())


@pytest.fixture(scope="module")
def bench(client: Elasticsearch) -> Iterator[Bench]:
    rows = drawn_rows()
    client.indices.create(index="filters", mappings=mapping(TABLE), settings={"number_of_replicas": 0})
    lines = b"".join(line for _, line in creations(TABLE, rows.to_batches(), 1))
    operations = [orjson.loads(line) for line in lines.splitlines()]
    assert not client.bulk(index="filters", operations=operations, refresh=True)["errors"]
    instance = open_instance(Limits(threads=1))
    yield Bench(client, rows, instance)
    instance.close()
    client.indices.delete(index="filters")


def literals(kind: Kind) -> st.SearchStrategy[tree.Literal]:
    """Constants that may stand beside a column of that kind."""
    kinds = NUMBERS if kind in NUMBERS else (kind,)
    return st.sampled_from(kinds).flatmap(
        lambda each: st.sampled_from(VALUES[each]).map(lambda value: tree.Literal(value, each))
    )


PATTERNS = st.one_of(
    st.sampled_from(["%", "", "NGC%", "NGC%%", "%253", "N_C%", "x%", "x%y", "MUSE", "a\\%", "*%", "\u00e9%"]),
    st.text("axK\u0130i%_\u00e9\u00c9 \U0001f52d.*[(\\", max_size=5),
)


@st.composite
def operands(draw: st.DrawFn) -> tree.Expression:
    """Columns, and what is computed from those of texts."""
    column = draw(st.sampled_from(TABLE.columns))
    ref = build.column(TABLE, column.name)
    name = draw(st.sampled_from(["", "", "lower", NAME_KEY])) if column.kind is Kind.TEXT else ""
    return tree.Call(name, (ref,), Kind.TEXT) if name else ref


def conditions_on(operand: tree.Expression) -> st.SearchStrategy[tree.Predicate]:
    ref, value, kind = st.just(operand), literals(operand.kind), operand.kind
    operators = st.sampled_from(get_args(tree.Operator))
    options: list[st.SearchStrategy[Any]] = [
        st.builds(tree.Comparison, operators, ref, value),
        st.builds(tree.Comparison, operators, value, ref),
        st.builds(tree.Between, ref, value, value, st.booleans()),
        st.builds(
            tree.InList,
            ref,
            st.lists(value | st.just(tree.Literal(None, kind)), max_size=4).map(tuple),
            st.booleans(),
        ),
        st.builds(tree.IsNull, ref, st.booleans()),
    ]
    if kind is Kind.TEXT:
        patterns = PATTERNS.map(lambda pattern: tree.Literal(pattern, Kind.TEXT))
        options.append(st.builds(tree.Like, ref, patterns, st.booleans(), st.booleans()))
    return st.one_of(options)


def joined(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(parts, min_size=2, max_size=3).map(tuple)
    return st.one_of(st.builds(tree.Not, parts), st.builds(tree.And, lists), st.builds(tree.Or, lists))


CONDITIONS = st.recursive(operands().flatmap(conditions_on), joined, max_leaves=5)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(condition=CONDITIONS)
def test_filters_and_conditions_agree(bench: Bench, condition: tree.Predicate) -> None:
    told = condition_filter(condition, build.ALIAS, TABLE)
    if told is None:
        return
    true = bench.true(condition)
    assert true <= bench.found(told.body)
    if told.certain is not None:
        assert bench.found(told.certain) <= true


@pytest.fixture
def told() -> Callable[[tree.Predicate], Filter | None]:
    return lambda condition: condition_filter(condition, build.ALIAS, TABLE)


Told = Callable[[tree.Predicate], Filter | None]


def compared(
    name: str, operator: tree.Operator, value: tree.Value, kind: Kind | None = None
) -> tree.Predicate:
    column = build.column(TABLE, name)
    return tree.Comparison(operator, column, tree.Literal(value, kind or column.kind))


EXACT = [
    *itertools.starmap(
        compared,
        [
            ("int", "=", 3),
            ("int", "<>", 3),
            ("int", "<", 2.5, Kind.DOUBLE),
            ("long", ">", 2**63 - 1),
            ("double", "=", 0.0),
            ("double", "<", -0.0),
            ("float", "=", 0.1),
            ("text", "=", "MUSE"),
            ("text", "<>", "MUSE"),
            ("flag", "<>", True),
            ("moment", ">=", 0),
        ],
    ),
    tree.InList(build.column(TABLE, "text"), (tree.Literal("a", Kind.TEXT),), negated=True),
    tree.IsNull(build.column(TABLE, "text")),
    tree.Not(tree.And((compared("int", "=", 3), compared("double", "<", 1.5)))),
]


@pytest.mark.parametrize("condition", EXACT, ids=str)
def test_it_is_exact(told: Told, condition: tree.Predicate) -> None:
    found = told(condition)
    assert found is not None
    assert found.exact


def like(pattern: str, *, negated: bool = False) -> tree.Predicate:
    return tree.Like(build.column(TABLE, "text"), tree.Literal(pattern, Kind.TEXT), negated=negated)


UNSURE = [
    compared("text", ">", "MUSE"),
    compared("text", "=", "x" * 9000),
    like("NGC%"),
    like("NGC%", negated=True),
]


@pytest.mark.parametrize("condition", UNSURE, ids=str)
def test_rows_whose_text_is_too_long_may_be_among_them(told: Told, condition: tree.Predicate) -> None:
    found = told(condition)
    assert found is not None
    assert not found.exact
    assert found.certain is not None


@pytest.mark.parametrize("pattern", ["%253", "N_C%", "%a.b%", "%\U0001f52d_"])
def test_patterns_are_filtered_by(told: Told, pattern: str) -> None:
    found = told(like(pattern))
    assert found is not None
    assert found.certain is not None


@pytest.mark.parametrize("pattern", [f"x%{'_' * 20}", f"x%{'y' * 1000}"])
def test_of_a_pattern_that_asks_too_much_the_beginning_is_filtered_by(told: Told, pattern: str) -> None:
    found = told(like(pattern))
    assert found is not None
    assert found.certain is None
    assert told(like(pattern[1:])) is None


def test_what_is_shown_and_not_stored_is_no_filter(told: Told) -> None:
    assert told(compared("served", "=", "a.example/x")) is None


def test_a_choice_is_filtered_by_only_if_each_of_its_parts_is(told: Told) -> None:
    known, unknown = compared("int", "=", 3), compared("served", "=", "a.example/x")
    assert told(tree.Or((known, unknown))) is None
    both = told(tree.And((known, unknown)))
    assert both is not None
    assert both.certain is None


def test_texts_in_several_columns_are_filtered_by_only_if_all_can_be_asked_for() -> None:
    asked = texts_filter({"text": ["a"], "Other": ["b", "c"]})
    assert asked is not None
    assert asked["bool"]["should"]
    assert texts_filter({"text": ["a"], "other": ["b"] * (MOST_TERMS + 1)}) is None
