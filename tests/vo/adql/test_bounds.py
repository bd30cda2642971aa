"""Queries that are too large, too long in reading, or wrong in too many places."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import schemas
from query import tree
from schemas import Kind
from store import limits
from store.limits import TimeLimit
from store.port import QueryTimeout
from vo.adql import AdqlError, check, to_adql, translate
from vo.adql.alternatives import listed
from vo.adql.conditions import MOST_CONDITIONS
from vo.adql.errors import Source
from vo.adql.parser import parse
from vo.adql.resolution import MOST_ERRORS
from vo.adql.resolver import MOST_KEYS, MOST_SELECTS, resolve

LONG = f"SELECT id FROM lab.things WHERE n IN ({', '.join(map(str, range(5000)))})"


class _Clock:
    """Stands still until it is looked at so many times, then jumps."""

    def __init__(self, looks: int) -> None:
        self.left = looks

    def monotonic(self) -> float:
        self.left -= 1
        return 0.0 if self.left >= 0 else 1000.0


@pytest.mark.parametrize("looks", [1, 2, 5, 6, 500, 5000])
def test_no_stage_of_reading_outlives_its_time(
    declared: schemas.Schemas, monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    monkeypatch.setattr(limits, "time", _Clock(looks))
    with pytest.raises(QueryTimeout, match="longer than allowed"):
        translate(LONG, declared, time=TimeLimit(10))


def test_each_stage_looks_at_the_clock(declared: schemas.Schemas) -> None:
    node = parse(Source(LONG))
    with pytest.raises(QueryTimeout):
        parse(Source(LONG, TimeLimit(0)))
    with pytest.raises(QueryTimeout):
        resolve(Source(LONG, TimeLimit(0)), node, declared)
    with pytest.raises(QueryTimeout):
        check(LONG, declared, time=TimeLimit(0))


def test_a_query_that_is_read_in_time_is_read(declared: schemas.Schemas) -> None:
    assert translate(LONG, declared, time=TimeLimit(600)) == translate(LONG, declared)


@pytest.mark.parametrize("wrong", ["missing", "'x'", "missing(1)", "things.missing"])
def test_of_many_errors_the_first_are_told_at_once(declared: schemas.Schemas, wrong: str) -> None:
    text = f"SELECT id FROM lab.things WHERE n IN ({', '.join([wrong] * 30_000)})"
    start = time.process_time()
    errors = check(text, declared)
    assert time.process_time() - start < 10
    assert len(errors) == MOST_ERRORS
    assert errors[0].column == text.index(wrong.removeprefix("things.")) + 1


def refused(text: str, declared: schemas.Schemas) -> str:
    (error,) = check(text, declared)
    assert error.code == "unsupported"
    return error.message


def test_conditions_are_counted_over_the_whole_query(declared: schemas.Schemas) -> None:
    half = " AND ".join(["n > 1"] * (MOST_CONDITIONS // 2))
    text = f"SELECT id FROM lab.things WHERE {half} AND id IN (SELECT id FROM lab.notes WHERE {{}})"
    assert check(text.format(half.removesuffix(" AND n > 1")), declared) == []
    assert "at most 10000 conditions" in refused(text.format(f"{half} AND n > 1"), declared)


def test_alternatives_of_one_column_count_as_one(declared: schemas.Schemas) -> None:
    many = " OR ".join(f"n = {i}" for i in range(2 * MOST_CONDITIONS))
    query = translate(f"SELECT id FROM lab.things WHERE {many}", declared)
    assert isinstance(query, tree.Select)
    assert isinstance(query.where, tree.InList)
    assert len(query.where.items) == 2 * MOST_CONDITIONS


def test_selects_are_counted(declared: schemas.Schemas) -> None:
    inner = "id IN (SELECT id FROM lab.notes)"
    text = "SELECT id FROM lab.things WHERE "
    assert check(text + " AND ".join([inner] * (MOST_SELECTS - 1)), declared) == []
    assert "at most 250 times SELECT" in refused(text + " AND ".join([inner] * MOST_SELECTS), declared)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT COUNT(*) AS n FROM lab.things GROUP BY {}",
        "SELECT n FROM lab.things ORDER BY {}",
        "SELECT n FROM lab.things UNION SELECT n FROM lab.notes ORDER BY {}",
    ],
)
def test_keys_are_counted(declared: schemas.Schemas, text: str) -> None:
    assert check(text.format(", ".join(["n"] * MOST_KEYS)), declared) == []
    message = refused(text.format(", ".join(["n"] * (MOST_KEYS + 1))), declared)
    assert "at most 500 values" in message


def test_the_error_of_a_bound_is_told_alone(declared: schemas.Schemas) -> None:
    many = " AND ".join(["n > 1"] * (MOST_CONDITIONS + 1))
    with pytest.raises(AdqlError, match="use IN"):
        translate(f"SELECT missing FROM lab.things WHERE missing = 1 OR {many}", declared)


COLUMNS = [tree.Column("t", name, Kind.INT) for name in "ab"]
LITERALS = [tree.Literal(value, Kind.INT) for value in range(3)]
COMPARISONS = st.builds(
    tree.Comparison,
    st.sampled_from(["=", "=", "=", "<>", "<"]),
    st.sampled_from([*COLUMNS, *LITERALS]),
    st.sampled_from([*COLUMNS, *LITERALS]),
)


def holds(item: tree.Predicate, row: dict[str, int | None]) -> bool | None:
    def value(node: tree.Expression) -> int | None:
        return row[node.name] if isinstance(node, tree.Column) else node.value  # type: ignore[union-attr, return-value]

    match item:
        case tree.InList(operand, items):
            return either(holds(tree.Comparison("=", operand, one), row) for one in items)
        case tree.Comparison(operator, left, right):
            a, b = value(left), value(right)
            return None if a is None or b is None else {"=": a == b, "<>": a != b, "<": a < b}[operator]
    raise AssertionError(item)


def either(truths: object) -> bool | None:
    seen = set(truths)  # type: ignore[call-overload]
    return True if True in seen else None if None in seen else False


@settings(deadline=None)
@given(st.lists(COMPARISONS, min_size=1, max_size=8))
def test_a_list_holds_where_its_alternatives_hold(items: list[tree.Comparison]) -> None:
    found = listed(items)
    assert len(found) <= len(items)
    for a in (None, 0, 1, 2, 3):
        for b in (None, 0, 1, 2, 3):
            row = {"a": a, "b": b}
            assert either(holds(i, row) for i in found) == either(holds(i, row) for i in items)


def test_alternatives_are_found_on_either_side_and_through_parentheses(declared: schemas.Schemas) -> None:
    text = "SELECT id FROM lab.things WHERE n = 1 OR (few > 2 OR (3 = n OR name = 'a')) OR n = y"
    plain = "SELECT id FROM lab.things WHERE n IN (1, 3) OR few > 2 OR name = 'a' OR n = y"
    assert to_adql(translate(text, declared)) == plain
