"""Dispersion of IRAF's "multispec" spectra, which stands in WATi_nnn cards and not in a FITS axis.

Each line of the image is a spectrum of its own: ``spec1 = "ap beam dtype w1 dw nw z aplow aphigh"`` says
that pixel ``i`` of ``nw`` is at ``(w1 + dw (i - 1)) / (1 + z)``; where ``dtype`` is 1, the bracket is the
logarithm (IRAF, noao.onedspec.specwcs).
"""

from __future__ import annotations

import math
import re

import astropy.units as u

from instruments.headers import Hdu
from sky.axes import SpectralAxis, unit_named
from sky.regions import RegionError

_CARD_TEXT = 68
"""Characters of a text that is continued in the next card; FITS drops blanks at its end."""

_SPECTRUM = re.compile(r"\bspec\d+\s*=\s*\"([^\"]*)\"")
_UNITS = re.compile(r"\bunits\s*=\s*\"?([A-Za-z]+)")
_LINEAR, _LOGARITHMIC = 0, 1
_LARGEST_POWER = 300.0
_MOST_SPECTRA = 100_000
_SHORTEST, _LONGEST = 1e-13, 1.0
"""Wavelengths [m] beyond which a dispersion is a mistake."""


def is_multispec(hdu: Hdu) -> bool:
    """Tell whether IRAF keeps the dispersion of this image in its own way."""
    return str(hdu.header.get("CTYPE1", "")).strip().upper() == "MULTISPE"


def multispec_range(hdu: Hdu) -> tuple[SpectralAxis, str]:
    """Return the wavelengths [m] that all spectra of an image cover, and their unit as written.

    Raises
    ------
    RegionError
        With code "wcs" where they are not linear or logarithmic, have no unit, or make no sense.
    """
    unit = _UNITS.search(_attributes(hdu, 1))
    if unit is None:
        raise RegionError("wcs", "the multispec axis has no unit")
    factor = _metres(unit[1])
    found = [_range(text) for text in _SPECTRUM.findall(_attributes(hdu, 2))[:_MOST_SPECTRA]]
    if not found:
        raise RegionError("wcs", "the multispec axis has no dispersion")
    low, high = min(low for low, _, _ in found) * factor, max(high for _, high, _ in found) * factor
    if not _SHORTEST <= low < high <= _LONGEST:
        raise RegionError("wcs", f"wavelengths from {low:.4g} to {high:.4g} m make no sense")
    return SpectralAxis(low, high, max(count for _, _, count in found)), unit[1]


def _attributes(hdu: Hdu, axis: int) -> str:
    names = sorted(name for name in hdu.header.names(f"WAT{axis}_") if name[5:].isdigit())
    return "".join(str(hdu.header.get(name, "")).ljust(_CARD_TEXT) for name in names)


def _metres(unit: str) -> float:
    try:
        return float(unit_named(unit).to(u.m))
    except u.UnitConversionError as error:
        raise RegionError("wcs", f"the unit {unit!r} is not one of wavelengths") from error


def _range(text: str) -> tuple[float, float, int]:
    """Return the outer edges of a spectrum and its pixels."""
    try:
        kind, start, step, count, shift = (float(word) for word in text.split()[2:7])
    except ValueError:
        raise RegionError("wcs", f"the dispersion {text[:40]!r} cannot be read") from None
    if kind not in {_LINEAR, _LOGARITHMIC}:
        raise RegionError("wcs", "the multispec axis is not linear; its dispersion is left out")
    edges = [start + step * place for place in (-0.5, count - 0.5)]
    if kind == _LOGARITHMIC:
        edges = [10.0**edge if abs(edge) < _LARGEST_POWER else math.inf for edge in edges]
    # The Doppler factor is of the wavelengths, not of their logarithms.
    edges = [edge / (1.0 + shift) for edge in edges] if shift > -1.0 else []
    if not edges or not all(map(math.isfinite, edges)) or step == 0.0 or count < 1:
        raise RegionError("wcs", f"the dispersion {text[:40]!r} makes no sense")
    return min(edges), max(edges), int(count)
