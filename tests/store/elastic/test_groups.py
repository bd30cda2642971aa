"""Which queries depend on groups of their rows only, or on their first rows, and how they read these."""

from __future__ import annotations

from typing import Any

import pytest

import schemas
from query import tree
from store.elastic.aggregates import MOST_GROUPS, aggregations, groups
from store.elastic.first import firsts
from store.elastic.gather import Inexact
from store.elastic.whole import Whole, changed, wholes
from vo.adql import translate


def whole(declared: schemas.Schemas, text: str) -> Whole | None:
    return next(wholes(tuple(tree.walk(translate(text, declared)))), None)


@pytest.mark.parametrize(
    ("text", "keys", "measures"),
    [
        ("SELECT COUNT(*) FROM sky.obs", "", ""),
        ("SELECT COUNT(*), COUNT(n), MAX(x) FROM sky.obs", "", "count n,max x"),
        ("SELECT Name, COUNT(*) FROM sky.obs GROUP BY Name HAVING MIN(n) > 2", "Name", "min n"),
        ("SELECT UPPER(Name), COUNT(*) FROM sky.obs GROUP BY UPPER(Name)", "Name", ""),
        ("SELECT COUNT(DISTINCT Name) FROM sky.obs", "Name", ""),
        ("SELECT DISTINCT Name, n + 1 FROM sky.obs", "Name,n", ""),
        ("SELECT MAX(n + 1) FROM sky.obs", "n", ""),
    ],
)
def test_a_query_depends_on_columns_and_measures(
    declared: schemas.Schemas, text: str, keys: str, measures: str
) -> None:
    found = whole(declared, text)
    assert found is not None
    assert ",".join(key.name for key in found.keys) == keys
    assert ",".join(f"{each.name} {each.column.name}" for each in found.measures) == measures


@pytest.mark.parametrize(
    "text",
    [
        "SELECT id FROM sky.obs",
        "SELECT SUM(n) FROM sky.obs",
        "SELECT AVG(x), COUNT(*) FROM sky.obs",
        "SELECT did, COUNT(*) FROM sky.obs GROUP BY did",
        "SELECT COUNT(footprint) FROM sky.obs",
        "SELECT DISTINCT 1 FROM sky.obs",
        "SELECT COUNT(*) FROM sky.obs AS a JOIN sky.plain AS b ON a.n = b.a",
        "SELECT n, COUNT(*) FROM sky.obs GROUP BY n HAVING COUNT(*) > (SELECT MIN(v) FROM sky.plain AS p)",
    ],
)
def test_other_queries_need_their_rows(declared: schemas.Schemas, text: str) -> None:
    found = whole(declared, text)
    assert found is None or found.source.table.local_name == "plain"


@pytest.mark.parametrize(
    "text",
    [
        "SELECT COUNT(*), COUNT(n), MAX(x) FROM sky.obs",
        "SELECT Name, COUNT(*) AS c FROM sky.obs GROUP BY Name HAVING MIN(n) > 2 ORDER BY c DESC",
        "SELECT n, Name, MIN(big) FROM sky.obs GROUP BY Name, n",
        "SELECT COALESCE(MIN(n), 5) FROM sky.obs",
    ],
)
def test_groups_that_are_rows_of_the_answer_are_not_put_together(
    declared: schemas.Schemas, text: str
) -> None:
    found = whole(declared, text)
    assert found is not None
    single = found.over_single_groups()
    assert single is not None
    assert not single.group_by
    assert not any(isinstance(node, tree.Aggregate) for node in tree.walk(single))
    assert [field.name for field in single.columns] == [field.name for field in found.select.columns]


def test_what_stands_beside_a_least_value_is_kept(declared: schemas.Schemas) -> None:
    found = whole(declared, "SELECT COALESCE(MIN(n), 5) FROM sky.obs")
    single = None if found is None else found.over_single_groups()
    assert single is not None
    assert isinstance(single.outputs[0].expression, tree.Call)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT DISTINCT COUNT(*) FROM sky.obs GROUP BY Name",
        "SELECT UPPER(Name), COUNT(*) FROM sky.obs GROUP BY UPPER(Name)",
        "SELECT COUNT(DISTINCT Name) FROM sky.obs",
        "SELECT Name, COUNT(DISTINCT n) FROM sky.obs GROUP BY Name",
        "SELECT n, COUNT(DISTINCT n) FROM sky.obs GROUP BY n",
        "SELECT x, COUNT(*) FROM sky.obs GROUP BY x",
        "SELECT DISTINCT Name FROM sky.obs",
        "SELECT MAX(n + 1) FROM sky.obs",
    ],
)
def test_groups_that_may_be_parts_of_a_row_are_put_together(declared: schemas.Schemas, text: str) -> None:
    found = whole(declared, text)
    assert found is not None
    assert found.over_single_groups() is None


