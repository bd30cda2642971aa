"""Great-circle polygons as arrays: n polygons of k vertices each, unit vectors of shape (n, k, 3).

Vertices run as DALI 1.1 section 3.3.7 asks: counter-clockwise when viewed from the sphere's centre,
where right ascension grows to the left. The interior is on the left hand of who walks there inside.
A point takes the side of the nearest piece of boundary, which needs no reference point and so
works for polygons of any size.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from sky.vectors import (
    TOLERANCE,
    BoolArray,
    FloatArray,
    IntArray,
    angles,
    crosses,
    dots,
    lengths,
    normals,
    unit,
)

_ALL = slice(None)


@dataclass(frozen=True, slots=True)
class Edges:
    """Edge i runs from vertex i to vertex i + 1; all arrays have shape (n, k, 3) or (n, k).

    ``normal`` points to the interior side; ``ahead`` and ``back`` are the directions, at the first
    and last vertex, into the edge; ``turn`` is the exterior angle at the first vertex [rad].
    """

    start: FloatArray
    normal: FloatArray
    ahead: FloatArray
    back: FloatArray
    turn: FloatArray

    @classmethod
    def of(cls, vertices: FloatArray) -> Self:
        """Prepare polygons for distance tests; consecutive vertices must differ."""
        after = np.roll(vertices, -1, axis=1)
        normal = normals(after, vertices)
        before = np.roll(normal, 1, axis=1)
        turn = np.arctan2(dots(vertices, crosses(normal, before)), dots(before, normal))
        return cls(vertices, normal, crosses(vertices, normal), crosses(normal, after), turn)

    def __getitem__(self, rows: slice | IntArray | BoolArray) -> "Edges":
        return Edges(self.start[rows], self.normal[rows], self.ahead[rows], self.back[rows], self.turn[rows])


def areas(vertices: FloatArray, edges: Edges) -> FloatArray:
    """Measure the interiors [sr]: 0 to 4 pi.

    The exterior angles decide which side is meant (Gauss-Bonnet); a fan of triangles keeps full
    relative precision where the polygon is small.
    """
    by_turns = 2.0 * np.pi - edges.turn.sum(axis=1)
    first = vertices[:, :1]
    second, third = vertices[:, 1:-1], vertices[:, 2:]
    volume = dots(first, crosses(second - first, third - first))
    share = 1.0 + dots(first, second) + dots(second, third) + dots(third, first)
    fan = np.abs(2.0 * np.arctan2(volume, share).sum(axis=1))
    result: FloatArray = np.where(np.abs(by_turns) < 1e-2, fan, np.clip(by_turns, 0.0, 4.0 * np.pi))
    return result


def beyond_hemisphere(edges: Edges) -> BoolArray:
    """Tell which interiors exceed half of the sphere, shape (n,)."""
    result: BoolArray = edges.turn.sum(axis=1) < -1e-9
    return result


def signed_distances(edges: Edges, points: FloatArray) -> FloatArray:
    """Measure how far points lie inside (positive) or outside (negative) [rad].

    ``points`` has shape (n or 1, m, 3); ``edges`` holds n or 1 polygons. Returns shape (n, m).
    """
    x, y, z = (points[:, :, None, axis] for axis in range(3))

    def project(vectors: FloatArray) -> FloatArray:
        flat: FloatArray = x * vectors[:, None, :, 0]
        flat = flat + y * vectors[:, None, :, 1]
        flat += z * vectors[:, None, :, 2]
        return flat

    side = project(edges.normal)
    over_edge = (project(edges.ahead) > 0.0) & (project(edges.back) > 0.0)
    squared = side * side
    to_edge = np.where(over_edge, 2.0 * squared / (1.0 + np.sqrt(np.maximum(1.0 - squared, 0.0))), np.inf)
    to_vertex: FloatArray = (x - edges.start[:, None, :, 0]) ** 2
    to_vertex = to_vertex + (y - edges.start[:, None, :, 1]) ** 2
    to_vertex += (z - edges.start[:, None, :, 2]) ** 2
    result = _signed(edges, side, to_edge, to_vertex)
    far = np.abs(result) > 2.8
    return _opposite(edges, points, result, far) if far.any() else result


def _opposite(edges: Edges, points: FloatArray, distances: FloatArray, far: BoolArray) -> FloatArray:
    """Repair what chords, all near two, cannot tell: points opposite to a polygon's whole boundary."""
    exact = angles(points[:, :, None, :], edges.start[:, None]).min(axis=2)
    signs = np.where(beyond_hemisphere(edges), 1.0, -1.0)[:, None]
    return np.where(far, signs * exact, distances)


