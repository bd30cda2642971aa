"""What the answers must be, computed from the rows without a database or an index.

Cones by chord length; ``INTERSECTS(s_region, CIRCLE)`` as: the centre is inside the polygon, or nearer than
the radius to one of its great-circle edges. That is enough for the convex, small polygons of ``bench.rows``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Position = tuple[float, float]

_HALF_DIAGONAL = 0.75
"""Degrees from the position of a row to the farthest point of its footprint at most, with some to spare."""


@dataclass(frozen=True, slots=True)
class Search:
    """A search whose answer is known: of a kind, by a test (cone or intersects), in a circle in degrees."""

    kind: str
    test: str
    position: Position
    radius: float


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


def digests(searches: Sequence[Search], answers: Iterable[Iterable[str]]) -> dict[str, Digest]:
    """Summarise the answers to searches, one digest per kind."""
    kinds: dict[str, list[Iterable[str]]] = {}
    for search, answer in zip(searches, answers, strict=True):
        kinds.setdefault(search.kind, []).append(answer)
    return {kind: digest(found) for kind, found in kinds.items()}


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
    """Answers to some searches from all rows, which come in parts."""

    def __init__(self, searches: Sequence[Search]) -> None:
        self.searches = tuple(searches)
        self._centres = _centres([search.position for search in searches])
        self._found: list[list[str]] = [[] for _ in searches]

    def add(self, rows: pa.Table) -> None:
        """Look through further rows."""
        ids, regions = rows["obs_publisher_did"], rows["s_region"].combine_chunks()
        positions = _unit(rows["s_ra"].to_numpy(), rows["s_dec"].to_numpy())
        for place, (search, centre) in enumerate(zip(self.searches, self._centres, strict=True)):
            reach = search.radius + (_HALF_DIAGONAL if search.test == "intersects" else 0.0)
            near = np.flatnonzero(positions @ centre >= np.cos(np.radians(reach)) - 1e-9)
            near = near[_separation(positions[near], centre) <= reach]
            if search.test == "intersects" and len(near):
                near = near[_touches(_corners(regions.take(pa.array(near))), centre, search.radius)]
            self._found[place] += ids.take(pa.array(near)).to_pylist()

    def digests(self) -> dict[str, Digest]:
        """Summarise what was found so far, by kind."""
        return digests(self.searches, self._found)


class Nearest:
    """The radii of circles that hold a given number of rows, by position."""

    def __init__(self, positions: Sequence[Position], number: int) -> None:
        self._centres = _centres(positions)
        self._number = number
        # Chords to the nearest rows, and to the one after them.
        self._chords = np.full((len(positions), number + 1), 2.0)

    def add(self, rows: pa.Table) -> None:
        """Look through further rows."""
        positions = _unit(rows["s_ra"].to_numpy(), rows["s_dec"].to_numpy())
        for place, centre in enumerate(self._centres):
            chords = np.concatenate([self._chords[place], np.linalg.norm(positions - centre, axis=1)])
            self._chords[place] = np.partition(chords, self._number)[: self._number + 1]

    def radii(self) -> list[float]:
        """Return the radius around each position, degrees."""
        ordered = np.sort(self._chords, axis=1)
        between = (ordered[:, -2] + ordered[:, -1]) / 2
        found: list[float] = np.degrees(2 * np.arcsin(np.minimum(between / 2, 1))).tolist()
        return found


def _centres(positions: Sequence[Position]) -> Floats:
    return _unit(*np.array(positions, float).reshape(-1, 2).T)


def _corners(regions: pa.Array) -> Floats:
    numbers = np.array([text.split()[2:] for text in regions.to_pylist()], float)
    return _unit(numbers[:, 0::2], numbers[:, 1::2])
