"""Refining tells exactly which rows stand in a relation to a region, and keeps to the time."""

from __future__ import annotations

import numpy as np
import pytest

from sky import relations
from sky.footprints import Footprints
from sky.healpix import cells
from sky.regions import Circle, Polygon, Region, Union
from store.limits import TimeLimit
from store.planner import Relation
from store.port import QueryTimeout
from store.spherical import ShapeStore
from store.spherical.cover import as_spans, spans
from store.spherical.refine import covering, footprints_related, positions_inside, searched

RNG = np.random.default_rng(3)
RA, DEC = RNG.uniform(0, 360, 500), np.degrees(np.arcsin(RNG.uniform(-1, 1, 500)))

FOOTPRINTS = Footprints.from_text(
    [
        None if i % 11 == 0
        else f"UNION ICRS (CIRCLE {ra} {dec} 1 CIRCLE {(ra + 20) % 360} {dec} 2)" if i % 11 == 1
        else f"CIRCLE ICRS {ra} {dec} {i % 17}"
        for i, (ra, dec) in enumerate(zip(RA, DEC, strict=True))
    ]
)  # fmt: skip

REGIONS = (
    Circle(10.0, 80.0, 25.0),
    Circle(180.0, -30.0, 12.0),
    Polygon(((350.0, -10.0), (20.0, -10.0), (20.0, 30.0), (350.0, 30.0))),
    Union((Circle(10.0, 80.0, 5.0), Circle(200.0, -40.0, 15.0))),
)

BY_HAND = {
    Relation.INTERSECTS: relations.intersects,
    Relation.WITHIN: lambda region, rows: relations.within(rows, region),
    Relation.CONTAINS: lambda region, rows: relations.contains(rows, region),
}


@pytest.mark.parametrize("region", REGIONS, ids=str)
@pytest.mark.parametrize("relation", list(BY_HAND))
def test_footprints_are_related_as_the_exact_test_says(relation: Relation, region: Region) -> None:
    places = np.arange(len(FOOTPRINTS), dtype=np.int64)[::-3]
    found = footprints_related(relation, region, ShapeStore.of(FOOTPRINTS), places, TimeLimit())
    assert found.tolist() == BY_HAND[relation](region, FOOTPRINTS.take(places)).tolist()


@pytest.mark.parametrize("region", REGIONS, ids=str)
def test_positions_are_inside_as_the_exact_test_says_and_lie_in_the_cover(region: Region) -> None:
    places = np.arange(len(RA), dtype=np.int64)
    inside = positions_inside(region, RA, DEC, places, TimeLimit())
    assert inside.tolist() == relations.contains_points(region, RA, DEC).tolist()
    assert inside.any()
    ranges = covering(Relation.POSITION, region, TimeLimit())
    there = cells(RA, DEC)[inside]
    assert all(((ranges[:, 0] <= cell) & (cell < ranges[:, 1])).any() for cell in there)


def test_a_union_is_searched_part_by_part_where_that_is_the_same() -> None:
    union = REGIONS[3]
    assert isinstance(union, Union)
    assert searched(Relation.POSITION, union) == searched(Relation.INTERSECTS, union) == tuple(union.parts)
    assert searched(Relation.WITHIN, union) == searched(Relation.CONTAINS, union) == (union,)
    assert searched(Relation.INTERSECTS, REGIONS[0]) == (REGIONS[0],)


@pytest.mark.parametrize("relation", list(BY_HAND))
def test_it_ends_when_the_time_is_up(relation: Relation) -> None:
    places, shapes = np.arange(500, dtype=np.int64), ShapeStore.of(FOOTPRINTS)
    with pytest.raises(QueryTimeout):
        covering(relation, REGIONS[3], TimeLimit(0))
    with pytest.raises(QueryTimeout):
        positions_inside(REGIONS[0], RA, DEC, places, TimeLimit(0))
    with pytest.raises(QueryTimeout):
        footprints_related(relation, REGIONS[0], shapes, places, TimeLimit(0))


@pytest.mark.parametrize("rows", [[], [3], [3, 4, 5], [0, 2, 3, 9, 11, 12]])
def test_rows_become_spans_and_back(rows: list[int]) -> None:
    found = as_spans(np.array(rows, dtype=np.int64))
    assert spans(found).tolist() == rows
    assert (found[1:, 0] > found[:-1, 1]).all()
