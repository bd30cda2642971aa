"""Footprints and maps of cells: what is certain of them by the middles of cells and caps around them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import healpy
import numpy as np
import pytest

from store.port import Index
from tests.conformance import sky_oracle as sky
from tests.conformance.judge import answered
from tests.conformance.sky_oracle import Cap, InDoubtError, Shape, Vector
from tests.conformance.world import Row

Cells = list[tuple[int, int]]


def draw(seed: int) -> Cells:
    """Draw cells near one another, at a pole, at right ascension zero or elsewhere."""
    rng = random.Random(seed)
    ra, dec = rng.choice([(rng.uniform(0, 360), rng.uniform(-60, 60)), (10.0, 89.9), (0.01, 0.3), (7.0, -89)])
    orders = rng.sample([0, 1, 3, 5, 7], 2)
    middle = {order: int(healpy.ang2pix(2**order, ra, dec, nest=True, lonlat=True)) for order in orders}
    return [(order, cell ^ rng.randrange(4)) for order, cell in middle.items() for _ in range(3)]


def around(cell: tuple[int, int]) -> Cap:
    """Return a cap that holds a cell."""
    order, number = cell
    centre = vector(healpy.pix2vec(2**order, number, nest=True))
    edge = healpy.boundaries(2**order, number, step=16, nest=True).T
    return Cap(centre, 1.01 * max(sky.angle(centre, vector(place)) for place in edge))


def vector(numbers: Sequence[float]) -> Vector:
    x, y, z = (float(number) for number in numbers)
    return x, y, z


def is_in(cells: Cells, p: Vector) -> bool:
    """Tell whether a point is in one of some cells; near the border of a cell that is in doubt."""
    near = np.array(p) + 1e-9 * np.array([[0, 0, 0], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1]])
    found = {any(healpy.vec2pix(2**o, *each, nest=True) == cell for o, cell in cells) for each in near}
    if len(found) > 1:
        raise InDoubtError
    return found.pop()


def meets(own: Shape, cells: Cells) -> bool:
    caps = [around(cell) for cell in cells]
    if not any(sky.meets(own, cap) for cap in caps):
        return False
    spots = [spot for part in sky.parts(own) for spot in part.spots()]
    if any(sky.holds_point(own, cap.centre) for cap in caps) or any(is_in(cells, spot) for spot in spots):
        return True
    raise InDoubtError


def within(own: Shape, cells: Cells) -> bool:
    parts = sky.parts(own)
    inside = all(is_in(cells, spot) for part in parts for spot in part.spots())
    if inside and any(not isinstance(part, Cap) or part.radius > 0 for part in parts):
        raise InDoubtError
    return inside


def holds(own: Shape, cells: Cells) -> bool:
    caps = [around(cell) for cell in cells]
    if not all(sky.holds_point(own, cap.centre) for cap in caps):
        return False
    if all(sky.holds(own, cap) for cap in caps):
        return True
    raise InDoubtError


RELATIONS = {
    "INTERSECTS(footprint, {})": meets,
    "CONTAINS(footprint, {})": within,
    "CONTAINS({}, footprint)": holds,
}


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize("seed", range(8))
def test_footprints_stand_to_maps_as_their_parts_say(
    indexes: Mapping[str, Index], rows: Mapping[str, Sequence[Row]], relation: str, seed: int
) -> None:
    cells = draw(seed)
    text = f"REGION('MOC {' '.join(f'{order}/{cell}' for order, cell in cells)}')"
    shown = {
        key
        for (key,) in answered(indexes["mixed"], f"SELECT id FROM lab.obs WHERE {relation.format(text)} = 1")
    }
    certain = 0
    for row in rows["lab.obs"]:
        if row["footprint"] is None:
            assert row["id"] not in shown
            continue
        try:
            wanted = RELATIONS[relation](row["footprint"].shape, cells)
        except InDoubtError:
            continue
        certain += 1
        assert (row["id"] in shown) is wanted, (row["footprint"].text, text)
    assert certain > 100