def _signed(edges: Edges, side: FloatArray, to_edge: FloatArray, to_vertex: FloatArray) -> FloatArray:
    near_edge = to_edge.argmin(axis=2)[:, :, None]
    near_vertex = to_vertex.argmin(axis=2)[:, :, None]
    edge2 = np.take_along_axis(to_edge, near_edge, axis=2)[:, :, 0]
    vertex2 = np.take_along_axis(to_vertex, near_vertex, axis=2)[:, :, 0]
    after = np.take_along_axis(side, near_vertex, axis=2)[:, :, 0]
    before = np.take_along_axis(side, near_vertex - 1, axis=2)[:, :, 0]
    convex = np.take_along_axis(edges.turn[:, None, :], near_vertex, axis=2)[:, :, 0] >= 0.0
    # At a convex corner a point must be left of both edges, at a reflex one of either.
    at_vertex = np.where(convex, np.minimum(before, after), np.maximum(before, after)) >= 0.0
    at_edge = np.take_along_axis(side, near_edge, axis=2)[:, :, 0] >= 0.0
    inside = np.where(edge2 <= vertex2, at_edge, at_vertex)
    distance = 2.0 * np.arcsin(np.minimum(np.sqrt(np.minimum(edge2, vertex2)) / 2.0, 1.0))
    return np.where(inside, distance, -distance)


def edge_distances(edges: Edges, points: FloatArray) -> FloatArray:
    """Measure from each point to each edge [rad]: points (n, m, 3), result (n, m, k)."""
    probe = points[:, :, None, :]
    side = dots(probe, edges.normal[:, None])
    over = (dots(probe, edges.ahead[:, None]) > 0.0) & (dots(probe, edges.back[:, None]) > 0.0)
    start = edges.start[:, None]
    ends = np.minimum(angles(probe, start), angles(probe, np.roll(start, -1, axis=2)))
    return np.where(over, np.abs(np.arcsin(np.clip(side, -1.0, 1.0))), ends)


def edges_cross(first: Edges, second: Edges, part: slice = _ALL) -> BoolArray:
    """Tell which edges cross in their interiors: (n, k) against (n, m), result (n, k, m).

    ``part`` of the first edges are looked at, of all the ``k``.
    """
    start_1, normal_1 = first.start[:, part, None], first.normal[:, part, None]
    end_1 = np.roll(first.start, -1, axis=1)[:, part, None]
    ends_2 = np.roll(second.start, -1, axis=1)
    start_side = dots(normal_1, second.start[:, None])
    end_side = dots(normal_1, ends_2[:, None])
    own_start = dots(start_1, second.normal[:, None])
    own_end = dots(end_1, second.normal[:, None])
    # The signs also tell a crossing from one at the antipode.
    falling = (start_side > 0.0) & (end_side < 0.0) & (own_start < 0.0) & (own_end > 0.0)
    rising = (start_side < 0.0) & (end_side > 0.0) & (own_start > 0.0) & (own_end < 0.0)
    return falling | rising


SOUND, ANTIPODAL, DEGENERATE, CROSSING = 0, 1, 2, 3
"""Verdicts of :func:`verdicts`."""


_PAIRS = 1 << 20
"""Pairs of edges that are compared at once; each takes about 300 bytes for that time."""


