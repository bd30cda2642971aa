"""Spectral, polarisation and time axes of FITS images, from their cards alone.

Wavelengths are metres as the header gives them: air stays air, and no velocity of the observer is
taken out.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import astropy.units as u
import numpy as np
from astropy.io.fits import Header

from sky.forms import RegionError
from sky.headers import Cards, axis_length, build_wcs, coordinate_cards, quiet_wcs
from sky.times import TimeError, parse_mjd
from sky.vectors import FloatArray

LIGHT: Final = 299_792_458.0
"""Speed of light [m/s]."""

PLANCK: Final = 6.626_070_15e-34
"""Planck's constant [J s]."""

_SHORTEST, _LONGEST = 1e-21, 1e7
"""Wavelengths outside are mistakes [m]: from PeV photons to waves longer than the Earth."""

_LONGEST_WITHOUT_UNIT: Final = 0.1
"""Wavelengths above are mistakes [m] where an axis of wavelengths has no unit: they are Angstrom or nm."""

_STANDARD: Final = frozenset({"WAVE", "AWAV", "FREQ", "ENER", "WAVN", "VRAD", "VOPT", "ZOPT", "VELO", "BETA"})
_NICKNAMES: Final = {
    "LAMBDA": "WAVE",
    "WAVELENGTH": "WAVE",
    "WAVELEN": "WAVE",
    "FREQUENCY": "FREQ",
    "ENERGY": "ENER",
}
_UNITS: Final = {"WAVE": u.m, "AWAV": u.m, "FREQ": u.Hz, "ENER": u.J, "WAVN": 1 / u.m}
_SPELLED: Final[Mapping[str, str]] = {
    **dict.fromkeys(("angstroms", "a", "ang"), "Angstrom"),
    **dict.fromkeys(("micron", "microns", "micrometer", "micrometers"), "um"),
    **dict.fromkeys(("nanometer", "nanometers"), "nm"),
}
_ONE_CASE: Final[Mapping[str, str]] = {
    name.lower(): name
    for name in (
        "Angstrom",
        "nm",
        "um",
        "mm",
        "cm",
        "Hz",
        "kHz",
        "MHz",
        "GHz",
        "THz",
        "eV",
        "keV",
        "MeV",
        "GeV",
    )
} | {"km/s": "km/s", "m/s": "m/s", "km s-1": "km/s", "m s-1": "m/s"}
"""Units by their names in small letters, for where all letters of a card are of one size."""

_BARE: Final = {"m": "WAVE", "Hz": "FREQ", "J": "ENER"}

_STOKES: Final[Mapping[int, str]] = {
    **dict(enumerate(("I", "Q", "U", "V"), start=1)),
    **{-index: name for index, name in enumerate(("RR", "LL", "RL", "LR", "XX", "YY", "XY", "YX"), start=1)},
}
"""Values of a STOKES axis (WCS paper I, table 6)."""

_ORDER: Final = ("I", "Q", "U", "V", "RR", "LL", "RL", "LR", "XX", "YY", "XY", "YX")
"""The order ObsCore asks for in ``pol_states`` (ObsCore 1.1 section B.6.6)."""


@dataclass(frozen=True, slots=True)
class SpectralAxis:
    """Outer edges of the first and last pixel as wavelengths [m], and the number of pixels."""

    em_min: float
    em_max: float
    em_xel: int


def spectral_range(header: Cards, shape: tuple[int, ...] | None = None) -> SpectralAxis | None:
    """Read the spectral axis of an image or spectrum; None if it has none.

    ``shape`` is the data's shape in numpy order; without it NAXISn (or ZNAXISn) counts.

    Raises
    ------
    RegionError
        With code "wcs" if an axis claims to be spectral and makes no sense: a velocity without rest
        frequency, a table axis, an unknown unit, wavelengths that no instrument sees.
    """
    for axis in range(1, 8):
        kind, algorithm = _kind(header, axis)
        if kind is None:
            continue
        count = axis_length(header, axis, shape)
        if count < 1:
            return None
        if algorithm == "TAB":
            raise RegionError("wcs", f"the spectral axis {axis} needs a table of coordinates")
        edges = np.array([0.5, count + 0.5])
        cards = coordinate_cards(header)
        if algorithm or kind not in _UNITS:
            values = _by_wcslib(cards, axis, edges)
        else:
            values = _linear(cards, axis, kind, edges)
        if values[0] == values[1]:
            raise RegionError("wcs", f"the spectral axis {axis} has a step of zero")
        if kind in {"WAVE", "AWAV"} and not cards.get(f"CUNIT{axis}") and max(values) > _LONGEST_WITHOUT_UNIT:
            raise RegionError("wcs", f"the spectral axis {axis} has no unit")
        return _checked(_wavelengths(kind, values, cards), count)
    return None