def test_no_rows_count_as_none_and_are_no_group(declared: schemas.Schemas) -> None:
    alone = whole(declared, "SELECT COUNT(*) AS c FROM sky.obs")
    grouped = whole(declared, "SELECT COUNT(*) AS c FROM sky.obs GROUP BY n")
    assert alone is not None
    assert grouped is not None
    assert isinstance(alone.over_groups(tested=False).outputs[0].expression, tree.Call)
    assert isinstance(grouped.over_groups(tested=False).outputs[0].expression, tree.Aggregate)


def test_what_does_not_change_stays_the_same_object(declared: schemas.Schemas) -> None:
    query = translate("SELECT id FROM sky.obs WHERE n = 3 AND x > 1", declared)
    assert isinstance(query, tree.Select)
    assert changed(query, lambda _: None) is query
    new = changed(query, lambda node: tree.Literal(4, node.kind) if isinstance(node, tree.Literal) else None)
    assert new.outputs is query.outputs
    assert new.where != query.where


def answer(buckets: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    terms = {"buckets": buckets, "sum_other_doc_count": 0, "doc_count_error_upper_bound": 0} | more
    return {"groups": terms, "null": {"doc_count": 2}, "long Name": {"doc_count": 0}}


def test_terms_are_read_with_the_rows_that_have_no_value(declared: schemas.Schemas) -> None:
    found = whole(declared, "SELECT Name, COUNT(*) FROM sky.obs GROUP BY Name")
    assert found is not None
    table = groups(found, 0, answer([{"key": "MUSE", "doc_count": 5}]))
    assert table["Name"].to_pylist() == ["MUSE", None]
    assert table["@count"].to_pylist() == [5, 2]


@pytest.mark.parametrize(
    "wrong",
    [
        answer([], sum_other_doc_count=1),
        answer([], doc_count_error_upper_bound=1),
        answer([]) | {"long Name": {"doc_count": 1}},
    ],
)
def test_terms_that_are_not_exact_are_refused(declared: schemas.Schemas, wrong: dict[str, Any]) -> None:
    found = whole(declared, "SELECT Name, COUNT(*) FROM sky.obs GROUP BY Name")
    assert found is not None
    with pytest.raises(Inexact):
        groups(found, 0, wrong)


def test_numbers_that_a_double_does_not_tell_apart_are_refused(declared: schemas.Schemas) -> None:
    found = whole(declared, "SELECT MAX(big) FROM sky.obs")
    assert found is not None
    assert groups(found, 3, {"m0": {"value": 2.0**53 - 1}})["@max big"].to_pylist() == [2**53 - 1]
    with pytest.raises(Inexact):
        groups(found, 3, {"m0": {"value": 2.0**53}})


def test_groups_by_several_columns_are_refused_when_there_may_be_more(declared: schemas.Schemas) -> None:
    found = whole(declared, "SELECT Name, n, COUNT(*) FROM sky.obs GROUP BY Name, n")
    assert found is not None
    assert "composite" in aggregations(found)["groups"]
    buckets = [{"key": {"k0": "a", "k1": i}, "doc_count": 1} for i in range(MOST_GROUPS)]
    told = {"long Name": {"doc_count": 0}, "groups": {"buckets": buckets[1:]}}
    assert groups(found, 0, told).num_rows == MOST_GROUPS - 1
    with pytest.raises(Inexact):
        groups(found, 0, told | {"groups": {"buckets": buckets}})


def first(declared: schemas.Schemas, text: str, limit: int | None = None) -> Any:
    query = translate(text, declared)
    return next(firsts(tuple(tree.walk(query)), query, limit), None)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("SELECT TOP 5 id FROM sky.obs ORDER BY n DESC, id", 5),
        ("SELECT TOP 50 id FROM sky.obs ORDER BY n OFFSET 7", 27),
        ("SELECT id FROM sky.obs", 20),
        ("SELECT TOP 5 id FROM sky.obs ORDER BY n + 1", None),
        ("SELECT TOP 5 id FROM sky.obs ORDER BY did", None),
        ("SELECT TOP 5 n, COUNT(*) FROM sky.obs GROUP BY n ORDER BY n", None),
        ("SELECT DISTINCT TOP 5 n FROM sky.obs ORDER BY n", None),
        ("SELECT TOP 5 a.id FROM sky.obs AS a JOIN sky.plain AS b ON a.n = b.a", None),
    ],
)
def test_the_first_rows_are_those_of_an_order_by_columns(
    declared: schemas.Schemas, text: str, count: int | None
) -> None:
    found = first(declared, text, 20)
    assert (None if found is None else found.count) == count


def test_what_is_equal_in_one_order_and_not_in_the_other_does_not_lie_at_the_cut(
    declared: schemas.Schemas,
) -> None:
    by_real = first(declared, "SELECT TOP 1 id FROM sky.obs ORDER BY x, id")
    assert by_real.is_exact([{"sort": [0.5, "a"]}])
    assert not by_real.is_exact([{"sort": [-0.0, "a"]}])
    by_whole = first(declared, "SELECT TOP 1 id FROM sky.obs ORDER BY big, id")
    assert by_whole.is_exact([{"sort": [0, "a"]}])
    assert not by_whole.is_exact([{"sort": [2**63 - 1, "a"]}])
    assert by_whole.is_exact([])
