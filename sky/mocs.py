"""Relations in which a region is a MOC: its cells are refined until each is inside or outside.

Cells are compared down to order 29, the resolution of the numbers themselves (0.4 mas).
"""

from collections.abc import Callable

import numpy as np

from sky.arcs import region_covers, regions_meet
from sky.forms import ORDER_29_CELLS, MocRegion, Point, Region, Union
from sky.healpix import cell_centres, cell_radii
from sky.moc import cells_by_order
from sky.shapes import in_moc, signed_distance
from sky.vectors import TOLERANCE, BoolArray, FloatArray, IntArray, unit_vectors

_MOST_CELLS = 200_000
"""Undecided cells at which refining stops; what is left lies along the boundary and counts as on it."""


def has_moc(region: Region) -> bool:
    """Tell whether a region is a MOC or a union with one."""
    if isinstance(region, Union):
        return any(has_moc(part) for part in region.parts)
    return isinstance(region, MocRegion)


def complement(moc: MocRegion) -> MocRegion:
    """Return all cells that a MOC does not hold."""
    edges = [0, *(end for pair in moc.ranges for end in pair), ORDER_29_CELLS]
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return MocRegion(tuple((low, high) for low, high in pairs if low < high))


def moc_meets(first: Region, second: Region) -> bool:
    """Tell whether two regions, at least one with a MOC, have a point in common."""
    if isinstance(first, Union):
        return any(_one_meets(part, second) for part in first.parts)
    return _one_meets(first, second)


def _one_meets(first: Region, second: Region) -> bool:
    if isinstance(second, Union):
        return any(_one_meets(first, part) for part in second.parts)
    if isinstance(first, MocRegion) and isinstance(second, MocRegion):
        return _mocs_meet(first, second)
    if isinstance(first, MocRegion):
        return _decide(first, second, _some_inside)
    if isinstance(second, MocRegion):
        return _decide(second, first, _some_inside)
    return regions_meet(first, second)


def moc_covers(outer: Region, inner: Region) -> bool:
    """Tell whether ``outer`` holds every point of ``inner``, where at least one has a MOC.

    A union as the outer region is taken part by part, so an inner region that needs several is not found.
    """
    if isinstance(inner, Union):
        return all(moc_covers(outer, part) for part in inner.parts)
    if isinstance(outer, Union):
        return any(moc_covers(part, inner) for part in outer.parts)
    if isinstance(outer, MocRegion):
        return _moc_holds(outer, inner)
    if isinstance(inner, MocRegion):
        return not _decide(inner, outer, _some_outside)
    return region_covers(outer, inner)


def _moc_holds(outer: MocRegion, inner: Region) -> bool:
    if isinstance(inner, Point):
        return bool(in_moc(outer, unit_vectors([inner.ra], [inner.dec]))[0])
    if isinstance(inner, MocRegion):
        return not _mocs_meet(complement(outer), inner)
    return not _decide(complement(outer), inner, _some_inside)


def _mocs_meet(first: MocRegion, second: MocRegion) -> bool:
    if not first.ranges or not second.ranges:
        return False
    own = np.asarray(first.ranges, np.int64)
    other = np.asarray(second.ranges, np.int64)
    place = np.searchsorted(other[:, 1], own[:, 0], side="right")
    starts = np.append(other[:, 0], np.iinfo(np.int64).max)
    return bool((starts[place] < own[:, 1]).any())


def _some_inside(depth: FloatArray) -> BoolArray:
    return depth > TOLERANCE


def _some_outside(depth: FloatArray) -> BoolArray:
    return depth < -TOLERANCE


def _decide(moc: MocRegion, region: Region, found: Callable[[FloatArray], BoolArray]) -> bool:
    """Refine the cells of a MOC until one is found, or none can be."""
    if isinstance(region, Point):
        inside = bool(in_moc(moc, unit_vectors([region.ra], [region.dec]))[0])
        return inside if found is _some_inside else bool(moc.ranges)
    if not moc.ranges:
        return False
    cells, orders = _listed(moc)
    while len(cells) and len(cells) < _MOST_CELLS:
        ra, dec = cell_centres(cells, orders)
        depth = signed_distance(region, unit_vectors(ra, dec))
        reach = cell_radii(orders, ra, dec)
        if found(depth).any():
            return True
        open_cells = (np.abs(depth) < reach) & (orders < 29)
        orders = np.repeat(orders[open_cells], 4) + 1
        cells = (cells[open_cells][:, None] * 4 + np.arange(4)).ravel()
    return False


def _listed(moc: MocRegion) -> tuple[IntArray, IntArray]:
    by_order = cells_by_order(moc)
    cells = np.concatenate([np.asarray(found, np.int64) for found in by_order.values()])
    return cells, np.repeat(np.asarray(list(by_order), np.int64), [len(found) for found in by_order.values()])
