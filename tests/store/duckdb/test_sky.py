"""Positions and footprints are found exactly, at the poles and across RA 0, in base and delta alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from query import build, tree
from schemas import Kind
from sky import relations
from sky.footprints import Footprints
from sky.healpix import separation
from sky.regions import Circle, Point, Polygon, Range, Region, RegionError, normalise_search
from store.duckdb import DuckIndex
from vo.adql import translate

LAWS = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

ra_degrees = st.one_of(st.floats(0, 359.99), st.floats(359, 361).map(lambda ra: ra % 360), st.just(0.0))
dec_degrees = st.one_of(
    st.floats(-90, 90), st.floats(88, 90), st.floats(-90, -88), st.sampled_from([-90.0, 90.0])
)
radii = st.one_of(st.floats(0, 180), st.floats(0, 3), st.floats(0, 1e-6), st.just(0.0))
circles = st.builds(Circle, ra_degrees, dec_degrees, radii)


@st.composite
def polygons(draw: st.DrawFn) -> Region:
    ra, dec, size = draw(ra_degrees), draw(st.floats(-85, 85)), draw(st.floats(0.01, 4))
    wide = size / np.cos(np.radians(dec))
    corners = [(-wide, -size), (wide, -size), (wide, size), (-wide, size)]
    return normalise_search(
        Polygon(tuple(((ra + x) % 360, float(np.clip(dec + y, -89.9, 89.9))) for x, y in corners))
    )


@st.composite
def ranges(draw: st.DrawFn) -> Region:
    south = draw(st.floats(-90, 89))
    return normalise_search(Range(draw(ra_degrees), draw(ra_degrees), south, draw(st.floats(south, 90))))


regions = st.one_of(circles, polygons(), ranges(), st.builds(Point, ra_degrees, dec_degrees))


class Sky:
    """The same questions to the index and to plain loops over all rows."""

    def __init__(self, world: Any) -> None:
        self.index: DuckIndex = world.index()
        self.table = world.table("sky.obs")
        rows = world.rows("sky.obs")
        self.ids = np.array([row["id"] for row in rows])
        self.ra, self.dec = (
            np.array([np.nan if row[c] is None else row[c] for row in rows]) for c in ("ra", "dec")
        )
        self.footprints = Footprints.from_text([row["footprint"] for row in rows])
        assert not self.footprints.errors

    def found(self, where: tree.Predicate) -> list[str]:
        with self.index.snapshot() as snapshot:
            answer = snapshot.run(build.select(self.table, names=["id"], where=where))
            return sorted(answer.table()["id"].to_pylist())

    def expected(self, holds: np.ndarray) -> list[str]:
        return sorted(self.ids[holds].tolist())

    @property
    def footprint(self) -> tree.RegionOf:
        return build.footprint(self.table)

    @property
    def position(self) -> tree.PointOf:
        return tree.PointOf(build.column(self.table, "ra"), build.column(self.table, "dec"))


@pytest.fixture(scope="module")
def sky(sky_world: Any) -> Sky:
    return Sky(sky_world)


@LAWS
@given(circle=circles)
def test_a_cone_finds_what_is_within_its_radius(sky: Sky, circle: Circle) -> None:
    distance = separation(sky.ra, sky.dec, circle.ra, circle.dec)
    rim = np.abs(distance - circle.radius) < 1e-10
    found = sky.found(build.position_in(sky.table, circle))
    assert set(found) - set(sky.ids[rim]) == set(sky.expected((distance <= circle.radius) & ~rim))


@LAWS
@given(region=regions)
def test_positions_in_a_region_are_those_the_kernel_says(sky: Sky, region: Region) -> None:
    if isinstance(region, Circle):
        return
    found = sky.found(build.position_in(sky.table, region))
    assert found == sky.expected(relations.contains_points(region, sky.ra, sky.dec))


@pytest.mark.slow
@LAWS
@given(region=regions)
def test_footprints_are_found_as_the_kernel_says(sky: Sky, region: Region) -> None:
    constant = tree.RegionLiteral(region)
    for condition, expected in (
        (tree.Intersects(sky.footprint, constant), relations.intersects(region, sky.footprints)),
        (tree.Contains(sky.footprint, constant), relations.within(sky.footprints, region)),
        (tree.Contains(constant, sky.footprint), relations.contains(sky.footprints, region)),
    ):
        assert sky.found(build.is_true(condition)) == sky.expected(expected)


@pytest.mark.slow
@LAWS
@given(region=regions, other=circles)
def test_conditions_under_or_and_not_mean_the_same(sky: Sky, region: Region, other: Circle) -> None:
    meets = build.is_true(tree.Intersects(sky.footprint, tree.RegionLiteral(region)))
    near = build.position_in(sky.table, other)
    holds = relations.intersects(region, sky.footprints)
    inside = np.isin(sky.ids, sky.found(near))
    shaped = sky.footprints.kind != 0
    assert sky.found(tree.Or((meets, near))) == sky.expected(holds | inside)
    assert sky.found(tree.And((meets, near))) == sky.expected(holds & inside)
    assert sky.found(tree.Not(meets)) == sky.expected(~holds & shaped)


@LAWS
@given(circle=circles)
def test_all_ways_to_say_cone_agree(sky: Sky, circle: Circle) -> None:
    centre = tree.RegionLiteral(Point(circle.ra, circle.dec))
    contains = tree.Contains(sky.position, tree.RegionLiteral(circle))
    radius = tree.Literal(circle.radius, Kind.DOUBLE)
    zero, one = (tree.Literal(value, Kind.INT) for value in (0, 1))
    turned = tree.Contains(centre, tree.CircleOf(sky.position, radius))
    ways = [
        tree.Comparison("=", one, contains),
        tree.Comparison("=", contains, one),
        tree.Comparison("<>", contains, zero),
        tree.Not(tree.Comparison("=", contains, zero)),
        tree.Comparison("=", turned, one),
        tree.Comparison("<=", tree.Distance(sky.position, centre), radius),
        tree.Comparison(">=", radius, tree.Distance(centre, sky.position)),
    ]
    first, *others = [sky.found(way) for way in ways]
    assert all(other == first for other in others)
    outside = [
        tree.Comparison("=", contains, zero),
        tree.Comparison(">", tree.Distance(sky.position, centre), radius),
    ]
    positioned = set(sky.ids[np.isfinite(sky.ra)])
    assert all(set(sky.found(way)) == positioned - set(first) for way in outside)


Ask = Callable[..., list[dict[str, Any]]]


def test_a_cone_narrows_and_says_so(sky: Sky) -> None:
    query = build.select(sky.table, names=["id"], where=build.position_in(sky.table, Circle(0.1, 0.2, 0.5)))
    with sky.index.snapshot() as snapshot:
        (how,) = snapshot.explain(query)["spherical"]
    assert how["ranges"] <= 16
    assert how["candidates"] < len(sky.ids) / 4


@pytest.mark.parametrize("how", ["=", "<>"])
def test_nothing_is_narrowed_under_an_opposite(sky: Sky, how: str) -> None:
    condition = tree.Comparison(
        "=" if how == "=" else "<>",
        tree.Contains(sky.position, tree.RegionLiteral(Circle(1, 2, 3))),
        tree.Literal(0 if how == "=" else 1, Kind.INT),
    )
    with sky.index.snapshot() as snapshot:
        assert snapshot.explain(build.select(sky.table, where=condition))["spherical"] == []


def test_columns_against_columns_of_another_table(ask: Ask, sky_world: Any) -> None:
    """The text-to-text and point-to-text relations, row by row."""
    found = ask(
        "SELECT o.id, s.star FROM sky.obs AS o, sky.stars AS s "
        "WHERE CONTAINS(POINT(s.ra, s.dec), o.footprint) = 1 AND s.star < 60"
    )
    obs, stars = sky_world.rows("sky.obs"), [s for s in sky_world.rows("sky.stars") if s["star"] < 60]
    footprints = Footprints.from_text([row["footprint"] for row in obs])
    expected = {
        (obs[place]["id"], star["star"])
        for star in stars
        if star["ra"] is not None
        for place in np.flatnonzero(relations.contains(footprints, Point(star["ra"], star["dec"]))).tolist()
    }
    assert len(expected) > 5
    assert {(row["id"], row["star"]) for row in found} == expected


def test_a_crossmatch_by_a_constant_radius(ask: Ask, sky_world: Any) -> None:
    found = ask(
        "SELECT o.id, s.star FROM sky.obs AS o JOIN sky.stars AS s "
        "ON CONTAINS(POINT(o.ra, o.dec), CIRCLE(s.ra, s.dec, 0.05)) = 1"
    )
    assert {(row["id"], row["star"]) for row in found} == _near(sky_world, lambda _: 0.05)
    assert len({(row["id"], row["star"]) for row in found}) == len(found)
    assert len(found) > 20


APART = "DISTANCE(POINT(o.ra, o.dec), POINT(s.ra, s.dec))"


@pytest.mark.parametrize(
    ("source", "condition"),
    [
        ("sky.obs AS o, sky.stars AS s", f"{APART} < 1"),
        ("sky.obs AS o JOIN sky.stars AS s ON o.n = s.star", f"1 >= {APART}"),
        ("sky.obs AS o, sky.stars AS s", "1 = CONTAINS(POINT(s.ra, s.dec), CIRCLE(o.ra, o.dec, 39))"),
    ],
)
def test_a_crossmatch_joins_by_cells(sky: Sky, source: str, condition: str) -> None:
    with sky.index.snapshot() as snapshot:
        query = translate(f"SELECT o.id FROM {source} WHERE {condition}", snapshot.schemas)
        assert len(snapshot.explain(query)["joined by cells"]) == 1


@pytest.mark.parametrize(
    ("source", "condition"),
    [
        ("sky.obs AS o, sky.stars AS s", f"{APART} > 1"),
        ("sky.obs AS o, sky.stars AS s", f"{APART} < 50"),
        ("sky.obs AS o, sky.stars AS s", f"NOT {APART} < 1"),
        ("sky.obs AS o, sky.stars AS s", f"({APART} < 1 OR o.n = 1)"),
        (f"sky.obs AS o FULL JOIN sky.stars AS s ON {APART} < 1", "o.n = 1"),
    ],
)
def test_a_join_that_is_no_crossmatch_does_not(sky: Sky, source: str, condition: str) -> None:
    with sky.index.snapshot() as snapshot:
        query = translate(f"SELECT o.id FROM {source} WHERE {condition}", snapshot.schemas)
        assert snapshot.explain(query)["joined by cells"] == []


def test_a_crossmatch_by_each_row_s_radius(ask: Ask, sky_world: Any) -> None:
    found = ask(
        "SELECT o.id, s.star FROM sky.stars AS s, sky.obs AS o "
        "WHERE 1 = CONTAINS(POINT(o.ra, o.dec), CIRCLE(s.ra, s.dec, s.radius))"
    )
    assert {(row["id"], row["star"]) for row in found} == _near(sky_world, lambda star: star["radius"])


def test_an_outer_crossmatch_keeps_what_is_alone(ask: Ask, sky_world: Any) -> None:
    found = ask(
        "SELECT s.star, o.id FROM sky.stars AS s LEFT JOIN sky.obs AS o "
        "ON DISTANCE(POINT(o.ra, o.dec), POINT(s.ra, s.dec)) <= 0.01"
    )
    near = _near(sky_world, lambda _: 0.01)
    alone = {(None, row["star"]) for row in sky_world.rows("sky.stars")} - {(None, star) for _, star in near}
    assert {(row["id"], row["star"]) for row in found} == near | alone
    assert len(found) == len(near) + len(alone)


def _near(world: Any, radius: Callable[[dict[str, Any]], float]) -> set[tuple[str, int]]:
    obs = [row for row in world.rows("sky.obs") if row["ra"] is not None]
    ra, dec = (np.array([row[name] for row in obs]) for name in ("ra", "dec"))
    return {
        (obs[place]["id"], star["star"])
        for star in world.rows("sky.stars")
        if star["ra"] is not None
        for place in np.flatnonzero(separation(ra, dec, star["ra"], star["dec"]) <= radius(star)).tolist()
    }


def test_measures_agree_with_the_sky(ask: Ask, sky_world: Any) -> None:
    rows = ask("SELECT id, AREA(footprint) AS extent, COORD2(CENTROID(footprint)) AS dec FROM sky.obs")
    texts = {row["id"]: row["footprint"] for row in sky_world.rows("sky.obs")}
    odd = [(row, texts[row["id"]]) for row in rows if (row["extent"] is None) != (texts[row["id"]] is None)]
    assert odd == []
    assert all((row["extent"] is None) == (texts[row["id"]] is None) == (row["dec"] is None) for row in rows)
    assert all(row["extent"] > 0 and abs(row["dec"]) <= 90 for row in rows if row["extent"] is not None)


def test_refused_regions_never_reach_the_index() -> None:
    with pytest.raises(RegionError):
        normalise_search(Polygon(((0, 0), (1, 1), (1, 0), (0, 1))))
