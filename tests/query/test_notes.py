"""A search polygon larger than a hemisphere is legal, and said."""

from query import build, tree
from query.notes import notes
from schemas import load_schemas
from sky.regions import Circle, Polygon, Union

TABLE = load_schemas().table("ivoa.obscore")
SMALL = Polygon(((20.0, 10.0), (10.0, 10.0), (10.0, 20.0), (20.0, 20.0)))
LARGE = Polygon(SMALL.vertices[::-1])


def _searching(region: Polygon | Circle | Union) -> tree.Query:
    return build.select(TABLE, where=build.position_in(TABLE, region))


def test_a_polygon_wound_as_dali_asks_needs_no_note() -> None:
    assert notes(_searching(SMALL)) == ()
    assert notes(_searching(Circle(0.0, 0.0, 120.0))) == ()


def test_a_polygon_wound_the_other_way_is_said_once() -> None:
    said = notes(_searching(Union((LARGE, LARGE, SMALL))))
    assert len(said) == 1
    assert "more than half of the sky" in said[0]
    assert "20 20 10 20 10 10 …" in said[0]
