"""Values mean what ADQL says, whatever the engine's own habits are."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from query.functions import ENGINE_FUNCTIONS
from store.port import QueryRejected
from store.sql.compiler.functions import FORMS

Ask = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def value(ask: Ask) -> Callable[[str], Any]:
    """The value of an expression; p.a is 1 and p.v is 1/7."""

    def of(expression: str) -> Any:
        (row,) = ask(f"SELECT {expression} AS value_of FROM sky.plain AS p WHERE p.a = 1")
        return row["value_of"]

    return of


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("7 / (a - 1)", None),
        ("7.0 / 2", 3.5),
        ("7.0 / (a - 1)", None),
        ("1 / (1.0 / (a - 1))", None),
        ("1e308 * 10 * a", None),
        ("1e308 * 10 * a - 1e308 * 10 * a", None),
        ("1.0 / (1e308 * 10 * a)", None),
        ("- a", -1),
        ("1 + 2 * 3", 7),
        ("9007199254740993 * a", 9007199254740993),
        ("SQRT(-1.0 * a)", None),
        ("LOG(a - 1)", None),
        ("LOG10(-a)", None),
        ("ACOS(a + 1)", None),
        ("ASIN(a + 1)", None),
        ("EXP(1000 * a)", None),
        ("POWER(a - 1, -1)", None),
        ("POWER(-a, 0.5)", None),
        ("POWER(2, 10)", 1024.0),
        ("COT(a - 1)", None),
        ("MOD(-7, 2)", -1),
        ("MOD(7, a - 1)", None),
        ("MOD(7.5, 2)", 1.5),
        ("MOD(7.5, a - 1)", None),
        ("ABS(-3)", 3),
        ("CEILING(1.2)", 2.0),
        ("FLOOR(-1.2)", -2.0),
        ("ROUND(2.5)", 3.0),
        ("ROUND(-2.5)", -3.0),
        ("ROUND(1234.5678, 2)", 1234.57),
        ("ROUND(1250.0, -2)", 1300.0),
        ("TRUNCATE(-1.29, 1)", -1.2),
        ("TRUNCATE(1.9)", 1.0),
        ("ATAN2(1, 1)", math.pi / 4),
        ("DEGREES(PI())", 180.0),
        ("RADIANS(180)", math.pi),
        ("'a' || 'b'", "ab"),
        ("'o''neill' || ' %_\\'", "o'neill %_\\"),
        ("LOWER('ÄB') || UPPER('ß')", "äb" + "ẞ"),
        ("COALESCE(1 / (a - 1), 5)", 5),
        ("CAST(1.9 AS INTEGER)", 1),
        ("CAST(-1.9 AS BIGINT)", -1),
        ("CAST('12' AS INTEGER)", 12),
        ("CAST(b || 'twelve' AS INTEGER)", None),
        ("CAST('1.9' AS INTEGER)", 1),
        ("CAST(LOWER('-1.9') AS BIGINT)", -1),
        ("CAST(LOWER('-1.5e1') AS SMALLINT)", -15),
        ("CAST(LOWER(' 9007199254740993 ') AS BIGINT)", 9007199254740993),
        ("CAST(LOWER('9007199254740993') AS INTEGER)", None),
        ("CAST(LOWER('0x1F') AS INTEGER)", None),
        ("CAST(LOWER('1_000') AS INTEGER)", None),
        ("CAST(LOWER('1_000') AS DOUBLE PRECISION)", None),
        ("CAST(LOWER('inf') AS DOUBLE PRECISION)", None),
        ("CAST(LOWER('1e400') AS DOUBLE PRECISION)", None),
        ("CAST(LOWER('1e39') AS REAL)", None),
        ("CAST(LOWER('.5') AS DOUBLE PRECISION)", 0.5),
        ("CAST(-0.9 * a AS INTEGER)", 0),
        ("CAST(3e9 * a AS INTEGER)", None),
        ("CAST('2024-02-29T12:00:00' AS TIMESTAMP)", datetime(2024, 2, 29, 12)),  # noqa: DTZ001 - Arrow's have none
        ("CAST('abcdef' AS VARCHAR(3))", "abc"),
        ("DISTANCE(POINT(0, 0), POINT(180, 0))", 180.0),
        ("DISTANCE(0, 89.9999999, 180, 89.9999999)", 2e-7),
        ("AREA(CIRCLE(10, 10, 180))", 129600 / math.pi),
        ("COORD1(POINT(370 * a, 20))", 370.0),
        ("COORD2(CENTROID(CIRCLE(10, 20, 1)))", 20.0),
        ("POINT(a, 2)", [1.0, 2.0]),
        ("CIRCLE(a, 2, 3)", [1.0, 2.0, 3.0]),
        ("POLYGON(0, 0, a, 0, 1, 1)", [0.0, 0.0, 1.0, 0.0, 1.0, 1.0]),
        ("ivo_healpix_index(0, a, a)", 4),
        ("ivo_healpix_index(17, a, a)", 81609757711),
        ("ivo_healpix_index(17, POINT(359, -a))", 73009064944),
        ("ivo_healpix_index(a + 29, a, a)", None),
        ("ivo_to_mjd(CAST('2000-01-02T12:00:00' AS TIMESTAMP))", 51545.5),
        ("ivo_to_jd(CAST('1910-12-31T06:00:00' AS TIMESTAMP))", 2419036.75),
        ("onedfs_name_key('NGC-0253')", "ngc253"),
        ("onedfs_name_key(NULL)", None),
        ("ivo_nocasematch('ABcabc', 'ab__bc')", 1),
        ("ivo_nocasematch('abcabc', 'abcab')", 0),
        ("ivo_hasword('Miller and Urey have', 'miller')", 1),
        ("ivo_hasword('shown that a primordial', 'show')", 1),
        ("ivo_hasword('shown that a primordial', 'soup')", 0),
        ("ivo_hasword('shown that a primordial', 'shown primordial')", 1),
        ("ivo_hasword('shown that a primordial', 'shown soup')", 0),
        ("ivo_hashlist_has('Red#green#blue', 'red')", 1),
        ("ivo_hashlist_has('red#green#blue', 're')", 0),
        ("ivo_interval_overlaps(-3, -2, 2, 3)", 0),
        ("ivo_interval_overlaps(-2, 55.3, 2, 3)", 1),
        ("ivo_interval_overlaps(-2, 55.3, 3, 2)", 0),
        ("ivo_interval_overlaps(-2, 2, 2, 3)", 1),
    ],
)
def test_an_expression_is(value: Callable[[str], Any], expression: str, expected: Any) -> None:
    found = value(expression)
    assert type(found) is type(expected)
    assert found == pytest.approx(expected, rel=1e-12) if isinstance(expected, float) else found == expected


def test_every_declared_function_has_a_form() -> None:
    assert set(FORMS) == {function.name for function in ENGINE_FUNCTIONS}


def test_random_numbers_are_where_they_should(ask: Ask) -> None:
    rows = ask("SELECT RAND() AS r, ivo_normal_random(10, 0.001) AS g FROM sky.plain")
    assert all(0 <= row["r"] < 1 and abs(row["g"] - 10) < 0.1 for row in rows)
    assert len({row["r"] for row in rows}) == len(rows) == len({row["g"] for row in rows})


@pytest.mark.parametrize(
    "expression", ["2147483647 * 9007199254740993 * a * 4294967296", "SUM(9223372036854775807 + a)"]
)
def test_whole_numbers_that_overflow_are_refused_in_words(ask: Ask, expression: str) -> None:
    with pytest.raises(QueryRejected, match="out of range"):
        ask(f"SELECT {expression} AS y FROM sky.plain")


def test_sum_of_integers_is_a_long_and_overflow_is_refused(ask: Ask) -> None:
    assert ask("SELECT SUM(a) AS y FROM sky.plain") == [{"y": 49 * 50 // 2}]
    with pytest.raises(QueryRejected):
        ask("SELECT SUM(4611686018427387904) AS y FROM sky.plain")


def test_aggregates_of_nothing_are_null(ask: Ask) -> None:
    query = (
        "SELECT COUNT(*) AS c, SUM(a) AS s, AVG(v) AS m, MIN(b) AS l, MAX(v) AS h FROM sky.plain WHERE a < 0"
    )
    assert ask(query) == [{"c": 0, "s": None, "m": None, "l": None, "h": None}]


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
def test_nulls_come_last_both_ways(ask: Ask, direction: str) -> None:
    values = [row["n"] for row in ask(f"SELECT n FROM sky.obs ORDER BY n {direction}")]
    there = [value for value in values if value is not None]
    assert 0 < len(there) < len(values)
    assert values == sorted(there, reverse=direction == "DESC") + [None] * (len(values) - len(there))


def test_like_minds_case_and_ilike_does_not(ask: Ask) -> None:
    assert {row["name"] for row in ask("SELECT DISTINCT name FROM sky.obs WHERE name LIKE 'm%'")} == {"muse"}
    assert {row["name"] for row in ask("SELECT DISTINCT name FROM sky.obs WHERE name ILIKE 'm%'")} == {
        "MUSE",
        "muse",
    }


def test_texts_are_only_ever_values(ask: Ask) -> None:
    assert ask("SELECT id FROM sky.obs WHERE name = '''; DROP TABLE t0; --'") == []
    assert len(ask("SELECT id FROM sky.obs WHERE name = 'o''neill %'")) > 10


def test_a_region_that_is_null_relates_to_nothing(ask: Ask) -> None:
    rows = ask("SELECT footprint, INTERSECTS(footprint, CIRCLE(10, 10, 20)) AS meets FROM sky.obs")
    assert {row["meets"] for row in rows if row["footprint"] is None} == {None}
    assert {row["meets"] for row in rows if row["footprint"] is not None} == {0, 1}


def test_a_position_that_is_null_is_in_nothing_and_not_in_nothing(ask: Ask) -> None:
    (inside,) = ask(
        "SELECT COUNT(*) AS n FROM sky.obs WHERE CONTAINS(POINT(ra, dec), CIRCLE(10, 10, 90)) = 1"
    )
    (outside,) = ask(
        "SELECT COUNT(*) AS n FROM sky.obs WHERE CONTAINS(POINT(ra, dec), CIRCLE(10, 10, 90)) = 0"
    )
    (nowhere,) = ask("SELECT COUNT(*) AS n FROM sky.obs WHERE ra IS NULL")
    (total,) = ask("SELECT COUNT(*) AS n FROM sky.obs")
    assert nowhere["n"] > 0
    assert inside["n"] + outside["n"] + nowhere["n"] == total["n"]
