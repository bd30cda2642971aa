from __future__ import annotations

import json

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import Latitude, Longitude
from mocpy import MOC

from sky.extent import FINER, extent
from sky.footprints import Footprints
from sky.forms import MocRegion
from sky.moc import to_json

CELL = {order: np.degrees(np.sqrt(4 * np.pi / 12)) / 2**order for order in range(30)}
"""Width of a cell, degrees."""


def as_moc(region: MocRegion) -> MOC:
    return MOC.from_json(json.loads(to_json(region)))


def cone(ra: float, dec: float, radius: float, order: int) -> MOC:
    finer = min(29, order + 4)
    found = MOC.from_cone(
        Longitude(ra * u.deg), Latitude(dec * u.deg), radius=radius * u.deg, max_depth=finer
    )
    return found.degrade_to_order(order)


def centres(seed: int) -> list[tuple[float, float]]:
    rng = np.random.default_rng(seed)
    drawn = [(rng.uniform(0, 360), float(np.degrees(np.arcsin(rng.uniform(-1, 1))))) for _ in range(5)]
    return [(0.0, 89.999), (0.0, 0.0), (359.9999, -40.0), *drawn]


@pytest.mark.parametrize(
    ("order", "radius"),
    [
        (0, 1.0),
        (3, 1e-5),
        (3, 1.0),
        (3, 20.0),
        (3, 60.0),
        (8, 0.02),
        (8, 1.0),
        (8, 20.0),
        (11, 1e-5),
        (11, 1.0),
    ],
)
def test_a_cell_is_there_exactly_if_a_circle_reaches_it_but_for_an_eighth_of_its_width(
    order: int, radius: float
) -> None:
    placed = centres(order)
    found = as_moc(extent(Footprints.from_text([f"CIRCLE ICRS {a} {d} {radius}" for a, d in placed]), order))
    most = [cone(ra, dec, radius + CELL[order] / 2**FINER, order) for ra, dec in placed]
    assert found.difference(most[0].union(*most[1:])).empty()
    for ra, dec in placed:
        for bearing in np.linspace(0, 2 * np.pi, 30):
            a, d = offset(ra, dec, radius * (1 - 1e-9), bearing)
            assert found.contains_lonlat(np.array([a]) * u.deg, np.array([d]) * u.deg).all()


def square(ra: float, dec: float, half: float) -> str:
    corners = [offset(ra, dec, half, np.radians(bearing)) for bearing in (315, 225, 135, 45)]
    return "POLYGON ICRS " + " ".join(f"{a!r} {d!r}" for a, d in corners)


@pytest.mark.parametrize(("order", "half"), [(4, 0.3), (8, 0.3), (8, 0.01), (6, 5.0)])
def test_polygons_lie_within_their_cells_and_these_within_reach_of_them(order: int, half: float) -> None:
    placed = centres(order)
    found = as_moc(extent(Footprints.from_text([square(a, d, half) for a, d in placed]), order))
    most = [cone(ra, dec, half + CELL[order] / 2**FINER, order) for ra, dec in placed]
    assert found.difference(most[0].union(*most[1:])).empty()
    for ra, dec in placed:
        for distance in np.linspace(0, half * 0.999, 5):
            for corner in (45, 135, 225, 315):
                a, d = offset(ra, dec, distance, np.radians(corner))
                assert found.contains_lonlat(np.array([a]) * u.deg, np.array([d]) * u.deg).all()


def test_unions_mocs_and_points_are_covered_and_nothing_is_nothing() -> None:
    texts = ["UNION ICRS (CIRCLE 10 10 0.5 CIRCLE 50 -50 0.5)", "POSITION ICRS 200 20", "5/100", None, ""]
    found = as_moc(extent(Footprints.from_text(texts), 7))
    for ra, dec in ((10, 10), (50, -50), (200, 20)):
        assert found.contains_lonlat(np.array([ra]) * u.deg, np.array([dec]) * u.deg).all()
    assert MOC.from_str("5/100").difference(found).empty()
    assert extent(Footprints.from_text([None, ""]), 7) == MocRegion(())


def offset(ra: float, dec: float, distance: float, bearing: float) -> tuple[float, float]:
    """Return the position at a distance from another, in a direction."""
    d, s = np.radians(dec), np.radians(distance)
    sine = np.sin(d) * np.cos(s) + np.cos(d) * np.sin(s) * np.cos(bearing)
    y, x = np.sin(bearing) * np.sin(s) * np.cos(d), np.cos(s) - np.sin(d) * sine
    return float(np.degrees(np.radians(ra) + np.arctan2(y, x)) % 360), float(
        np.degrees(np.arcsin(np.clip(sine, -1, 1)))
    )
