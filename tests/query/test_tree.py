"""The tree can be walked, and built in code."""

from typing import Any

import pytest

from query import build, tree
from schemas import Column, Kind, Table
from sky.regions import Circle, Point, Polygon, Range, Region

THINGS = Table(
    schema_name="lab",
    local_name="things",
    key=("id",),
    position=("ra", "dec"),
    region="shape",
    columns=(
        Column(name="id", kind=Kind.LONG),
        Column(name="ra", kind=Kind.DOUBLE),
        Column(name="dec", kind=Kind.DOUBLE),
        Column(name="shape", kind=Kind.REGION),
    ),
)
PLAIN = Table(schema_name="lab", local_name="plain", key=("id",), columns=(Column(name="id", kind=Kind.INT),))


@pytest.mark.parametrize(
    ("region", "kind"),
    [
        (Point(1.0, 2.0), Kind.POINT),
        (Circle(1.0, 2.0, 3.0), Kind.CIRCLE),
        (Polygon(((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))), Kind.POLYGON),
        (Range(0.0, 1.0, 2.0, 3.0), Kind.REGION),
    ],
)
def test_a_constant_region_knows_its_kind(region: Region, kind: Kind) -> None:
    assert tree.RegionLiteral(region).kind is kind


def test_walk_enters_sub_queries_but_not_declarations() -> None:
    inner = build.select(PLAIN)
    where = tree.InQuery(build.column(THINGS, "id"), inner)
    query = build.select(THINGS, names=["id"], where=where)
    found = list(tree.walk(query))
    assert [node.table.name for node in found if isinstance(node, tree.TableRef)] == [
        "lab.things",
        "lab.plain",
    ]
    assert inner in found


def test_tables_are_named_once() -> None:
    both = tree.SetOperation("union", False, build.select(PLAIN), build.select(PLAIN))  # noqa: FBT003
    assert tree.tables(both) == (PLAIN,)


def test_a_query_describes_its_columns() -> None:
    assert build.select(THINGS, names=["SHAPE", "id"]).columns == (
        THINGS.column("shape"),
        THINGS.column("id"),
    )
    assert [column.name for column in (build.count().field,)] == ["n"]


def test_predicates_are_joined() -> None:
    one, two = (tree.IsNull(build.column(THINGS, name)) for name in ("id", "ra"))
    assert build.all_of([]) is None
    assert build.all_of([None, one]) == one
    assert build.all_of([one, None, two]) == tree.And((one, two))


def test_a_search_asks_for_the_position_in_the_region() -> None:
    circle = Circle(1.0, 2.0, 3.0)
    where = build.position_in(THINGS, circle)
    assert isinstance(where, tree.Comparison)
    position = tree.PointOf(build.column(THINGS, "ra"), build.column(THINGS, "dec"))
    assert where.right == tree.Contains(position, tree.RegionLiteral(circle))


def test_a_table_without_position_or_footprint_cannot_be_searched() -> None:
    with pytest.raises(ValueError, match="no position"):
        build.position_in(PLAIN, Circle(1.0, 2.0, 3.0))
    with pytest.raises(ValueError, match="no footprint"):
        build.footprint(PLAIN)


NODES = [kind for kind in vars(tree).values() if isinstance(kind, type) and kind.__module__ == tree.__name__]


@pytest.mark.parametrize("node", NODES)
def test_nodes_can_be_neither_changed_nor_extended(node: Any) -> None:
    """They are shared and used as keys."""
    assert node.__dataclass_params__.frozen
    assert "__slots__" in vars(node)


def test_walk_goes_from_left_to_right() -> None:
    query = build.select(THINGS, names=["ra", "dec"], where=build.position_in(THINGS, Circle(1.0, 2.0, 3.0)))
    names = [node.name for node in tree.walk(query) if isinstance(node, tree.Column)]
    assert names == ["ra", "dec", "ra", "dec"]


def test_defaults_are_the_plain_forms() -> None:
    """What a query leaves out is not negated, not distinct, ascending, in the case that is written."""
    value = tree.Literal(1, Kind.INT)
    assert not tree.Between(value, value, value).negated
    assert not tree.InList(value, ()).negated
    assert not tree.IsNull(value).negated
    assert not tree.Order(value).descending
    like = tree.Like(value, value)
    assert (like.ignore_case, like.negated) == (False, False)
    query = tree.Select(())
    assert not query.distinct
    assert not tree.InQuery(value, query).negated


@pytest.mark.parametrize("kind", list(Kind))
def test_only_whole_numbers_widen_when_they_are_negated(kind: Kind) -> None:
    whole = kind in (Kind.SHORT, Kind.INT, Kind.LONG)
    assert tree.Negate(tree.Literal(None, kind)).kind is (Kind.LONG if whole else kind)
