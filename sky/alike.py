"""Footprints that are tested alike, many at once: how far points lie in them, which cells they touch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from sky import polygons
from sky.footprints import CIRCLE, Footprints
from sky.healpix import cell_caps, cells, neighbourhoods
from sky.vectors import FloatArray, IntArray, angles, positions

FINEST_START = 27
"""Deepest order a cover starts from, two above the order of the numbers kept."""

NEIGHBOURHOOD = 0.70
"""A cap of this radius, in radians at order 0 and half of it for each order further, never reaches
beyond the eight neighbours of the cell that holds its centre."""

PAD = 1e-11
"""Slack for rounding in cap radii [rad]: six times the band in which the side of a point is free."""

SMALL_CAP = 0.6
"""Radius up to which footprints are covered in bulk [rad]; larger ones are refined one by one."""

Depths: TypeAlias = Callable[[IntArray, FloatArray], FloatArray]
"""From row numbers and cell centres (3, n) to how far inside the rows' regions these lie [rad];
it may be nearer to zero than the truth."""


def alike(footprints: Footprints) -> list["Alike"]:
    """Return circles and polygons, those of one test together."""
    kinds: list[Alike] = []
    circles = footprints.rows_of(CIRCLE)
    if len(circles):
        centre, radius = footprints.centres(circles).T.copy(), np.radians(footprints.radius[circles])
        kinds.append(Alike(circles, centre, radius, _circle_depths(centre, radius)))
    for group in footprints.polygon_groups:
        middle, reach = polygons.bounding_caps(group.vertices, group.edges)
        convex = (group.edges.turn >= 0.0).all(axis=1) & (reach <= SMALL_CAP)
        for chosen, depths in ((convex, _convex_depths), (~convex, _polygon_depths)):
            if chosen.any():
                test = depths(group.edges[chosen])
                kinds.append(Alike(group.rows[chosen], middle[chosen].T.copy(), reach[chosen], test))
    return kinds


@dataclass(frozen=True, slots=True)
class Alike:
    """Footprints of one test: ``rows``, and caps around them, ``centre`` (3, n) and ``radius`` (n,) [rad]."""

    rows: IntArray
    centre: FloatArray
    radius: FloatArray
    depths: Depths

    def start(self, batch: IntArray) -> "Cells":
        """Return all cells, of about their size, that small footprints may touch."""
        orders = start_orders(self.radius[batch])
        around = np.empty((len(batch), 9), np.int64)
        ra, dec = positions(self.centre[:, batch].T)
        for start in np.unique(orders).tolist():
            chosen = orders == start
            around[chosen] = neighbourhoods(cells(ra[chosen], dec[chosen], start), start)
        there = around.ravel() >= 0
        return self.near(
            Cells.of(np.repeat(batch, 9)[there], around.ravel()[there], np.repeat(orders, 9)[there])
        )

    def near(self, found: "Cells") -> "Cells":
        """Return those of some cells that the footprints' caps may touch."""
        chord2 = np.zeros(len(found.rows))
        for axis, own in zip(found.points, self.centre, strict=True):
            gap = axis - own[found.rows]
            chord2 += gap * gap
        # A chord is not longer than its arc.
        far = self.radius[found.rows] + found.reach + PAD
        return found.taken(np.flatnonzero(chord2 <= far * far))


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells of the footprints ``rows``, and caps around them: ``points`` (3, n), ``reach`` (n,) [rad]."""

    rows: IntArray
    number: IntArray
    order: IntArray
    points: FloatArray
    reach: FloatArray

    @classmethod
    def of(cls, rows: IntArray, number: IntArray, order: IntArray) -> "Cells":
        """Return cells with the caps around them."""
        points, reach = cell_caps(number, order)
        return cls(rows, number, order, points, reach)

    def refined(self) -> "Cells":
        """Return the four parts of each cell."""
        return Cells.of(np.repeat(self.rows, 4), children(self.number), np.repeat(self.order + 1, 4))

    def taken(self, which: IntArray) -> "Cells":
        """Return some of the cells, by their places."""
        return Cells(
            self.rows[which], self.number[which], self.order[which], self.points[:, which], self.reach[which]
        )


def _circle_depths(centre: FloatArray, radius: FloatArray) -> Depths:
    return lambda rows, points: radius[rows] - angles(centre[:, rows].T, points.T)


def _polygon_depths(edges: polygons.Edges) -> Depths:
    return lambda rows, points: polygons.signed_distances(edges[rows], points.T[:, None])[:, 0]


def _convex_depths(edges: polygons.Edges) -> Depths:
    """Test small convex polygons by the great circles of their edges alone.

    Inside, the nearest of these is as far as the boundary; outside, the farthest is not farther. Sines stand
    for angles: a reach is not below its sine.
    """
    normals = np.ascontiguousarray(edges.normal.transpose(1, 2, 0))

    def depths(rows: IntArray, points: FloatArray) -> FloatArray:
        least = np.full(len(rows), np.inf)
        for normal in normals:
            side = normal[0][rows] * points[0]
            side += normal[1][rows] * points[1]
            side += normal[2][rows] * points[2]
            np.minimum(least, side, out=least)
        return least

    return depths


def start_orders(radius: FloatArray) -> IntArray:
    """Return for each radius [rad] the order whose cells' neighbourhoods hold caps of it."""
    fitting = np.floor(np.log2(NEIGHBOURHOOD / (radius + PAD)))
    return np.minimum(fitting, FINEST_START).astype(np.int64)


def children(parents: IntArray) -> IntArray:
    """Return the four cells of the next order in each cell."""
    return (parents[:, None] * 4 + np.arange(4)).ravel()


def as_ranges(numbers: IntArray, order: int | IntArray) -> IntArray:
    """Return cells as half-open order-29 ranges, shape (n, 2)."""
    shift = 2 * (29 - order)
    return np.stack((numbers << shift, (numbers + 1) << shift), axis=1)
