"""Cells of the nested HEALPix scheme by plain arithmetic.

The compiled library starts threads on every call, which takes longer than the work itself for the few cells
that cover one search region. The formulae are those of Gorski et al. 2005, sections 4 and 5.
"""

import math

import numpy as np

from sky.vectors import FloatArray, IntArray

_RING = np.array([2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4])
_COLUMN = np.array([1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7])
_MASKS = (
    (1, 0x3333333333333333),
    (2, 0x0F0F0F0F0F0F0F0F),
    (4, 0x00FF00FF00FF00FF),
    (8, 0x0000FFFF0000FFFF),
    (16, 0x00000000FFFFFFFF),
)


def centres(numbers: IntArray, order: int | IntArray) -> tuple[FloatArray, FloatArray]:
    """Return the centres of cells as longitude and latitude [rad], in the shape of ``numbers``."""
    order = np.asarray(order, dtype=np.int64)
    size = np.int64(1) << order
    face = numbers >> 2 * order
    x, y = _every_second_bit(np.stack((numbers, numbers >> 1)))
    x, y = x & (size - 1), y & (size - 1)
    ring = _RING[face] * size - x - y - 1
    to_pole = np.minimum(np.minimum(ring, 4 * size - ring), size)
    near_pole = to_pole < size
    # 1 - |sin latitude|, exact at the poles; in the belt sin latitude itself.
    cap = (to_pole / size) ** 2 / 3.0
    belt = np.where(near_pole, 0.0, (2 * size - ring) * 2.0 / (3.0 * size))
    from_pole = np.pi / 2.0 - 2.0 * np.arcsin(np.sqrt(cap / 2.0))
    lat = np.where(near_pole, np.copysign(from_pole, 2 * size - ring), np.arcsin(belt))
    # Half steps around the ring, of which it has eight times ``to_pole``.
    steps = _COLUMN[face] * to_pole + x - y
    lon = (steps / to_pole * (np.pi / 4.0)) % (2.0 * np.pi)
    return lon, lat


def _every_second_bit(values: IntArray) -> IntArray:
    """Pack the bits at even places."""
    found = values & 0x5555555555555555
    for shift, mask in _MASKS:
        found = (found | found >> shift) & mask
    return found


def around(lon: float, lat: float, order: int) -> IntArray | None:
    """List the cell that holds a position [rad] and its eight neighbours, sorted.

    Returns
    -------
    None where they are not all on one of the twelve base cells.
    """
    face, x, y = _place(lon, lat, order)
    if not (0 < x < (1 << order) - 1 and 0 < y < (1 << order) - 1):
        return None
    columns, rows = (_spread(np.arange(at - 1, at + 2)) for at in (x, y))
    return np.sort((face << 2 * order) + (columns[:, None] | rows << 1).ravel())


def _place(lon: float, lat: float, order: int) -> tuple[int, int, int]:
    """Return the base cell of a position [rad], and the column and row in it."""
    size = 1 << order
    quarter = lon % (2.0 * math.pi) / (math.pi / 2.0)
    height = math.sin(lat)
    if abs(height) <= 2.0 / 3.0:
        falling = math.floor(size * (0.5 + quarter - 0.75 * height))
        rising = math.floor(size * (0.5 + quarter + 0.75 * height))
        down, up = falling >> order, rising >> order
        face = (down & 3) | 4 if down == up else down & 3 if down < up else (up & 3) + 8
        return face, rising & (size - 1), size - (falling & (size - 1)) - 1
    column = min(int(quarter), 3)
    # The square root of 3 (1 - |height|), which would lose its digits near a pole.
    reach = size * math.sqrt(6.0) * math.sin((math.pi / 2.0 - abs(lat)) / 2.0)
    falling = min(int((quarter - column) * reach), size - 1)
    rising = min(int((1.0 - quarter + column) * reach), size - 1)
    if height > 0.0:
        return column, size - rising - 1, size - falling - 1
    return column + 8, falling, rising


def _spread(values: IntArray) -> IntArray:
    """Put the bits at even places."""
    found = values
    for shift, mask in (
        (16, 0x0000FFFF0000FFFF),
        (8, 0x00FF00FF00FF00FF),
        (4, 0x0F0F0F0F0F0F0F0F),
        (2, 0x3333333333333333),
        (1, 0x5555555555555555),
    ):
        found = (found | found << shift) & mask
    return found
