"""Regions and footprints as few ranges of order-29 HEALPix cells.

Every cover is a superset: it holds each cell that a point of the region, boundary included, can be
numbered with. Cells marked inner lie inside completely. Both follow from one test: how far a cell's
centre lies inside or outside the region, against a bound of how far the cell reaches. Refining stops
where the number of ranges allowed is used up.
"""

import math
from dataclasses import dataclass

import numpy as np

from sky import nested
from sky.alike import NEIGHBOURHOOD, PAD, SMALL_CAP, Alike, alike, as_ranges, children, start_orders
from sky.footprints import OTHER, POINT, Footprints
from sky.forms import MocRegion, Region, Union
from sky.healpix import cell_centres, cell_radii, cells, neighbourhoods
from sky.moc import from_ranges
from sky.shapes import bounding_cap, signed_distance
from sky.vectors import BoolArray, FloatArray, IntArray, positions, unit_vectors

BATCH = 4096
"""Footprints covered together, so that what they need stays in the processor's cache."""


@dataclass(frozen=True, eq=False)
class Coverage:
    """Ranges of many footprints, and a circle around each.

    Attributes
    ----------
    rows, lo, hi, inner : one entry per range, sorted by row and ``lo``: the footprint's row, half-open
        order-29 cells, and whether they lie inside completely.
    ra, dec, radius : one entry per footprint: a circle that holds it [deg], NaN where it has no region.
    """

    rows: IntArray
    lo: IntArray
    hi: IntArray
    inner: BoolArray
    ra: FloatArray
    dec: FloatArray
    radius: FloatArray


def search_ranges(region: Region, max_ranges: int = 16) -> IntArray:
    """Cover a region with at most ``max_ranges`` sorted half-open order-29 ranges, shape (n, 2)."""
    covered, _ = _cover(region, max_ranges)
    return _limited(covered, max_ranges)


def rough_ranges(region: Region) -> IntArray:
    """Cover a region with the cells around the one at its centre: sooner than ``search_ranges``, and wider.

    At most 12 sorted half-open order-29 ranges, shape (n, 2), of some ten times the area of a circle.
    """
    order, around = _start(*bounding_cap(region), 29)
    return _merged(as_ranges(around, order))


def inner_ranges(region: Region, max_ranges: int = 64) -> IntArray:
    """List order-29 ranges inside a region completely, shape (n, 2), sorted; the largest if too many."""
    _, inner = _cover(region, max_ranges)
    largest = np.argsort(inner[:, 0] - inner[:, 1], kind="stable")[:max_ranges]
    return inner[np.sort(largest)]


def cover_moc(region: Region, order: int = 10) -> MocRegion:
    """Cover a region with whole cells down to ``order``."""
    covered, _ = _cover(region, 1 << 40, order)
    return from_ranges(covered)


def _cover(region: Region, most: int, finest: int = 29) -> tuple[IntArray, IntArray]:
    """Return all ranges that touch a region, and those inside it."""
    if isinstance(region, MocRegion):
        exact = np.asarray(region.ranges, dtype=np.int64).reshape(-1, 2)
        return exact, exact
    if isinstance(region, Union):
        parts = [_cover(part, most, finest) for part in region.parts]
        return _merged(np.concatenate([both for both, _ in parts])), _merged(
            np.concatenate([own for _, own in parts])
        )
    order, border = _start(*bounding_cap(region), finest)
    for _ in range(min(2, finest - order)):
        # Too few cells to be told apart one order at a time.
        border, order = children(border), order + 1
    inner: list[IntArray] = []
    while True:
        ra, dec = cell_centres(border, order)
        depth = signed_distance(region, unit_vectors(ra, dec))
        reach = cell_radii(order, ra, dec)
        inner.append(as_ranges(border[depth >= reach], order))
        border = border[np.abs(depth) < reach]
        everything = _merged(np.concatenate([*inner, as_ranges(border, order)]))
        if order >= finest or not len(border) or len(everything) >= 2 * most or len(border) > 8 * most:
            return everything, _merged(np.concatenate(inner))
        border = children(border)
        order += 1


def _start(centre: FloatArray, radius: float, finest: int) -> tuple[int, IntArray]:
    if radius + PAD > NEIGHBOURHOOD:
        return 0, np.arange(12)
    order = min(int(start_orders(np.array([radius]))[0]), finest)
    ra, dec = positions(centre)
    found = nested.around(math.radians(ra), math.radians(dec), order)
    if found is None:
        found = neighbourhoods(cells([ra], [dec], order), order)[0]
    return order, found[found >= 0]


def _merged(ranges: IntArray) -> IntArray:
    """Join ranges in any order that touch or overlap."""
    pairs = ranges[np.argsort(ranges[:, 0], kind="stable")]
    reach = np.maximum.accumulate(pairs[:, 1])
    apart = np.flatnonzero(pairs[1:, 0] > reach[:-1]) + 1
    if not len(pairs):
        return pairs
    return np.stack((pairs[np.append(0, apart), 0], reach[np.append(apart, len(pairs)) - 1]), axis=1)


def _limited(ranges: IntArray, most: int) -> IntArray:
    """Close the smallest gaps until at most ``most`` ranges remain."""
    surplus = len(ranges) - most
    if surplus <= 0:
        return ranges
    gaps = ranges[1:, 0] - ranges[:-1, 1]
    kept = np.sort(np.argsort(gaps, kind="stable")[surplus:])
    starts = np.concatenate(([0], kept + 1))
    ends = np.concatenate((kept, [len(ranges) - 1]))
    return np.stack((ranges[starts, 0], ranges[ends, 1]), axis=1)


