"""Sifting names before their keys are computed changes no answer."""

from __future__ import annotations

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from query import tree
from query.functions import NAME_KEY
from schemas import Kind
from schemas.names import name_key
from store.sql.compiler.literals import literal, text
from store.sql.compiler.names import MOST_SIGNS, sift

NAMES = st.text("nN0 1_-+.%\\'\t\u00e9\u212a\uff2e\U0001f52d", max_size=10)
COLUMN = tree.Column("t", "name", Kind.TEXT)


def comparison(key: str) -> tree.Comparison:
    return tree.Comparison("=", tree.Call(NAME_KEY, (COLUMN,), Kind.TEXT), tree.Literal(key, Kind.TEXT))


def value(name: str) -> tree.Expression:
    return tree.Literal(name, Kind.TEXT)


def written(node: tree.Comparison | tree.Like, name: str) -> str:
    return sift(node, lambda _: literal(tree.Literal(name, Kind.TEXT))) or "true"


@given(name=NAMES)
def test_a_name_comes_through_for_its_own_key(instance: duckdb.DuckDBPyConnection, name: str) -> None:
    sql = f"SELECT {written(comparison(name_key(name)), name)}"
    assert instance.cursor().execute(sql).fetchall() == [(True,)]


@given(name=NAMES, pattern=st.text("n01 _%-+\u00e9", max_size=4))
def test_a_name_comes_through_for_a_pattern_of_its_key(
    instance: duckdb.DuckDBPyConnection, name: str, pattern: str
) -> None:
    call = tree.Call(NAME_KEY, (COLUMN,), Kind.TEXT)
    quick = written(tree.Like(call, tree.Literal(pattern, Kind.TEXT)), name)
    sql = f"SELECT name_key({text(name)}), name_key({text(name)}) LIKE {text(pattern)}, {quick}"
    [(key, matches, passes)] = instance.cursor().execute(sql).fetchall()
    assert key == name_key(name)
    assert passes or not matches


def test_few_names_come_through(instance: duckdb.DuckDBPyConnection) -> None:
    quick = written(comparison("ngc253"), "NGC 254")
    assert instance.cursor().execute(f"SELECT {quick}").fetchall() == [(False,)]


def test_what_is_no_key_or_a_long_one_is_not_sifted() -> None:
    assert sift(tree.Comparison("=", COLUMN, value("a")), str) is None
    assert sift(comparison("a" * (MOST_SIGNS + 1)), str) is None