def pol_states(header: Cards, shape: tuple[int, ...] | None = None) -> str | None:
    """Read the states of a STOKES axis as ObsCore writes them, ``/I/Q/U/``; None without one.

    Raises
    ------
    RegionError
        With code "wcs" if the axis has values that stand for nothing.
    """
    for axis in range(1, 8):
        if str(header.get(f"CTYPE{axis}", "")).strip().upper() != "STOKES":
            continue
        count = min(axis_length(header, axis, shape), len(_STOKES) + 1)
        values = _linear_values(coordinate_cards(header), axis, np.arange(1.0, count + 1.0))
        found = {_STOKES.get(round(float(value))) for value in values}
        if not found:
            return None
        if None in found:
            raise RegionError("wcs", f"the STOKES axis has unknown values among {values.tolist()}")
        return "/" + "".join(f"{state}/" for state in _ORDER if state in found)
    return None


def time_range(header: Cards, shape: tuple[int, ...] | None = None) -> tuple[float, float, int] | None:
    """Read a time axis: MJD of its outer edges in its own scale, and its length; None without one.

    Raises
    ------
    RegionError
        With code "wcs" if there is a time axis without reference date or with an unknown unit.
    """
    for axis in range(1, 8):
        kind = str(header.get(f"CTYPE{axis}", "")).strip().upper()
        if kind not in {"TIME", "UTC", "TAI", "TT", "TDB"}:
            continue
        count = axis_length(header, axis, shape)
        cards = coordinate_cards(header)
        values = _linear_values(cards, axis, np.array([0.5, count + 0.5]))
        days = _converted(values, str(cards.get(f"CUNIT{axis}", "s")) or "s", u.d)
        start = _reference_date(header)
        low, high = sorted((start + days).tolist())
        return low, high, count
    return None


def _reference_date(header: Cards) -> float:
    try:
        if "MJDREFI" in header:
            return float(header["MJDREFI"]) + float(header.get("MJDREFF", 0.0))
        for keyword in ("MJDREF", "DATEREF"):
            if keyword in header:
                return parse_mjd(header[keyword])
    except (TimeError, TypeError, ValueError) as error:
        raise RegionError("wcs", f"the reference date of the time axis cannot be read: {error}") from error
    raise RegionError("wcs", "the time axis has no reference date")


def _kind(header: Cards, axis: int) -> tuple[str | None, str]:
    """Return the standard name of a spectral axis and its algorithm code, or None."""
    name = str(header.get(f"CTYPE{axis}", "")).strip().upper()
    base, _, algorithm = name.partition("-")
    if base in _STANDARD:
        code = algorithm.strip("-")
        return base, "" if code == "LIN" else code
    if name in _NICKNAMES:
        return _NICKNAMES[name], ""
    unit = str(header.get(f"CUNIT{axis}", "")).strip()
    if name in {"", "LINEAR", "PIXEL", "SPECTRUM"} and unit and not _other_length(header, axis):
        try:
            return _BARE.get(unit_named(unit).decompose().bases[0].name if _is_length(unit) else ""), ""
        except RegionError:
            return None, ""
    return None, ""


def _other_length(header: Cards, axis: int) -> bool:
    """Tell whether a further axis is measured in lengths: then both are places on a detector."""
    for other in range(1, 8):
        unit = str(header.get(f"CUNIT{other}", "")).strip()
        try:
            if other != axis and unit and unit_named(unit).is_equivalent(u.m):
                return True
        except RegionError:
            continue
    return False


def _is_length(text: str) -> bool:
    """Tell whether an unnamed axis is one of wavelengths: a length in the units spectra come in."""
    unit = unit_named(text)
    return bool(unit.is_equivalent(u.m)) and text.lower() not in {"m", "mm", "cm", "km", "pixel"}


def _linear_values(cards: Header, axis: int, pixels: FloatArray) -> FloatArray:
    step = cards.get(f"CD{axis}_{axis}")
    if step is None:
        step = cards.get(f"CDELT{axis}", 1.0) * cards.get(f"PC{axis}_{axis}", 1.0)
    with np.errstate(over="ignore", invalid="ignore"):
        offsets = (pixels - cards.get(f"CRPIX{axis}", 0.0)) * float(step)
        values: FloatArray = cards.get(f"CRVAL{axis}", 0.0) + offsets
    if not np.isfinite(values).all():
        raise RegionError("wcs", f"the values of axis {axis} are beyond all bounds")
    return values


