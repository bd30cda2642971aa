"""What kind of thing a file holds: product type, calibration level, observable, format and size."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from functools import lru_cache

import astropy.units as u

from instruments.headers import FileHeaders
from instruments.identity import is_processed
from instruments.spectrum import Spectral
from sky.wcs import ImageFootprint

KILOBYTE = 1000
"""Bytes of a kbyte (VOUnits: decimal)."""

_OGIP_CLASSES: Mapping[str, str] = {"EVENTS": "event", "LIGHTCURVE": "timeseries", "SPECTRUM": "spectrum"}
"""HDUCLAS1 of high-energy files (OGIP conventions) as ObsCore product types."""

_FORMATS: Mapping[str, str] = {
    ".gz": "application/gzip",
    ".z": "application/x-compress",
    ".bz2": "application/x-bzip2",
}
_FITS = "application/fits"


def product_type(headers: FileHeaders, seen: ImageFootprint, spectral: Spectral | None) -> str | None:
    """Return the ObsCore product type that the structure of the file shows, None when it shows none.

    Celestial axes alone make an image, with a spectral axis of more than one pixel a cube; a spectral
    axis without sky a spectrum. An array of pixels without coordinates may be anything.
    """
    if seen.region is not None:
        if spectral is None or spectral.axis.em_xel <= 1:
            return "image"
        # A slit with a full set of axes has one pixel along one of those of the sky.
        return "cube" if seen.pixels is not None and min(seen.pixels) > 1 else "spectrum"
    if spectral is not None and spectral.axis.em_xel > 1:
        return "spectrum"
    said = headers.text("HDUCLAS1")
    return _OGIP_CLASSES.get(said.upper()) if said else None


def calibration_level(headers: FileHeaders) -> int:
    """Return the ObsCore calibration level.

    PRODLVL (Phase 3) counts. Products of a pipeline are calibrated (2). Everything else, raw frames
    included, is instrumental data in a standard form (1): FITS says no less, and no header less than
    that of a product says more.
    """
    level = headers.number("PRODLVL")
    if level is not None and level in {0.0, 1.0, 2.0, 3.0, 4.0}:
        return int(level)
    return 2 if headers.get("PRODCATG", "ESO PRO CATG") is not None and is_processed(headers) else 1


def file_columns(headers: FileHeaders) -> dict[str, str | int]:
    """Return media type and size [kbyte, rounded up] of the file."""
    suffix = headers.file_name.lower().rpartition(".")[2]
    columns: dict[str, str | int] = {"access_format": _FORMATS.get(f".{suffix}", _FITS)}
    if headers.size > 0:
        columns["access_estsize"] = -(-headers.size // KILOBYTE)
    return columns


def observable_columns(headers: FileHeaders) -> dict[str, str]:
    """Return unit and UCD of what was measured, from BUNIT of the first image that has one."""
    images = headers.image_hdus()
    for header in (*(hdu.header for hdu in images), *([headers.primary] if images else [])):
        unit = header.get("BUNIT")
        if isinstance(unit, str) and re.search("[A-Za-z%]", unit):
            ucd = _observable(unit.strip())
            return {"o_unit": unit.strip(), **({"o_ucd": ucd} if ucd else {})}
    return {}


_COUNTS = frozenset({"ADU", "ADUS", "DN", "COUNT", "COUNTS", "CT", "ELECTRON", "ELECTRONS", "E-", "PHOTONS"})
_PER_WAVELENGTH = u.erg / u.s / u.cm**2 / u.AA
_OBSERVABLES = (
    ("phot.flux.density;em.wl", (_PER_WAVELENGTH, _PER_WAVELENGTH / u.arcsec**2)),
    ("phot.flux.density;em.freq", (u.Jy, u.Jy / u.arcsec**2, u.Jy / u.beam)),
    ("phot.count", (u.adu, u.electron, u.ct)),
)
_SPELLINGS = ((r"\bergs\b", "erg"), (r"\bAng\b|(?<=/)A\b", "Angstrom"), (r"JY/BEAM", "Jy/beam"))


@lru_cache(maxsize=1000)
def _observable(text: str) -> str | None:
    if text.upper() in _COUNTS:
        return "phot.count"
    unit = _unit(text)
    if unit is None:
        return None
    return next((ucd for ucd, units in _OBSERVABLES if any(unit.is_equivalent(u) for u in units)), None)


def _unit(text: str) -> u.UnitBase | None:
    for pattern, spelling in _SPELLINGS:
        text = re.sub(pattern, spelling, text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", u.UnitsWarning)
        try:
            unit = u.Unit(text)
        except (ValueError, TypeError, ArithmeticError):
            return None
    return unit if isinstance(unit, u.UnitBase) else None
