"""What may be narrowed, and what must not."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from query import tree
from schemas import parse_schema
from sky.alike import NEIGHBOURHOOD
from sky.healpix import STORED_ORDER
from sky.regions import Circle, Point
from store.planner import Relation, cell_joins, column_conditions, cone_joins, narrowings
from tests.support.tables import PLACED, SHAPED
from vo.adql import translate

DECLARED = schemas.Schemas(
    [
        parse_schema(f"""
schema: s
tables:
  - name: a
{SHAPED}\
      - {{name: other, kind: double}}
      - {{name: elsewhere, kind: region}}
  - name: b
    key: [id]
    position: [ra, dec]
    columns:
      - {{name: id, kind: text}}
{PLACED}""")
    ]
)

CONE = "CONTAINS(POINT(a.ra, a.dec), CIRCLE(10, 20, 0.5))"


def found(where: str, source: str = "s.a AS a") -> list[tuple[str, Relation]]:
    query = translate(f"SELECT a.id FROM {source} WHERE {where}", DECLARED)
    return [(n.table.local_name, n.relation) for n in narrowings(tree.walk(query))]


@pytest.mark.parametrize(
    ("where", "relation"),
    [
        (f"{CONE} = 1", Relation.POSITION),
        (f"1 = {CONE}", Relation.POSITION),
        (f"{CONE} <> 0", Relation.POSITION),
        (f"a.other > 1 AND ({CONE} = 1 AND a.other < 2)", Relation.POSITION),
        ("DISTANCE(POINT(a.ra, a.dec), POINT(10, 20)) < 0.5", Relation.POSITION),
        ("0.5 >= DISTANCE(POINT(10, 20), POINT(a.ra, a.dec))", Relation.POSITION),
        ("CONTAINS(POINT(10, 20), CIRCLE(a.ra, a.dec, 0.5)) = 1", Relation.POSITION),
        ("INTERSECTS(a.footprint, CIRCLE(10, 20, 0.5)) = 1", Relation.INTERSECTS),
        ("INTERSECTS(CIRCLE(10, 20, 0.5), a.footprint) = 1", Relation.INTERSECTS),
        ("CONTAINS(a.footprint, CIRCLE(10, 20, 0.5)) = 1", Relation.WITHIN),
        ("CONTAINS(POINT(10, 20), a.footprint) = 1", Relation.CONTAINS),
    ],
)
def test_a_condition_that_narrows(where: str, relation: Relation) -> None:
    assert found(where) == [("a", relation)]


@pytest.mark.parametrize(
    "where",
    [
        f"{CONE} = 0",
        f"{CONE} <> 1",
        f"NOT ({CONE} = 1)",
        f"{CONE} = 1 OR a.other = 1",
        "DISTANCE(POINT(a.ra, a.dec), POINT(10, 20)) > 0.5",
        "DISTANCE(POINT(a.ra, a.dec), POINT(10, 20)) < 181",
        "DISTANCE(POINT(a.ra, a.dec), POINT(10, 20)) < a.other",
        "CONTAINS(POINT(a.dec, a.ra), CIRCLE(10, 20, 0.5)) = 1",
        "CONTAINS(POINT(a.other, a.dec), CIRCLE(10, 20, 0.5)) = 1",
        "INTERSECTS(a.elsewhere, CIRCLE(10, 20, 0.5)) = 1",
        "CONTAINS(POINT(a.ra, a.dec), a.footprint) = 1",
    ],
)
def test_a_condition_that_does_not(where: str) -> None:
    assert found(where) == []


def test_the_cone_round_a_row_is_the_cone_round_the_constant() -> None:
    for where in ("CONTAINS(POINT(10, 20), CIRCLE(a.ra, a.dec, 0.5)) = 1", f"{CONE} = 1"):
        (narrowing,) = narrowings(tree.walk(translate(f"SELECT a.id FROM s.a AS a WHERE {where}", DECLARED)))
        assert narrowing.region == Circle(10.0, 20.0, 0.5)
    inside = translate("SELECT a.id FROM s.a AS a WHERE 1 = CONTAINS(POINT(1, 2), a.footprint)", DECLARED)
    (narrowing,) = narrowings(tree.walk(inside))
    assert narrowing.region == Point(1.0, 2.0)


@pytest.mark.parametrize(
    ("source", "narrowed"),
    [
        ("s.a AS a, s.b AS b", True),
        ("s.a AS a JOIN s.b AS b ON a.id = b.id", True),
        ("s.a AS a LEFT JOIN s.b AS b ON a.id = b.id", True),
        ("s.b AS b RIGHT JOIN s.a AS a ON a.id = b.id", True),
        ("s.b AS b LEFT JOIN s.a AS a ON a.id = b.id", False),
        ("s.a AS a RIGHT JOIN s.b AS b ON a.id = b.id", False),
        ("s.a AS a FULL JOIN s.b AS b ON a.id = b.id", False),
        ("s.b AS b LEFT JOIN (s.a AS a JOIN s.b AS c ON a.id = c.id) ON a.id = b.id", False),
    ],
)
def test_the_null_side_of_an_outer_join_is_left_alone(source: str, *, narrowed: bool) -> None:
    assert bool(found(f"{CONE} = 1", source)) is narrowed


def test_the_condition_of_an_inner_join_narrows_and_of_an_outer_one_does_not() -> None:
    inner = found("a.id = b.id", f"s.a AS a JOIN s.b AS b ON {CONE} = 1")
    outer = found("a.id = b.id", f"s.a AS a LEFT JOIN s.b AS b ON {CONE} = 1")
    assert (inner, outer) == ([("a", Relation.POSITION)], [])


def test_sub_queries_are_narrowed_by_their_own_conditions_only() -> None:
    own = "CONTAINS(POINT(a2.ra, a2.dec), CIRCLE(1, 2, 3)) = 1"
    nested = f"a.id IN (SELECT a2.id FROM s.a AS a2 WHERE {own} AND {CONE} = 1)"
    query = translate(f"SELECT a.id FROM s.a AS a WHERE {nested}", DECLARED)
    assert [n.region for n in narrowings(tree.walk(query))] == [Circle(1.0, 2.0, 3.0)]


def test_texts_that_a_column_must_have() -> None:
    query = translate(
        "SELECT id FROM s.a WHERE id = 'x' AND 'y' = id AND id IN ('p', 'q') AND id LIKE 'z%'", DECLARED
    )
    assert [
        (name, values, pattern) for _, _, name, values, pattern in column_conditions(tree.walk(query))
    ] == [
        ("id", ("x",), False),
        ("id", ("y",), False),
        ("id", ("p", "q"), False),
        ("id", ("z%",), True),
    ]
    opposite = (
        "SELECT id FROM s.a WHERE id <> 'x' AND NOT (id = 'y') AND id NOT IN ('z') AND (id = 'p' OR ra = 1)"
    )
    assert column_conditions(tree.walk(translate(opposite, DECLARED))) == ()


APART = "DISTANCE(POINT(a.ra, a.dec), POINT(b.ra, b.dec))"
AROUND = "1 = CONTAINS(POINT(a.ra, a.dec), CIRCLE(b.ra, b.dec, 0.5))"


@pytest.mark.parametrize(
    ("source", "where", "ends", "swaps"),
    [
        ("s.a AS a, s.b AS b", f"{APART} < 0.5", ("a", "b"), True),
        ("s.a AS a, s.b AS b", f"0.5 >= {APART}", ("a", "b"), True),
        ("s.a AS a, s.b AS b", AROUND, ("a", "b"), True),
        (f"s.a AS a JOIN s.b AS b ON {AROUND}", "a.other > 1", ("a", "b"), True),
        (f"s.b AS b LEFT JOIN s.a AS a ON {AROUND}", "b.id = 'x'", ("a", "b"), False),
        (f"s.a AS a LEFT JOIN s.b AS b ON {AROUND}", "a.id = 'x'", ("b", "a"), False),
        (f"s.a AS a RIGHT JOIN s.b AS b ON {AROUND}", "b.id = 'x'", None, False),
        (f"s.a AS a FULL JOIN s.b AS b ON {AROUND}", "b.id = 'x'", None, False),
        ("s.b AS b LEFT JOIN s.a AS a ON a.id = b.id", AROUND, None, False),
        ("s.a AS a, s.b AS b", f"{APART} > 0.5", None, False),
        ("s.a AS a, s.b AS b", f"{APART} < a.other", None, False),
        ("s.a AS a, s.b AS b", f"NOT ({AROUND})", None, False),
    ],
)
def test_tables_join_where_positions_are_near(
    source: str, where: str, ends: tuple[str, str] | None, *, swaps: bool
) -> None:
    query = translate(f"SELECT b.id FROM {source} WHERE {where}", DECLARED)
    joins = cone_joins(tuple(tree.walk(query)))
    assert [(j.near, j.far, j.radius, j.swaps) for j in joins] == ([(*ends, 0.5, swaps)] if ends else [])


@pytest.mark.parametrize(
    ("sizes", "source", "where", "chosen"),
    [
        ({"a": 9, "b": 4}, "s.a AS a, s.b AS b", AROUND, [("b", "a")]),
        ({"a": 4, "b": 9}, "s.a AS a, s.b AS b", AROUND, [("a", "b")]),
        ({"a": 4, "b": 4}, "s.a AS a, s.b AS b", AROUND, [("a", "b")]),
        ({"a": 9, "b": 4}, f"s.b AS b LEFT JOIN s.a AS a ON {AROUND}", "b.id = 'x'", [("a", "b")]),
        ({"a": 9, "b": None}, "s.a AS a, s.b AS b", AROUND, []),
        ({"a": 4, "b": 9}, "s.a AS a, s.b AS b", f"{AROUND} AND {APART} < 0.25", [("a", "b")]),
        ({"a": 4, "b": 9}, "s.a AS a, s.b AS b", f"{APART} < 90", []),
        ({"a": 4, "b": 9}, "s.a AS a, s.b AS b", "a.id = b.id", []),
    ],
)
def test_the_smaller_table_is_repeated_once_for_the_cells_around_its_rows(
    sizes: dict[str, int | None], source: str, where: str, chosen: list[tuple[str, str]]
) -> None:
    nodes = tuple(tree.walk(translate(f"SELECT b.id FROM {source} WHERE {where}", DECLARED)))
    joins = cell_joins(nodes, lambda ref: sizes[ref.table.local_name])
    assert [(join.near, join.far) for join in joins] == chosen
    assert all(join.condition in nodes for join in joins)


@given(st.floats(0, 90))
def test_the_cells_of_a_join_are_the_smallest_whose_neighbours_hold_its_cones(radius: float) -> None:
    query = translate(f"SELECT b.id FROM s.a AS a, s.b AS b WHERE {APART} <= {radius!r}", DECLARED)
    joins = cell_joins(tuple(tree.walk(query)), lambda _: 1)
    # The band in which points count as on the rim lies within this much.
    least, most = math.radians(radius), math.radians(radius) + 1e-11
    assert bool(joins) or most > NEIGHBOURHOOD
    for join in joins:
        assert least < NEIGHBOURHOOD / 2**join.order
        assert join.order == STORED_ORDER or most > NEIGHBOURHOOD / 2 ** (join.order + 1)