def _linear(cards: Header, axis: int, kind: str, pixels: FloatArray) -> FloatArray:
    values = _linear_values(cards, axis, pixels)
    # IRAF's sign for a logarithmic axis.
    if cards.get("DC-FLAG") == 1:
        with np.errstate(over="ignore"):
            values = 10.0**values
    unit = str(cards.get(f"CUNIT{axis}", "")).strip()
    if not unit and str(cards.get(f"CTYPE{axis}", "")).strip().upper() not in _STANDARD:
        raise RegionError("wcs", f"the spectral axis {axis} has no unit")
    return _converted(values, unit, _UNITS[kind]) if unit else values


def _by_wcslib(cards: Header, axis: int, pixels: FloatArray) -> FloatArray:
    """Let wcslib compute what is not linear; it answers in SI units."""
    # A matrix that mixes the axis with others leaves no range of its own.
    unit = str(cards.get(f"CUNIT{axis}", "")).strip()
    if unit.lower() in _ONE_CASE:
        cards[f"CUNIT{axis}"] = _ONE_CASE[unit.lower()] if unit != "mHz" else unit
    wcs = build_wcs(cards)
    with quiet_wcs("the spectral axis cannot be told from the others"):
        spectral = wcs.sub([axis])
        values: FloatArray = np.asarray(spectral.wcs_pix2world(pixels, 1)[0], np.float64)
    return values


def unit_named(text: str) -> u.UnitBase:
    """Return the unit of a spectral axis; capitals of authors who had no others are understood.

    Raises
    ------
    RegionError
        With code "wcs" if there is none of that name.
    """
    name = text.strip()
    with quiet_wcs("the unit cannot be read"):
        unit = u.Unit(_SPELLED.get(name.lower(), name), parse_strict="silent")
        if isinstance(unit, u.UnrecognizedUnit) and name.lower() in _ONE_CASE:
            unit = u.Unit(_ONE_CASE[name.lower()])
    # astropy's own complaint recommends what no author of a header can do.
    if isinstance(unit, u.UnrecognizedUnit):
        raise RegionError("wcs", f"the unit {text!r} is not known")
    return unit


def _converted(values: FloatArray, unit: str, wanted: u.UnitBase) -> FloatArray:
    with quiet_wcs(f"the unit {unit!r} does not fit"):
        result: FloatArray = (values * unit_named(unit)).to_value(wanted)
        return result


def _wavelengths(kind: str, values: FloatArray, cards: Header) -> FloatArray:
    """Turn a spectral quantity in SI units into wavelengths [m] (WCS paper III, table 1)."""
    with np.errstate(all="ignore"):
        if kind in _PLAIN:
            return _PLAIN[kind](values)
        rest = cards.get("RESTWAV") or _over(LIGHT, cards.get("RESTFRQ") or cards.get("RESTFREQ"))
        if not rest:
            raise RegionError("wcs", f"the spectral axis {kind} has no rest frequency or wavelength")
        return float(rest) * _SHIFTED[kind](values)


def _over(above: float, below: float | None) -> float | None:
    return above / float(below) if below else None


_PLAIN: Final[Mapping[str, Callable[[FloatArray], FloatArray]]] = {
    "WAVE": lambda value: value,
    "AWAV": lambda value: value,
    "FREQ": lambda value: LIGHT / value,
    "ENER": lambda value: PLANCK * LIGHT / value,
    "WAVN": lambda value: 1.0 / value,
}
_SHIFTED: Final[Mapping[str, Callable[[FloatArray], FloatArray]]] = {
    "VRAD": lambda value: 1.0 / (1.0 - value / LIGHT),
    "VOPT": lambda value: 1.0 + value / LIGHT,
    "ZOPT": lambda value: 1.0 + value,
    "VELO": lambda value: np.sqrt((1.0 + value / LIGHT) / (1.0 - value / LIGHT)),
    "BETA": lambda value: np.sqrt((1.0 + value) / (1.0 - value)),
}


def _checked(edges: FloatArray, count: int) -> SpectralAxis:
    low, high = sorted(edges.tolist())
    if not (math.isfinite(low) and math.isfinite(high) and _SHORTEST <= low <= high <= _LONGEST):
        raise RegionError("wcs", f"wavelengths from {low:.4g} to {high:.4g} m make no sense")
    return SpectralAxis(low, high, count)
