"""Regions of the sky, their validation and their measures: the front of the geometry.

Coordinates are ICRS degrees. Regions are closed: boundary points belong.
"""

import math

import numpy as np

from sky import polygons
from sky.forms import (
    ORDER_29_CELLS,
    Circle,
    MocRegion,
    Point,
    Polygon,
    Range,
    Region,
    RegionError,
    Union,
    checked_position,
    exceeds_hemisphere,
    normalise,
    normalise_delivered,
    normalise_search,
    reverse,
    vertex_vectors,
)
from sky.shapes import bounding_cap, moc_cells
from sky.vectors import FloatArray, positions, unit, unit_vectors

__all__ = [
    "ORDER_29_CELLS",
    "SQUARE_DEGREES",
    "Circle",
    "MocRegion",
    "Point",
    "Polygon",
    "Range",
    "Region",
    "RegionError",
    "Union",
    "area",
    "beyond_hemisphere",
    "bounding_circle",
    "box_polygon",
    "centroid",
    "normalise",
    "normalise_delivered",
    "normalise_search",
    "reverse",
]

SQUARE_DEGREES = float(np.degrees(1.0) ** 2)
"""Square degrees in a steradian."""


def beyond_hemisphere(region: Region) -> bool:
    """Tell whether a region covers more than half of the sky."""
    if isinstance(region, Polygon):
        return exceeds_hemisphere(region)
    return area(region) > 2.0 * math.pi * SQUARE_DEGREES * (1.0 + 1e-12)


def area(region: Region) -> float:
    """Measure a region [deg^2]; overlapping parts of a union count once only if they are MOCs."""
    match region:
        case Point():
            return 0.0
        case Circle():
            return 4.0 * math.pi * math.sin(math.radians(region.radius) / 2.0) ** 2 * SQUARE_DEGREES
        case Polygon():
            vertices = vertex_vectors(region)
            return float(polygons.areas(vertices, polygons.Edges.of(vertices))[0]) * SQUARE_DEGREES
        case Range():
            south, north = math.radians(region.south), math.radians(region.north)
            height = 2.0 * math.cos((north + south) / 2.0) * math.sin((north - south) / 2.0)
            return math.radians(region.width) * height * SQUARE_DEGREES
        case Union():
            return min(sum(area(part) for part in region.parts), 4.0 * math.pi * SQUARE_DEGREES)
        case MocRegion():
            cells = sum(high - low for low, high in region.ranges)
            return cells / ORDER_29_CELLS * 4.0 * math.pi * SQUARE_DEGREES


def centroid(region: Region) -> Point:
    """Return the centre of mass of a region; overlapping parts of a union count each."""
    ra, dec = positions(unit(_moment(region)))
    return Point(float(ra), float(dec))


def _moment(region: Region) -> FloatArray:
    """Return a vector towards the centre of mass, as long as the region is large."""
    match region:
        case Point() | Circle():
            return unit_vectors(region.ra, region.dec) * max(area(region), 1e-30)
        case Polygon():
            vertices = vertex_vectors(region)
            towards: FloatArray = polygons.centroids(vertices, polygons.Edges.of(vertices))[0]
            return towards * max(area(region), 1e-30)
        case Range():
            south, north, half = math.radians(region.south), math.radians(region.north), region.width / 2.0
            flat = (north - south) / 2.0 + (math.sin(2.0 * north) - math.sin(2.0 * south)) / 4.0
            high = math.radians(half) * (math.sin(north) ** 2 - math.sin(south) ** 2)
            level = unit_vectors(region.west + half, 0.0) * (2.0 * math.sin(math.radians(half)) * flat)
            moment = level + np.array([0.0, 0.0, high])
            middle = unit_vectors(region.west + half, (region.south + region.north) / 2.0)
            return moment if np.abs(moment).max() > 1e-12 else middle * 1e-30
        case Union():
            total: FloatArray = np.sum([_moment(part) for part in region.parts], axis=0)
            return total
        case MocRegion():
            vectors, radii = moc_cells(region)
            weighted: FloatArray = (vectors * (radii * radii)[:, None]).sum(axis=0)
            return weighted


def bounding_circle(region: Region) -> Circle:
    """Return a circle that holds a region, the smallest or a little more."""
    centre, radius = bounding_cap(region)
    ra, dec = positions(centre)
    return Circle(float(ra), float(dec), min(math.degrees(radius), 180.0))


def box_polygon(ra: float, dec: float, width: float, height: float) -> Polygon:
    """Build the polygon of an ADQL BOX (ADQL 2.1 section 4.2.10).

    The box is a cross at its centre: its corners lie half of ``width`` along the parallel, in degrees
    of arc on the tangent plane, and half of ``height`` along the meridian from it.

    Raises
    ------
    RegionError
        If a side is not between 0 and 180 degrees.
    """
    for side in (width, height):
        if not (math.isfinite(side) and 0.0 < side < 180.0):
            raise RegionError("out-of-range", f"box side {side} is outside 0..180 degrees")
    ra, dec = checked_position(ra, dec)
    centre = unit_vectors(ra, dec)
    east = unit_vectors(ra + 90.0, 0.0)
    north = np.stack(
        (-centre[2] * np.cos(np.radians(ra)), -centre[2] * np.sin(np.radians(ra)), np.cos(np.radians(dec)))
    )
    x, y = math.tan(math.radians(width) / 2.0), math.tan(math.radians(height) / 2.0)
    # Seen from inside, east is left: north-west, north-east, south-east, south-west.
    corners = unit(
        np.stack([centre + sx * x * east + sy * y * north for sx, sy in ((-1, 1), (1, 1), (1, -1), (-1, -1))])
    )
    return Polygon(tuple(zip(*(axis.tolist() for axis in positions(corners)), strict=True)))
