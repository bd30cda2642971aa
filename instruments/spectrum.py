"""The spectral and polarisation axes of a file's images, and the dialects that name them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from instruments.headers import FileHeaders, Hdu
from instruments.multispec import is_multispec, multispec_range
from sky.axes import SpectralAxis, pol_states, spectral_range
from sky.regions import RegionError

_MIDAS_CTYPE = re.compile(r"(?:WAVELENGTH|LAMBDA)\s*[\[(]\s*(?P<unit>\w+)\s*[\])]\s*\Z", re.IGNORECASE)
_IRAF_AXIS = re.compile(r"label=\"?wavelength\"?\s+units=(?P<unit>\w+)", re.IGNORECASE)
_IRAF_LINEAR = re.compile(r"wtype=linear\b", re.IGNORECASE)
_LABELS = {
    "WAVE": "em.wl",
    "AWAV": "em.wl",
    "FREQ": "em.freq",
    "ENER": "em.energy",
    "WAVN": "em.wavenumber",
    "VRAD": "spect.dopplerVeloc.radio",
    "VOPT": "spect.dopplerVeloc.opt",
    "VELO": "spect.dopplerVeloc",
    "BETA": "spect.dopplerVeloc",
    "ZOPT": "src.redshift",
}
_UNIT_SPELLINGS = {"a": "Angstrom", "ang": "Angstrom", "angstrom": "Angstrom", "angstroms": "Angstrom"}


@dataclass(frozen=True, slots=True)
class Spectral:
    """The spectral axis of a file's first image that has one."""

    axis: SpectralAxis
    number: int
    kind: str
    unit: str | None


def spectral_axis(headers: FileHeaders) -> Spectral | None:
    """Return the first spectral axis of the images; one that makes no sense counts as none."""
    for hdu in headers.image_hdus():
        cards = axis_cards(hdu)
        try:
            if is_multispec(hdu):
                axis, written = multispec_range(hdu)
                return Spectral(axis, 1, "WAVE", _UNIT_SPELLINGS.get(written.lower(), written))
            found = spectral_range(cards)
        except RegionError as error:
            headers.warn(f"spectral axis: {error}")
            continue
        if found is not None:
            number = _axis_number(cards)
            said = str(cards.get(f"CUNIT{number}", "")).strip()
            unit = _UNIT_SPELLINGS.get(said.lower(), said) or None
            return Spectral(found, number, str(cards.get(f"CTYPE{number}", "")).strip().upper()[:4], unit)
    return None


def spectral_columns(found: Spectral | None) -> dict[str, float | int | str]:
    """Return the spectral columns of ObsCore."""
    if found is None:
        return {}
    columns: dict[str, float | int | str] = {
        "em_min": found.axis.em_min,
        "em_max": found.axis.em_max,
        "em_xel": found.axis.em_xel,
        "em_ucd": _LABELS.get(found.kind, "em.wl"),
    }
    if found.unit is not None:
        columns["em_unit"] = found.unit
    return columns


def polarisation_columns(headers: FileHeaders) -> dict[str, float | int | str]:
    """Return the polarisation columns of ObsCore, from a STOKES axis."""
    for hdu in headers.image_hdus():
        cards = hdu.coordinates
        try:
            states = pol_states(cards)
        except RegionError as error:
            headers.warn(f"polarisation axis: {error}")
            continue
        if states:
            return {"pol_states": states, "pol_xel": states.strip("/").count("/") + 1}
    return {}


def axis_cards(hdu: Hdu) -> dict[str, object]:
    """Return the coordinate cards of an image, with wavelengths named as the standard does.

    MIDAS writes ``CTYPE1 = 'WAVELENGTH [A]'``. IRAF writes a linear axis without unit and puts label and
    unit into ``WAT1_001``, here in a form that it can say in one card.
    """
    cards: dict[str, object] = dict(hdu.coordinates)
    for axis in range(1, len(hdu.shape) + 1):
        midas = _MIDAS_CTYPE.match(str(cards.get(f"CTYPE{axis}", "")))
        if midas:
            cards[f"CTYPE{axis}"], cards[f"CUNIT{axis}"] = "WAVE", midas["unit"]
        elif str(cards.get(f"CTYPE{axis}", "")).strip().upper() == "LINEAR" and f"CUNIT{axis}" not in cards:
            said = str(hdu.header.get(f"WAT{axis}_001", ""))
            iraf = _IRAF_AXIS.search(said)
            if iraf and _IRAF_LINEAR.search(said):
                cards[f"CUNIT{axis}"] = iraf["unit"]
    return cards


def _axis_number(cards: dict[str, object]) -> int:
    names = {*_LABELS, "LAMB"}
    for axis in range(1, 8):
        if str(cards.get(f"CTYPE{axis}", "")).strip().upper()[:4] in names:
            return axis
    for axis in range(1, 8):
        if str(cards.get(f"CTYPE{axis}", "")).strip().upper() in {"LINEAR", ""} and f"CUNIT{axis}" in cards:
            return axis
    return 1