def cover_footprints(footprints: Footprints, max_ranges: int = 8) -> Coverage:
    """Cover the footprints of many rows with at most ``max_ranges`` ranges each.

    From 12 on covers are finer, with inner cells for most footprints. Eight are usual: 24 would double the
    index to spare a search 5 % of its candidates.
    """
    caps = np.full((len(footprints), 3), np.nan)
    radii = np.full(len(footprints), np.nan)
    parts: list[_Ranges] = []
    points = footprints.rows_of(POINT)
    caps[points], radii[points] = footprints.centres(points), 0.0
    own = cells(footprints.ra[footprints.offsets[points]], footprints.dec[footprints.offsets[points]])
    parts.append(_Ranges(points, own, own + 1, np.zeros(len(points), np.bool_)))
    large = [footprints.rows_of(OTHER)]
    for kind in alike(footprints):
        caps[kind.rows], radii[kind.rows] = kind.centre.T, kind.radius
        small = np.flatnonzero(kind.radius <= SMALL_CAP)
        large.append(kind.rows[kind.radius > SMALL_CAP])
        for first in range(0, len(small), BATCH):
            found = _cover_batch(kind, small[first : first + BATCH], 2 if max_ranges >= 12 else 1)
            found = found.limited(max_ranges)
            parts.append(_Ranges(kind.rows[found.rows], found.lo, found.hi, found.inner))
    for row in np.concatenate(large).tolist():
        region = footprints.region(row)
        if region is not None:
            parts.append(_cover_one(row, region, max_ranges))
            caps[row], radii[row] = bounding_cap(region)
    joined = _Ranges.joined(parts)
    ra, dec = positions(caps)
    radius = np.minimum(np.degrees(radii + PAD), 180.0)
    return Coverage(joined.rows, joined.lo, joined.hi, joined.inner, ra, dec, radius)


@dataclass(frozen=True, slots=True)
class _Ranges:
    """Ranges by row; sorted by row and ``lo`` within one batch."""

    rows: IntArray
    lo: IntArray
    hi: IntArray
    inner: BoolArray

    @classmethod
    def joined(cls, parts: "list[_Ranges]") -> "_Ranges":
        rows = np.concatenate([part.rows for part in parts])
        order = np.argsort(rows, kind="stable")
        return cls(
            rows[order],
            np.concatenate([part.lo for part in parts])[order],
            np.concatenate([part.hi for part in parts])[order],
            np.concatenate([part.inner for part in parts])[order],
        )

    def grouped(self, starts: BoolArray) -> "_Ranges":
        """Join neighbours into one range wherever ``starts`` is false; inner only if all of them are."""
        first = np.flatnonzero(starts)
        if not len(first):
            return self
        last = np.concatenate((first[1:], [len(starts)])) - 1
        inner = np.logical_and.reduceat(self.inner, first)
        return _Ranges(self.rows[first], self.lo[first], self.hi[last], inner)

    def limited(self, most: int) -> "_Ranges":
        """Join what touches, then close the smallest gaps of rows with more than ``most`` ranges."""
        whole = self.grouped(
            np.concatenate(
                (
                    [True],
                    (self.rows[1:] != self.rows[:-1])
                    | (self.lo[1:] != self.hi[:-1])
                    | (self.inner[1:] != self.inner[:-1]),
                )
            )[: len(self.rows)]
        )
        counts = np.bincount(whole.rows)
        if not len(whole.rows) or counts.max() <= most:
            return whole
        same = np.concatenate(([False], whole.rows[1:] == whole.rows[:-1]))
        gap = np.where(same, whole.lo - np.concatenate(([0], whole.hi[:-1])), np.iinfo(np.int64).max)
        order = np.lexsort((gap, whole.rows))
        first = np.concatenate(([0], np.cumsum(counts)[:-1]))
        rank = np.empty(len(gap), np.int64)
        rank[order] = np.arange(len(gap)) - first[whole.rows[order]]
        starts = ~same | (rank >= counts[whole.rows] - most)
        # A closed gap brings in cells that may lie outside.
        inner = whole.inner & (starts | (gap == 0))
        return _Ranges(whole.rows, whole.lo, whole.hi, inner).grouped(starts)


def _cover_batch(kind: Alike, batch: IntArray, steps: int) -> _Ranges:
    """Refine the neighbourhoods of small footprints by ``steps`` orders, all of them at once."""
    found = kind.start(batch)
    for _ in range(steps):
        found = kind.near(found.refined())
    depth = kind.depths(found.rows, found.points)
    kept = depth > -found.reach
    shift = 2 * (29 - found.order[kept])
    lo = found.number[kept] << shift
    return _Ranges(found.rows[kept], lo, lo + (np.int64(1) << shift), (depth >= found.reach)[kept])


def _cover_one(row: int, region: Region, most: int) -> _Ranges:
    covered, inner = _cover(region, most)
    covered = _limited(covered, most)
    holding = np.searchsorted(inner[:, 0], covered[:, 0], side="right") - 1
    ends = np.append(inner[:, 1], -1)
    complete = (holding >= 0) & (covered[:, 1] <= ends[holding])
    return _Ranges(np.full(len(covered), row), covered[:, 0], covered[:, 1], complete)
