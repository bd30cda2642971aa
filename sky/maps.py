"""Maps of images that no polygon can describe: those whose border leaves the sky, or that hold most of it."""

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np

from sky.forms import Circle, Region, RegionError
from sky.healpix import cells, neighbourhoods
from sky.moc import from_ranges
from sky.vectors import BoolArray, FloatArray, IntArray, positions

ToSky: TypeAlias = Callable[[FloatArray, FloatArray], FloatArray]
"""From pixel coordinates, 0 at the first pixel's centre, to ICRS unit vectors; NaN off the sky."""

_CELL: Final = float(np.sqrt(np.pi / 3.0))
"""Side of a square as large as a HEALPix base cell [rad]."""

_LEAST_ORDER, _MOST_ORDER = 6, 24
_CELLS_ACROSS: Final = 128
"""Cells from the middle of an image to its end."""

_BOXES: Final = 4096
_MOST_SPLITS: Final = 5
_NEAR: Final = 0.75
"""How far the corners of a box may be from its middle, in sides of a cell.

No place of a box is then farther than 0.55 rad / 2**order from a sample: a triangle of middle and corners is
covered by caps of 0.71 of its longest leg. The eight neighbours of a sample's cell reach at least 0.70.
"""

_EDGE_SPLITS, _BISECTIONS = 3, 16
_CORNERS: Final = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
_SAMPLES: Final = np.concatenate((np.zeros((1, 2)), _CORNERS))
"""Where a box is looked at, in halves of its sides from its middle."""


def sky_map(to_sky: ToSky, size: tuple[int, int]) -> tuple[Region, int]:
    """Cover what an image of ``size`` pixels shows with HEALPix cells, one more all around included.

    The image is cut into boxes until each is smaller on the sky than a cell or lies off the sky, so that
    the cells of its corners and their neighbours hold all of it.

    Returns
    -------
    The region, all of the sky or a MOC, and its order.

    Raises
    ------
    RegionError
        With code "wcs" if nothing of the sky shows.
    """
    boxes = _first_boxes(size)
    seen = _samples(to_sky, boxes)
    order = _order(seen)
    found: list[IntArray] = []
    for split in range(_MOST_SPLITS + 1):
        on_sky: BoolArray = ~np.isnan(seen[:, :, 0])
        whole = on_sky.all(axis=1)
        reach = np.linalg.norm(seen[:, 1:] - seen[:, :1], axis=2).max(axis=1)
        large = whole & (reach > _NEAR * _CELL / 2.0**order) & (split < _MOST_SPLITS)
        mixed = ~whole & on_sky.any(axis=1)
        again = large | (mixed & (split < _EDGE_SPLITS))
        found.append(_cells_of(seen[~again], order))
        found.append(_cells_of(_towards_edge(to_sky, boxes[mixed & ~again], on_sky[mixed & ~again]), order))
        if not again.any():
            break
        boxes = _quarters(boxes[again])
        seen = _samples(to_sky, boxes)
    return _as_region(np.unique(np.concatenate(found)), order), order


def _cells_of(sky: FloatArray, order: int) -> IntArray:
    shown = sky.reshape(-1, 3)
    shown = shown[~np.isnan(shown[:, 0])]
    return np.unique(cells(*positions(shown), order=order))


def _towards_edge(to_sky: ToSky, boxes: FloatArray, on_sky: BoolArray) -> FloatArray:
    """Follow lines between samples on and off the sky up to its edge: a limb hides much in its last pixel."""
    places = _places(boxes)
    box, shown, hidden = np.nonzero(on_sky[:, :, None] & ~on_sky[:, None, :])
    inside, outside = places[box, shown], places[box, hidden]
    found = [np.empty((0, 3))]
    for _ in range(_BISECTIONS if len(inside) else 0):
        middle = (inside + outside) / 2.0
        sky = to_sky(middle[:, 0], middle[:, 1])
        shown = ~np.isnan(sky[:, :1])
        inside, outside = np.where(shown, middle, inside), np.where(shown, outside, middle)
        found.append(sky)
    return np.concatenate(found)


def _first_boxes(size: tuple[int, int]) -> FloatArray:
    """Cut an image into boxes about as wide as high: middle and half the sides, shape (n, 4)."""
    side = np.sqrt(size[0] * size[1] / _BOXES)
    counts = [int(np.clip(np.ceil(length / side), 4, _BOXES // 4)) for length in size]
    half = [length / (2.0 * count) for length, count in zip(size, counts, strict=True)]
    middles = [2.0 * step * (np.arange(count) + 0.5) - 0.5 for step, count in zip(half, counts, strict=True)]
    x, y = (axis.ravel() for axis in np.meshgrid(*middles))
    return np.stack((x, y, np.full(x.size, half[0]), np.full(x.size, half[1])), axis=1)


def _quarters(boxes: FloatArray) -> FloatArray:
    half = boxes[:, None, 2:] / 2.0
    middles = boxes[:, None, :2] + half * _CORNERS
    return np.concatenate((middles, np.broadcast_to(half, middles.shape)), axis=2).reshape(-1, 4)


def _samples(to_sky: ToSky, boxes: FloatArray) -> FloatArray:
    """Return the middles and corners of boxes on the sky, shape (n, 5, 3)."""
    places = _places(boxes)
    return to_sky(places[..., 0].ravel(), places[..., 1].ravel()).reshape(*places.shape[:2], 3)


def _places(boxes: FloatArray) -> FloatArray:
    """Return where boxes are looked at, shape (n, 5, 2)."""
    result: FloatArray = boxes[:, None, :2] + boxes[:, None, 2:] * _SAMPLES
    return result


def _order(seen: FloatArray) -> int:
    shown = seen.reshape(-1, 3)
    shown = shown[~np.isnan(shown[:, 0])]
    if not len(shown):
        raise RegionError("wcs", "the image shows nothing of the sky")
    middle = shown.mean(axis=0)
    length = float(np.linalg.norm(middle))
    extent = np.pi
    if length > 0.1:
        chord = float(np.linalg.norm(shown - middle / length, axis=1).max())
        extent = 2.0 * np.arcsin(min(chord / 2.0, 1.0))
    wanted = np.log2(_CELL * _CELLS_ACROSS / max(extent, 1e-12))
    return int(np.clip(np.ceil(wanted), _LEAST_ORDER, _MOST_ORDER))


def _as_region(seeds: IntArray, order: int) -> Region:
    covered = np.unique(neighbourhoods(seeds, order))
    covered = covered[covered >= 0]
    if len(covered) == 12 << (2 * order):
        return Circle(0.0, 0.0, 180.0)
    shift = 2 * (29 - order)
    return from_ranges(np.stack((covered << shift, (covered + 1) << shift), axis=1))
