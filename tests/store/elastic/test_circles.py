"""What distances say of points at the rim of a circle, asked of Elasticsearch itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from elasticsearch import Elasticsearch

from schemas.elastic import CORNER, PLACE
from sky.forms import Circle, Point, Region
from store.elastic.circles import MOST_RADIUS, RIM, circle_filter, touching_filter
from store.planner import Relation

pytestmark = pytest.mark.slow

INDEX = "points-at-rims"
CENTRES = [(0.0, 0.0), (180.0, 10.0), (359.99, -45.0), (83.6, 89.99), (12.0, -90.0), (200.0, 66.6)]
RADII = [1e-4, 0.01, 1.0, 30.0, MOST_RADIUS]
OFFSETS = RIM * np.array([-5.0, -2.1, -1.9, -0.9, -0.1, 0.0, 0.1, 0.9, 1.9, 2.1, 5.0])


def unit(ra: Any, dec: Any) -> Any:
    lon, lat = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], -1)


def around(ra: float, dec: float, radius: float) -> list[tuple[float, float]]:
    """Points whose distances from a place are a radius and a bit, in twelve directions."""
    centre = unit(ra, dec)
    one = np.cross(centre, [1.0, 0.0, 0.0] if abs(centre[0]) < 0.9 else [0.0, 1.0, 0.0])
    one /= np.linalg.norm(one)
    other = np.cross(centre, one)
    found = []
    for place, offset in enumerate(np.tile(OFFSETS, 12)):
        far, turn = np.radians(max(radius + offset, 0.0)), place * 0.7
        x, y, z = np.cos(far) * centre + np.sin(far) * (np.cos(turn) * one + np.sin(turn) * other)
        found.append(
            (float(np.degrees(np.arctan2(y, x))) % 360.0, float(np.degrees(np.arctan2(z, np.hypot(x, y)))))
        )
    return found


CIRCLES = [(ra, dec, radius) for ra, dec in CENTRES for radius in RADII]
POINTS = [point for circle in CIRCLES for point in around(*circle)]


def separations(ra: float, dec: float) -> Any:
    """Distances of all points from a place, degrees; exact also where they are small."""
    centre, points = unit(ra, dec), unit(*np.array(POINTS).T)
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(points, centre), axis=-1), points @ centre))


@pytest.fixture(scope="module")
def points(client: Elasticsearch) -> Iterator[Elasticsearch]:
    fields = {name: {"type": "geo_point"} for name in (PLACE, CORNER)}
    client.indices.create(index=INDEX, mappings={"properties": fields})
    lines: list[dict[str, Any]] = []
    for number, (ra, dec) in enumerate(POINTS):
        point = [(ra + 180.0) % 360.0 - 180.0, dec]
        lines += [{"index": {"_id": str(number)}}, {PLACE: point, CORNER: point}]
    assert not client.bulk(index=INDEX, operations=lines, refresh=True)["errors"]
    yield client
    client.indices.delete(index=INDEX)


def found(client: Elasticsearch, body: Any) -> set[int]:
    answer = client.search(index=INDEX, query=body, size=10_000, source=False)
    return {int(hit["_id"]) for hit in answer["hits"]["hits"]}


@pytest.mark.parametrize(("ra", "dec", "radius"), CIRCLES)
def test_none_in_the_circle_is_missed_and_none_outside_is_certain(
    points: Elasticsearch, ra: float, dec: float, radius: float
) -> None:
    told = circle_filter(Relation.POSITION, Circle(ra, dec, radius))
    assert told is not None
    assert told.certain is not None
    distances = separations(ra, dec)
    inside = set(np.flatnonzero(distances <= radius).tolist())
    assert found(points, told.body) >= inside
    assert found(points, told.certain) <= inside
    clear = set(np.flatnonzero(distances <= radius - 2 * RIM).tolist())
    assert found(points, told.certain) >= clear
    assert found(points, touching_filter(Relation.INTERSECTS, Circle(ra, dec, radius))) == found(
        points, told.certain
    )


def test_a_circle_smaller_than_what_distances_tell_is_never_certain() -> None:
    told = circle_filter(Relation.POSITION, Circle(1.0, 2.0, RIM / 2))
    assert told is not None
    assert told.certain is None


@pytest.mark.parametrize(
    ("relation", "region"),
    [
        (Relation.POSITION, Circle(1.0, 2.0, MOST_RADIUS + 1)),
        (Relation.POSITION, Point(1.0, 2.0)),
        (Relation.INTERSECTS, Circle(1.0, 2.0, 3.0)),
        (Relation.WITHIN, Circle(1.0, 2.0, 3.0)),
    ],
)
def test_what_is_no_circle_of_positions_is_left_to_cells(relation: Relation, region: Region) -> None:
    assert circle_filter(relation, region) is None
