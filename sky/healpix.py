"""HEALPix cells in the nested scheme; the only door to cdshealpix."""

from typing import Any

import cdshealpix.cdshealpix as _compiled
import numpy as np
from numpy.typing import ArrayLike, NDArray

from sky import nested
from sky.vectors import FloatArray, IntArray, chord2, separation, unit_vectors

__all__ = [
    "STORED_ORDER",
    "cell_caps",
    "cell_centres",
    "cell_radii",
    "cells",
    "chord2",
    "neighbourhoods",
    "separation",
    "unit_vectors",
]

STORED_ORDER = 29
"""HEALPix order of the cell number kept with each observation; a cell is 0.4 mas wide."""

FEW = 320
"""Cells up to which plain arithmetic is quicker than the compiled library."""


def cells(ra: ArrayLike, dec: ArrayLike, order: int = STORED_ORDER) -> IntArray:
    """Return the numbers of the nested cells that hold positions.

    ``ra`` and ``dec`` are ICRS degrees.

    Returns
    -------
    Cell numbers, the inputs' common shape; -1 where a position is not finite or off the sphere.
    """
    lon, lat = np.broadcast_arrays(np.asarray(ra, dtype=np.float64), np.asarray(dec, dtype=np.float64))
    valid = np.isfinite(lon) & np.isfinite(lat) & (np.abs(lat) <= 90.0)
    flat_lon = np.radians(np.where(valid, lon, 0.0) % 360.0).ravel()
    flat_lat = np.radians(np.where(valid, lat, 0.0)).ravel()
    numbers = np.empty(flat_lon.size, dtype=np.uint64)
    offsets = np.empty((2, flat_lon.size))
    _compiled.lonlat_to_healpix(
        np.full(flat_lon.size, order, np.uint8), flat_lon, flat_lat, numbers, offsets[0], offsets[1], 1
    )
    return np.where(valid, numbers.astype(np.int64).reshape(lon.shape), -1)


def cell_centres(cells: ArrayLike, order: int | IntArray) -> tuple[FloatArray, FloatArray]:
    """Return the centres of nested cells in ICRS degrees; ``order`` may vary from cell to cell."""
    lon, lat = _centres(np.asarray(cells), order)
    return np.degrees(lon), np.degrees(lat)


def _centres(numbers: NDArray[Any], order: int | IntArray) -> tuple[FloatArray, FloatArray]:
    if numbers.size <= FEW:
        return nested.centres(numbers.astype(np.int64), order)
    flat = np.ascontiguousarray(numbers.ravel(), dtype=np.uint64)
    depth = np.ascontiguousarray(np.broadcast_to(np.asarray(order, np.uint8), numbers.shape).ravel())
    lon, lat = np.empty(flat.size), np.empty(flat.size)
    _compiled.healpix_to_lonlat(depth, flat, 0.5, 0.5, lon, lat, 1)
    return lon.reshape(numbers.shape), lat.reshape(numbers.shape)


def cell_caps(cells: IntArray, order: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return caps that hold nested cells: centres as unit vectors, shape (3, n), and radii (n,) [rad]."""
    lon, lat = _centres(cells, order)
    cos_lat = np.cos(lat)
    points = np.empty((3, cells.size))
    np.multiply(cos_lat, np.cos(lon), out=points[0])
    np.multiply(cos_lat, np.sin(lon), out=points[1])
    np.sin(lat, out=points[2])
    return points, _reaches(order, lon, np.abs(points[2]), cos_lat)


def cell_radii(order: int | IntArray, ra: FloatArray, dec: FloatArray) -> FloatArray:
    """Bound how far cells centred at ``ra`` and ``dec`` degrees reach from their centres [rad]."""
    lon, lat = np.radians(np.atleast_1d(ra)), np.radians(np.atleast_1d(dec))
    return _reaches(order, lon, np.abs(np.sin(lat)), np.cos(lat)).reshape(np.shape(dec))


def _reaches(order: int | IntArray, lon: FloatArray, height: FloatArray, cos_lat: FloatArray) -> FloatArray:
    """Bound how far cells reach from their centres [rad].

    The half-diagonals of a cell follow from the derivatives of the HEALPix projection (Gorski et al.
    2005, section 5). 2 % and 1e-11 rad are added, for the curvature of cells and the rounding of
    positions on a border.
    """
    cos_lat = np.maximum(cos_lat, 0.5)  # beyond 60 degrees no cell is in the belt
    belt = np.maximum(np.pi / 4.0 * cos_lat, 2.0 / 3.0 / cos_lat)
    side = np.ldexp(1.0, -np.asarray(order))
    # A cell whose centre is in the belt may reach across its edge.
    outside = height >= 0.64 - side
    off_axis = lon[outside] % (np.pi / 2.0) - np.pi / 4.0
    bulge = (1.0 + height[outside]) / 2.0
    cap = np.sqrt(2.0 / 3.0 * (1.0 / bulge + off_axis * off_axis * bulge))
    belt[outside] = np.maximum(belt[outside], cap)
    reach = np.where(side > 0.1, 1.07, belt)
    result: FloatArray = reach * side * 1.02 + 1e-11
    return result


def neighbourhoods(cells: IntArray, order: int) -> IntArray:
    """List each cell with its eight neighbours, shape (n, 9), sorted; -1 where there is none."""
    around = np.empty((cells.size, 9), dtype=np.int64)
    _compiled.neighbours(order, cells.astype(np.uint64), around, 1)
    around.sort(axis=1)
    return around