def verdicts(vertices: FloatArray, edges: Edges) -> IntArray:
    """Judge polygons whose consecutive vertices differ: one of the verdict constants each, shape (n,).

    Degenerate: folded back on itself or without area. Crossing: an edge crosses or touches another. Time
    grows with the square of the number of vertices, memory does not.
    """
    rows, count = vertices.shape[:2]
    at_once = max(1, _PAIRS // count**2)
    found = [
        _verdicts(vertices[start : start + at_once], edges[start : start + at_once])
        for start in range(0, rows, at_once)
    ]
    return np.concatenate(found) if found else np.empty(0, np.int64)


def _verdicts(vertices: FloatArray, edges: Edges) -> IntArray:
    rows, count = vertices.shape[:2]
    crossing, degenerate = np.zeros(rows, np.bool_), np.zeros(rows, np.bool_)
    step = max(1, _PAIRS // (rows * count))
    for first in range(0, count, step):
        part = slice(first, first + step)
        gap = (np.arange(count)[part, None] - np.arange(count)[None, :]) % count
        touching = (edge_distances(edges, vertices[:, part]) <= TOLERANCE) & (gap > 1)
        beside = (gap == count - 1) | (gap == 2)
        # Rounding can make neighbouring edges seem to cross at the corner they share.
        apart = (gap > 1) & (gap < count - 1)
        crossing |= (edges_cross(edges, edges, part) & apart).any(axis=(1, 2))
        crossing |= (touching & ~beside).any(axis=(1, 2))
        degenerate |= (touching & beside).any(axis=(1, 2))
    antipodal = (angles(vertices, np.roll(vertices, -1, axis=1)) > np.pi - 1e-9).any(axis=1)
    result = np.where(degenerate, DEGENERATE, np.where(crossing, CROSSING, SOUND))
    return np.where(antipodal, ANTIPODAL, result).astype(np.int64)


def centroids(vertices: FloatArray, edges: Edges) -> FloatArray:
    """Return the directions of the interiors' centres of mass, unit vectors of shape (n, 3)."""
    after = np.roll(vertices, -1, axis=1)
    exact = (angles(vertices, after)[..., None] * edges.normal).sum(axis=1)
    first = vertices[:, :1]
    second, third = vertices[:, 1:-1], vertices[:, 2:]
    weight = dots(first, crosses(second - first, third - first))
    total = weight.sum(axis=1, keepdims=True)
    share = np.divide(weight, total, out=np.zeros_like(weight), where=total != 0.0)
    local = (share[..., None] * (first + second + third) / 3.0).sum(axis=1)
    # The exact sum cancels for small polygons, where flat triangles are true to the last digit.
    small = angles(vertices, first).max(axis=1) < 2e-3
    centre = unit(np.where((small & ~beyond_hemisphere(edges))[:, None], local, exact))
    return np.where(np.abs(centre).sum(axis=1, keepdims=True) > 0.0, centre, vertices[:, 0])


def bounding_caps(vertices: FloatArray, edges: Edges) -> tuple[FloatArray, FloatArray]:
    """Return caps around the polygons: centres (n, 3) and radii (n,) [rad]."""
    centre = centroids(vertices, edges)
    reach = angles(vertices, centre[:, None]).max(axis=1)
    wide = np.flatnonzero((reach >= 1.5) | beyond_hemisphere(edges))
    opposite = signed_distances(edges[wide], -centre[wide, None])[:, 0]
    reach[wide] = np.where(opposite >= 0.0, np.pi, np.pi + opposite)
    return centre, reach


def plainly_convex(vertices: FloatArray, edges: Edges) -> BoolArray:
    """Recognise small polygons that turn one way only, once around, with no needles.

    Such polygons are simple, which spares them :func:`verdicts`; the rest needs a closer look.
    """
    turn = np.abs(edges.turn)
    one_way = (edges.turn > 0.0).all(axis=1) | (edges.turn < 0.0).all(axis=1)
    once = np.abs(turn.sum(axis=1) - 2.0 * np.pi) < 0.1
    open_corners = (turn < np.pi - 1e-3).all(axis=1)
    length = lengths(vertices - np.roll(vertices, 1, axis=1))
    sized = (length > 1e-8).all(axis=1) & (length.sum(axis=1) < 0.5)
    result: BoolArray = one_way & once & open_corners & sized
    return result
