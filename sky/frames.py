"""Celestial frames: everything inside is ICRS, the rest is transformed on the way in or out."""

from typing import Final

import astropy.units as u
import numpy as np
from astropy.coordinates import FK4, FK5, ICRS, BarycentricMeanEcliptic, FK4NoETerms, Galactic, SkyCoord
from numpy.typing import ArrayLike

from sky.forms import RegionError
from sky.vectors import FloatArray

FK4_WITHOUT_E_TERMS: Final = "FK4-NO-E"
"""The FITS name of FK4 freed from the elliptic terms of aberration."""

KNOWN_FRAMES: Final[dict[str, str]] = {
    "": "icrs",
    "ICRS": "icrs",
    "J2000": "icrs",
    "FK5": "icrs",
    "FK5 J2000": "icrs",
    "UNKNOWNFRAME": "icrs",
    "GALACTIC": "galactic",
    "GALACTIC II": "galactic",
    "GALACTIC_II": "galactic",
    "ECLIPTIC": "ecliptic",
    "FK4": "fk4",
    "B1950": "fk4",
    "FK4 B1950": "fk4",
    FK4_WITHOUT_E_TERMS: "fk4-no-e",
}
"""Frame names of STC-S and ADQL, upper case, and what they mean here.

FK5 at J2000 differs from ICRS by less than 0.03 arcsec and is taken as ICRS, as DALI does.
"""


def frame_key(name: str | None) -> str:
    """Bring a frame name to the spelling used in :data:`KNOWN_FRAMES`."""
    return " ".join((name or "").replace("'", " ").replace('"', " ").upper().split())


def to_icrs(
    lon: ArrayLike,
    lat: ArrayLike,
    frame: str | None,
    equinox: float | None = None,
    epoch: float | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Transform coordinates in degrees to ICRS.

    Parameters
    ----------
    frame
        A name of :data:`KNOWN_FRAMES`, in any case.
    equinox
        Equinox in years for FK4 (Besselian, default 1950), FK5 (Julian, default 2000) and the mean
        ecliptic (Julian, default 2000).
    epoch
        Epoch of observation in years, for FK4 only; default its equinox.

    Returns
    -------
    ra, dec in degrees, the inputs' common shape; NaN where an input is not finite or |lat| > 90.

    Raises
    ------
    RegionError
        If the frame is not known ("unsupported").
    """
    key = frame_key(frame)
    kind = KNOWN_FRAMES.get(key)
    if kind is None:
        raise RegionError("unsupported", f"coordinate frame {frame!r} is not known")
    longitude, latitude = np.broadcast_arrays(np.asarray(lon, np.float64), np.asarray(lat, np.float64))
    valid = np.isfinite(longitude) & np.isfinite(latitude) & (np.abs(latitude) <= 90.0)
    if kind == "icrs" and (not key.startswith("FK5") or equinox in {None, 2000.0}):
        return np.where(valid, longitude % 360.0, np.nan), np.where(valid, latitude, np.nan)
    system = _system(kind, equinox, epoch)
    source = SkyCoord(
        np.where(valid, longitude, 0.0) * u.deg, np.where(valid, latitude, 0.0) * u.deg, frame=system
    )
    moved = source.transform_to(ICRS())
    return np.where(valid, moved.ra.deg % 360.0, np.nan), np.where(valid, moved.dec.deg, np.nan)


def from_icrs(ra: ArrayLike, dec: ArrayLike, frame: str) -> tuple[FloatArray, FloatArray]:
    """Transform ICRS degrees to longitude and latitude of another frame at its standard equinox.

    Raises
    ------
    RegionError
        If the frame is not known ("unsupported").
    """
    kind = KNOWN_FRAMES.get(frame_key(frame))
    if kind is None:
        raise RegionError("unsupported", f"coordinate frame {frame!r} is not known")
    right, high = np.broadcast_arrays(np.asarray(ra, np.float64), np.asarray(dec, np.float64))
    valid = np.isfinite(right) & np.isfinite(high) & (np.abs(high) <= 90.0)
    if kind == "icrs":
        return np.where(valid, right % 360.0, np.nan), np.where(valid, high, np.nan)
    source = SkyCoord(np.where(valid, right, 0.0) * u.deg, np.where(valid, high, 0.0) * u.deg, frame=ICRS())
    moved = source.transform_to(_system(kind, None, None)).spherical
    return np.where(valid, moved.lon.deg % 360.0, np.nan), np.where(valid, moved.lat.deg, np.nan)


def _system(kind: str, equinox: float | None, epoch: float | None) -> object:
    if kind == "galactic":
        return Galactic()
    if kind == "ecliptic":
        return BarycentricMeanEcliptic(equinox=f"J{equinox or 2000.0}")
    if kind.startswith("fk4"):
        year = equinox or 1950.0
        family = FK4 if kind == "fk4" else FK4NoETerms
        return family(equinox=f"B{year}", obstime=f"B{epoch or year}")
    return FK5(equinox=f"J{equinox or 2000.0}")
