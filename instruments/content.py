"""What kind of thing a file holds: product type, calibration level, observable, format and size."""

from __future__ import annotations

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
        return "cube" if spectral is not None and spectral.axis.em_xel > 1 else "image"
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
    for hdu in headers.image_hdus():
        unit = hdu.header.get("BUNIT")
        if isinstance(unit, str) and unit.strip():
            ucd = _observable(unit.strip())
            return {"o_unit": unit.strip(), **({"o_ucd": ucd} if ucd else {})}
    unit = headers.primary.get("BUNIT")
    if isinstance(unit, str) and unit.strip() and headers.image_hdus():
        ucd = _observable(unit.strip())
        return {"o_unit": unit.strip(), **({"o_ucd": ucd} if ucd else {})}
    return {}


@lru_cache(maxsize=1000)
def _observable(text: str) -> str | None:
    if text.lower() in {
        "adu",
        "adus",
        "dn",
        "counts",
        "count",
        "electrons",
        "electron",
        "e-",
        "photons",
        "ct",
    }:
        return "phot.count"
    unit = _unit(text)
    if unit is None:
        return None
    per_wavelength = u.erg / u.s / u.cm**2 / u.AA
    if unit.is_equivalent(per_wavelength) or unit.is_equivalent(per_wavelength / u.arcsec**2):
        return "phot.flux.density;em.wl"
    if (
        unit.is_equivalent(u.Jy)
        or unit.is_equivalent(u.Jy / u.arcsec**2)
        or unit.is_equivalent(u.Jy / u.beam)
    ):
        return "phot.flux.density;em.freq"
    if unit.is_equivalent(u.adu) or unit.is_equivalent(u.electron) or unit.is_equivalent(u.ct):
        return "phot.count"
    if unit.is_equivalent(u.K):
        return "phot.antennaTemp" if "ta" in text.lower() else None
    return None


def _unit(text: str) -> u.UnitBase | None:
    try:
        return u.Unit(text, parse_strict="raise")
    except (ValueError, TypeError):
        pass
    try:
        return u.Unit(text.replace("Ang", "Angstrom").replace("ergs", "erg"), parse_strict="raise")
    except (ValueError, TypeError):
        return None
