"""Unit vectors and angles, stable from micro-arcseconds to half a turn."""

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]

TOLERANCE = float(np.radians(5e-11))
"""Half of the 1e-10 deg band around a boundary inside which a point counts as on it [rad]."""


def unit_vectors(ra: ArrayLike, dec: ArrayLike) -> FloatArray:
    """Turn ICRS degrees into unit vectors.

    Returns
    -------
    Array of the inputs' common shape with a last axis of 3; NaN positions give NaN vectors.
    """
    lon = np.radians(np.asarray(ra, dtype=np.float64))
    lat = np.radians(np.asarray(dec, dtype=np.float64))
    cos_lat = np.cos(lat)
    return np.stack(np.broadcast_arrays(cos_lat * np.cos(lon), cos_lat * np.sin(lon), np.sin(lat)), axis=-1)


def positions(vectors: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Turn vectors of any length, shape (..., 3), into ICRS degrees with 0 <= ra < 360."""
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    ra = np.degrees(np.arctan2(y, x)) % 360.0
    dec = np.degrees(np.arctan2(z, np.hypot(x, y)))
    return np.where(ra >= 360.0, 0.0, ra), dec


def angles(a: FloatArray, b: FloatArray) -> FloatArray:
    """Measure the angle between unit vectors [rad], to full precision at 0 and at half a turn."""
    result: FloatArray = 2.0 * np.arctan2(lengths(a - b), lengths(a + b))
    return result


def at_most(angle: FloatArray | float, limit: FloatArray | float) -> BoolArray:
    """Tell where an angle [rad] does not exceed a limit, or by no more than the band around a boundary."""
    result: BoolArray = np.less_equal(angle, limit + TOLERANCE)
    return result


def lengths(vectors: FloatArray) -> FloatArray:
    """Return the lengths of vectors, shape (..., 3)."""
    result: FloatArray = np.sqrt(dots(vectors, vectors))
    return result


def dots(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the scalar products along the last axis of 3."""
    result: FloatArray = a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1] + a[..., 2] * b[..., 2]
    return result


def crosses(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the vector products along the last axis of 3."""
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    return np.stack((ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx), axis=-1)


def normals(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the unit poles of the great circles from ``a`` to ``b``; zero where they coincide.

    ``(a - b) x (a + b)`` is twice ``a x b`` without its cancellation for close points.
    """
    raw = crosses(a - b, a + b)
    size = lengths(raw)[..., None]
    return np.divide(raw, size, out=np.zeros_like(raw), where=size > 0.0)


def unit(vectors: FloatArray) -> FloatArray:
    """Scale vectors to length one; zero vectors stay zero."""
    size = lengths(vectors)[..., None]
    return np.divide(vectors, size, out=np.zeros_like(vectors), where=size > 0.0)


def separation(ra1: ArrayLike, dec1: ArrayLike, ra2: ArrayLike, dec2: ArrayLike) -> FloatArray:
    """Measure angular separations of ICRS degrees, in degrees; NaN where a position is NaN."""
    return np.degrees(angles(unit_vectors(ra1, dec1), unit_vectors(ra2, dec2)))


def chord2(radius: float) -> float:
    """Return the squared chord, between unit vectors, of a cone of ``radius`` degrees (clipped to 0..180)."""
    return float(4.0 * np.sin(np.radians(min(max(radius, 0.0), 180.0)) / 2.0) ** 2)


def perpendicular(vector: FloatArray) -> FloatArray:
    """Return a unit vector at right angles to ``vector``, shape (..., 3)."""
    axis = np.zeros_like(vector)
    np.put_along_axis(axis, np.argmin(np.abs(vector), axis=-1)[..., None], 1.0, axis=-1)
    return unit(crosses(vector, axis))
