"""What many footprints cover together, as one MOC."""

import numpy as np

from sky.alike import SMALL_CAP, Alike, alike, as_ranges
from sky.coverage import cover_moc
from sky.footprints import OTHER, POINT, Footprints
from sky.forms import MocRegion
from sky.healpix import cells
from sky.moc import degrade, from_ranges
from sky.vectors import IntArray

FINER = 3
"""Orders by which cells are looked at more finely than they are told: a cell belongs if a part of it does."""

_AT_ONCE = 4096
"""Footprints that are refined together."""


def extent(footprints: Footprints, order: int) -> MocRegion:
    """Return the cells of an order that some footprint touches.

    A cell that a footprint touches is never missing; one that is within an eighth of a cell of a footprint
    may be there.
    """
    finest = min(29, order + FINER)
    points = footprints.rows_of(POINT)
    at = footprints.offsets[points]
    parts = [as_ranges(cells(footprints.ra[at], footprints.dec[at], order), order)]
    large = [footprints.rows_of(OTHER)]
    for kind in alike(footprints):
        small = np.flatnonzero(kind.radius <= SMALL_CAP)
        large.append(kind.rows[kind.radius > SMALL_CAP])
        for first in range(0, len(small), _AT_ONCE):
            parts += _touched(kind, small[first : first + _AT_ONCE], order, finest)
    for row in np.concatenate(large).tolist():
        region = footprints.region(row)
        if region is not None:
            parts.append(np.asarray(cover_moc(region, finest).ranges, np.int64).reshape(-1, 2))
    return degrade(from_ranges(np.concatenate(parts)), order)


def _touched(kind: Alike, batch: IntArray, order: int, finest: int) -> list[IntArray]:
    """Return ranges of the cells, of an order or larger, that small footprints touch.

    A cell whose centre, or the centre of a part of which, lies inside is touched; only where that is not
    known of a cell of the order its parts are looked at.
    """
    found, ranges = kind.start(batch), []
    while len(found.rows):
        depth = kind.depths(found.rows, found.points)
        small = found.order >= order
        certain = np.where(small, depth >= 0.0, depth >= found.reach)
        certain |= (found.order >= finest) & (depth > -found.reach)
        own = found.number >> np.maximum(2 * (found.order - order), 0)
        known = np.unique(own[certain & small])
        ranges += [
            as_ranges(found.number[certain & ~small], found.order[certain & ~small]),
            as_ranges(known, order),
        ]
        undecided = (depth > -found.reach) & ~certain
        undecided &= ~(small & np.isin(own, known))
        found = kind.near(found.taken(np.flatnonzero(undecided)).refined())
    return ranges
