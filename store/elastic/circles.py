"""Points in a circle, told by Elasticsearch's own distances but for those next to the rim."""

from __future__ import annotations

import math

from schemas.elastic import CORNER, PLACE
from sky.regions import Circle, Region
from store.elastic.columns import Body, Filter
from store.planner import Relation

RIM = 1e-5
"""Degrees to both sides of the rim in which nothing is certain, 36 mas.

Positions are kept to 0.3 mas there, and distances computed to 40 cm on a sphere of the Earth's size, 13 mas.
"""

MOST_RADIUS = 60.0
"""Degrees of the largest radius that is asked for so."""

_METRES = 6_371_008.7714 * math.pi / 180.0
"""Metres of a degree of a great circle on the sphere on which distances are computed."""


def circle_filter(relation: Relation, region: Region) -> Filter | None:
    """Return the filter of rows whose position is in a circle; None for what is no circle of positions."""
    if relation is not Relation.POSITION or not isinstance(region, Circle) or region.radius > MOST_RADIUS:
        return None
    return Filter(_near(PLACE, region, region.radius + RIM), _inside(PLACE, region))


def touching_filter(relation: Relation, region: Region) -> Body | None:
    """Return the filter of rows that are certain to meet a circle, because a point of theirs is in it."""
    if relation is not Relation.INTERSECTS or not isinstance(region, Circle) or region.radius > MOST_RADIUS:
        return None
    return _inside(CORNER, region)


def _inside(name: str, circle: Circle) -> Body | None:
    return _near(name, circle, circle.radius - RIM) if circle.radius > RIM else None


def _near(name: str, circle: Circle, degrees: float) -> Body:
    centre = [(circle.ra + 180.0) % 360.0 - 180.0, circle.dec]
    return {"geo_distance": {"distance": f"{degrees * _METRES:.3f}m", name: centre}}
