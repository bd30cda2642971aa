"""Regions of the sky as values, and their validation.

Coordinates are ICRS degrees. Regions are closed: boundary points belong.
"""

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from sky import polygons
from sky.vectors import TOLERANCE, FloatArray, lengths, unit_vectors

ORDER_29_CELLS = 12 << 58
"""Number of order-29 HEALPix cells on the sphere."""

MOST_VERTICES = 5_000
"""Vertices of a polygon, or of all polygons of a union: checking one takes time by their square."""


class RegionError(ValueError):
    """A region that cannot be what its author meant.

    Attributes
    ----------
    code : one of "syntax", "unsupported", "not-finite", "out-of-range", "too-few-vertices",
        "too-many-vertices", "antipodal-edge", "self-crossing", "degenerate", "empty", or, from headers,
        "wcs".
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Point:
    """A direction."""

    ra: float
    dec: float


@dataclass(frozen=True, slots=True)
class Circle:
    """Everything within ``radius`` degrees of a centre."""

    ra: float
    dec: float
    radius: float


@dataclass(frozen=True, slots=True)
class Polygon:
    """Great-circle polygon, counter-clockwise as DALI asks; vertices are (ra, dec) pairs."""

    vertices: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Range:
    """Box between two meridians and two parallels (DALI 1.2 range); ra_min > ra_max crosses RA 0."""

    ra_min: float
    ra_max: float
    dec_min: float
    dec_max: float

    @property
    def west(self) -> float:
        """Right ascension where the box starts, 0 <= west < 360."""
        return 0.0 if math.isinf(self.ra_min) else self.ra_min % 360.0

    @property
    def width(self) -> float:
        """Extent in right ascension [deg], 0 to 360."""
        low = 0.0 if math.isinf(self.ra_min) else self.ra_min
        high = 360.0 if math.isinf(self.ra_max) else self.ra_max
        return 360.0 if high - low >= 360.0 else (high - low) % 360.0

    @property
    def south(self) -> float:
        """Lower declination, -90 where it is open."""
        return max(self.dec_min, -90.0)

    @property
    def north(self) -> float:
        """Upper declination, +90 where it is open."""
        return min(self.dec_max, 90.0)


@dataclass(frozen=True, slots=True)
class Union:
    """Everything in any of the parts."""

    parts: "tuple[Region, ...]"


@dataclass(frozen=True, slots=True)
class MocRegion:
    """HEALPix cells as half-open ranges of nested order-29 numbers, sorted and disjoint."""

    ranges: tuple[tuple[int, int], ...]


Region: TypeAlias = Point | Circle | Polygon | Range | Union | MocRegion


def normalise(region: Region) -> Region:
    """Check a region and bring it to its plain form.

    Right ascensions go to 0..360, repeated and closing vertices go away, unions become flat.

    Raises
    ------
    RegionError
        If a number is not finite or out of range, or a polygon is not a simple one.
    """
    match region:
        case Point():
            return Point(*checked_position(region.ra, region.dec))
        case Circle():
            if not math.isfinite(region.radius):
                raise RegionError("not-finite", "the radius of a circle is not a finite number")
            if not 0.0 <= region.radius <= 180.0:
                raise RegionError("out-of-range", f"circle radius {region.radius} is outside 0..180 degrees")
            return Circle(*checked_position(region.ra, region.dec), region.radius)
        case Polygon():
            return _normalise_polygon(region)
        case Range():
            return _normalise_range(region)
        case Union():
            return _normalise_union(region)
        case MocRegion():
            return _normalise_moc(region)


def normalise_search(region: Region) -> Region:
    """Check what a user searches with; the winding of a polygon is taken at its word (DALI 1.1)."""
    return normalise(region)


def normalise_delivered(region: Region) -> tuple[Region, bool]:
    """Check a footprint that came with data, and turn polygons larger than a hemisphere around.

    Returns
    -------
    The region, and whether any polygon was wound the wrong way.
    """
    sound = normalise(region)
    if isinstance(sound, Union):
        turned = [normalise_delivered(part) for part in sound.parts]
        return Union(tuple(part for part, _ in turned)), any(wrong for _, wrong in turned)
    if isinstance(sound, Polygon) and exceeds_hemisphere(sound):
        return reverse(sound), True
    return sound, False


def reverse(polygon: Polygon) -> Polygon:
    """Walk a polygon the other way, which selects the rest of the sky; the first vertex stays."""
    first, *rest = polygon.vertices
    return Polygon((first, *reversed(rest)))


def exceeds_hemisphere(polygon: Polygon) -> bool:
    """Tell whether the interior of a polygon is the larger part of the sky."""
    return bool(polygons.beyond_hemisphere(polygons.Edges.of(vertex_vectors(polygon)))[0])


def vertex_vectors(polygon: Polygon) -> FloatArray:
    """Return the vertices as unit vectors, shape (1, k, 3)."""
    corners = np.asarray(polygon.vertices, dtype=np.float64).reshape(-1, 2)
    return unit_vectors(corners[:, 0], corners[:, 1])[None]


def checked_position(ra: float, dec: float) -> tuple[float, float]:
    """Return a position in degrees with 0 <= ra < 360.

    Raises
    ------
    RegionError
        If it is not finite, or off the sphere.
    """
    if not (math.isfinite(ra) and math.isfinite(dec)):
        raise RegionError("not-finite", f"position ({ra}, {dec}) is not finite")
    if not -90.0 <= dec <= 90.0:
        raise RegionError("out-of-range", f"declination {dec} is outside -90..90 degrees")
    if not -360.0 <= ra <= 720.0:
        raise RegionError("out-of-range", f"right ascension {ra} is outside 0..360 degrees")
    wrapped = ra % 360.0
    return (0.0 if wrapped >= 360.0 else wrapped) + 0.0, dec + 0.0


def _normalise_polygon(polygon: Polygon) -> Polygon:
    check_vertices(len(polygon.vertices))
    corners = [checked_position(ra, dec) for ra, dec in polygon.vertices]
    if not corners:
        raise RegionError("too-few-vertices", "the polygon has no vertices")
    vectors = vertex_vectors(Polygon(tuple(corners)))[0]
    moved = lengths(vectors - np.roll(vectors, 1, axis=0)) > TOLERANCE
    # The closing vertex repeats the first one, which stays.
    if moved.any():
        moved[0] = True
        while not lengths(vectors[np.flatnonzero(moved)[-1]] - vectors[0]) > TOLERANCE:
            moved[np.flatnonzero(moved)[-1]] = False
    kept = [corner for corner, different in zip(corners, moved, strict=True) if different]
    if len(kept) < 3:
        raise RegionError(
            "too-few-vertices", f"the polygon has {len(kept)} different vertices, not 3 or more"
        )
    sound = Polygon(tuple(kept))
    vertices = vertex_vectors(sound)
    refuse(int(polygons.verdicts(vertices, polygons.Edges.of(vertices))[0]))
    return sound


def check_vertices(count: int) -> None:
    """Raise RegionError if a polygon, or a union of polygons, has more vertices than we take."""
    if count > MOST_VERTICES:
        raise RegionError(
            "too-many-vertices", f"{count} vertices are more than the {MOST_VERTICES} that are allowed"
        )


def refuse(verdict: int) -> None:
    """Raise the error that goes with a verdict of :func:`sky.polygons.verdicts`, if any."""
    if verdict == polygons.ANTIPODAL:
        raise RegionError("antipodal-edge", "an edge of the polygon joins opposite points of the sky")
    if verdict == polygons.CROSSING:
        raise RegionError("self-crossing", "the polygon crosses or touches itself")
    if verdict == polygons.DEGENERATE:
        raise RegionError("degenerate", "the polygon is folded onto itself and encloses nothing")


def _normalise_range(box: Range) -> Range:
    numbers = (box.ra_min, box.ra_max, box.dec_min, box.dec_max)
    if any(math.isnan(number) for number in numbers):
        raise RegionError("not-finite", "a limit of the range is not a number")
    if math.inf in (box.ra_min, box.dec_min) or -math.inf in (box.ra_max, box.dec_max):
        raise RegionError("out-of-range", "an open limit of the range points the wrong way")
    for ra in (box.ra_min, box.ra_max):
        if math.isfinite(ra) and not 0.0 <= ra <= 360.0:
            raise RegionError("out-of-range", f"right ascension {ra} is outside 0..360 degrees")
    for dec in (box.dec_min, box.dec_max):
        if math.isfinite(dec) and not -90.0 <= dec <= 90.0:
            raise RegionError("out-of-range", f"declination {dec} is outside -90..90 degrees")
    if box.dec_min > box.dec_max:
        raise RegionError("out-of-range", "the range ends south of where it starts")
    return box


def _normalise_union(union: Union) -> Region:
    check_vertices(sum(len(part.vertices) for part in union.parts if isinstance(part, Polygon)))
    parts: list[Region] = []
    for part in union.parts:
        sound = normalise(part)
        parts.extend(sound.parts if isinstance(sound, Union) else [sound])
    if not parts:
        raise RegionError("empty", "the union has no parts")
    return parts[0] if len(parts) == 1 else Union(tuple(parts))


def _normalise_moc(moc: MocRegion) -> MocRegion:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(moc.ranges):
        if not 0 <= low < high <= ORDER_29_CELLS:
            raise RegionError("out-of-range", f"cells {low} to {high} are not on the sphere")
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return MocRegion(tuple(merged))
