"""Cells and frames of positions, by other libraries than the archive's own code."""

from __future__ import annotations

from functools import cache

import healpy
from astropy import units
from astropy.coordinates import FK4, ICRS, BarycentricMeanEcliptic, Galactic, SkyCoord

from tests.conformance.sky_oracle import BAND, InDoubtError, Place

FRAMES = {
    "GALACTIC": Galactic(),
    "ECLIPTIC": BarycentricMeanEcliptic(equinox="J2000"),
    "FK4": FK4(equinox="B1950"),
}
"""What constants can be given in, beside ICRS."""


@cache
def icrs(frame: str, place: Place) -> Place:
    """Return where a place of another frame is."""
    lon, lat = (value * units.deg for value in place)
    found = SkyCoord(lon, lat, frame=FRAMES[frame]).transform_to(ICRS())
    return float(found.ra.deg), float(found.dec.deg)


@cache
def cell_of(order: int, ra: float | None, dec: float | None) -> int | None:
    """Return the cell of a position; one on the border of cells is in doubt."""
    if ra is None or dec is None:
        return None
    around = [(0.0, 0.0), *((x * 2 * BAND, y * 2 * BAND) for x in (-1, 1) for y in (-1, 1))]
    found = {
        int(healpy.ang2pix(2**order, (ra + x) % 360, max(-90.0, min(dec + y, 90.0)), nest=True, lonlat=True))
        for x, y in (around if order < 29 else around[:1])
    }
    if len(found) > 1:
        raise InDoubtError
    return found.pop()
