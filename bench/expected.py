"""What the answers must be, computed from the rows without a database or an index.

Cones by chord length; ``INTERSECTS(s_region, CIRCLE)`` as: the centre is inside the polygon, or nearer than
the radius to one of its great-circle edges. That is enough for the convex, small polygons of ``bench.rows``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Position = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Digest:
    """How many rows the searches of one kind found together, and a hash of which."""

    rows: int
    sha1: str


def digest(answers: Iterable[Iterable[str]]) -> Digest:
    """Summarise the identifiers that each search found."""
    total, summary = 0, hashlib.sha1(usedforsecurity=False)
    for answer in answers:
        found = sorted(answer)
        total += len(found)
        summary.update("\n".join(found).encode() + b"\n--\n")
    return Digest(total, summary.hexdigest())


def _unit(ra: Any, dec: Any) -> Floats:
    ra, dec = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], -1)


def _separation(a: Floats, b: Floats) -> Floats:
    return np.asarray(np.degrees(2 * np.arcsin(np.clip(np.linalg.norm(a - b, axis=-1) / 2, 0, 1))))


def _touches(corners: Floats, centre: Floats, radius: float) -> NDArray[np.bool_]:
    following = np.roll(corners, -1, axis=1)
    normal = np.cross(corners, following)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    side = normal @ centre
    inside = np.all(side > 0, axis=1) | np.all(side < 0, axis=1)
    beside = (np.cross(normal, corners) @ centre > 0) & (np.cross(following, normal) @ centre > 0)
    to_circle = np.degrees(np.abs(np.arcsin(np.clip(side, -1, 1))))
    to_corner = np.minimum(_separation(corners, centre), _separation(following, centre))
    return np.asarray(inside | (np.where(beside, to_circle, to_corner).min(axis=1) <= radius))


class BruteForce:
    """Answers from all rows."""

    def __init__(self, rows: pa.Table) -> None:
        self._ids = rows["obs_publisher_did"].to_numpy()
        self._positions = _unit(rows["s_ra"].to_numpy(), rows["s_dec"].to_numpy())
        self._regions = rows["s_region"]

    def cone(self, position: Position, radius: float) -> list[str]:
        """Find the rows whose position is in a circle."""
        found: list[str] = self._ids[_separation(self._positions, _unit(*position)) <= radius].tolist()
        return found

    def intersects(self, position: Position, radius: float) -> list[str]:
        """Find the rows whose footprint touches a circle."""
        centre = _unit(*position)
        # Half of a footprint's diagonal is below 0.7072 degrees.
        near = np.flatnonzero(_separation(self._positions, centre) <= radius + 0.75)
        if not len(near):
            return []
        numbers = np.array([text.split()[2:] for text in self._regions.take(near).to_pylist()], float)
        corners = _unit(numbers[:, 0::2], numbers[:, 1::2])
        found: list[str] = self._ids[near[_touches(corners, centre, radius)]].tolist()
        return found
