"""The density of observations on the sky as an SVG drawing, in Mollweide's equal-area projection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sky.frames import to_icrs
from sky.healpix import cell_centres

Floats = NDArray[np.float64]

WIDTH, HEIGHT = 720.0, 360.0
"""Size of the ellipse in the drawing's units; a degree is 2.2 of them."""

_RADIUS = WIDTH / (4 * np.sqrt(2))
_CLASSES = 7
_MOST_DOTS = 3000
_LEAST_DOT = 6.0


@dataclass(frozen=True, slots=True)
class Layer:
    """The cells of one class of counts: an SVG path of dots, and the counts it stands for."""

    rank: int
    path: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class SkyMap:
    """What the template draws."""

    layers: tuple[Layer, ...]
    dot: float
    graticule: str
    galactic: str


def mollweide(ra: Floats, dec: Floats) -> tuple[Floats, Floats]:
    """Project ICRS degrees; right ascension 0 is in the middle and grows to the left.

    Returns
    -------
    x and y in the drawing's units, the origin in the middle, y downwards.
    """
    latitude = np.radians(np.asarray(dec, dtype=float))
    theta = latitude.copy()
    for _ in range(50):
        # Newton's method; at the poles the step is 0 / 0 and theta is right already.
        slope = 2 + 2 * np.cos(2 * theta)
        step = (2 * theta + np.sin(2 * theta) - np.pi * np.sin(latitude)) / np.where(slope < 1e-12, 1, slope)
        theta = theta - np.where(slope < 1e-12, 0, step)
    longitude = np.radians((np.asarray(ra, dtype=float) + 180) % 360 - 180)
    x = -2 * np.sqrt(2) / np.pi * _RADIUS * longitude * np.cos(theta)
    return x, -np.sqrt(2) * _RADIUS * np.sin(theta)


def draw(cells: Iterable[tuple[int, int]], order: int) -> SkyMap:
    """Draw how many observations each nested cell of an order holds; fine maps are made coarser."""
    counts = Counter(dict(cells))
    while len(counts) > _MOST_DOTS and order > 0:
        coarser: Counter[int] = Counter()
        for cell, number in counts.items():
            coarser[cell >> 2] += number
        counts, order = coarser, order - 1
    side = np.degrees(np.sqrt(4 * np.pi / (12 * 4**order))) * np.radians(1) * _RADIUS
    return SkyMap(
        tuple(_layers(counts, order)), max(round(side * 1.15, 1), _LEAST_DOT), _graticule(), _galactic()
    )


def _layers(counts: Counter[int], order: int) -> Iterable[Layer]:
    if not counts:
        return
    numbers = np.array(list(counts), dtype=np.int64)
    values = np.array([counts[int(cell)] for cell in numbers])
    x, y = mollweide(*cell_centres(numbers, order))
    # Classes are steps of the logarithm, for counts span many powers of ten.
    highest = max(np.log(values.max()), 1e-9)
    ranks = np.minimum((np.log(values) / highest * _CLASSES).astype(int), _CLASSES - 1)
    for rank in np.unique(ranks):
        chosen = ranks == rank
        path = "".join(f"M{a:.1f} {b:.1f}h0" for a, b in zip(x[chosen], y[chosen], strict=True))
        yield Layer(int(rank), path, int(values[chosen].min()), int(values[chosen].max()))


def _line(ra: Floats, dec: Floats) -> str:
    x, y = mollweide(ra, dec)
    parts = []
    for i, (a, b) in enumerate(zip(x, y, strict=True)):
        # A line that leaves at one side of the map comes back at the other.
        jump = i == 0 or abs(a - x[i - 1]) > WIDTH / 2
        parts.append(f"{'M' if jump else 'L'}{a:.1f} {b:.1f}")
    return "".join(parts)


def _graticule() -> str:
    along = np.linspace(-90, 90, 61)
    around = np.linspace(-179.999, 179.999, 2)
    meridians = [_line(np.full_like(along, ra), along) for ra in range(-150, 180, 30)]
    # Parallels are straight in this projection; the two ends are enough.
    parallels = [_straight(around, float(dec)) for dec in range(-60, 90, 30)]
    return "".join([*meridians, *parallels])


def _straight(around: Floats, dec: float) -> str:
    x, y = mollweide(around, np.full_like(around, dec))
    return f"M{x[0]:.1f} {y[0]:.1f}L{x[1]:.1f} {y[1]:.1f}"


def _galactic() -> str:
    longitude = np.linspace(0, 360, 181)
    ra, dec = to_icrs(longitude, np.zeros_like(longitude), "GALACTIC")
    return _line(ra, dec)
