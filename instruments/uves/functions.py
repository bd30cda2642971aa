"""UVES observes at standard settings, named by the central wavelength of an arm."""

from __future__ import annotations

from instruments.headers import FileHeaders
from instruments.identity import is_processed

_SETTINGS = {
    ("BLUE", 346): (303.0, 388.0),
    ("BLUE", 437): (373.0, 499.0),
    ("RED", 520): (414.0, 621.0),
    ("RED", 580): (476.0, 684.0),
    ("RED", 600): (500.0, 705.0),
    ("RED", 860): (660.0, 1060.0),
}
"""Arm and central wavelength [nm]: first and last wavelength [nm] (UVES User Manual, standard settings)."""

_ARMS = {"BLUE": "ESO INS GRAT1 WLEN", "RED": "ESO INS GRAT2 WLEN"}
_METRES = 1e-9


def setting_start(headers: FileHeaders) -> float | None:
    """Return the shortest wavelength [m]: what a product says, that of a raw frame at a standard setting."""
    band = _band(headers)
    return band[0] * _METRES if band else _said(headers, "WAVELMIN")


def setting_end(headers: FileHeaders) -> float | None:
    """Return the longest wavelength [m]: what a product says, that of a raw frame at a standard setting."""
    band = _band(headers)
    return band[1] * _METRES if band else _said(headers, "WAVELMAX")


def _said(headers: FileHeaders, key: str) -> float | None:
    length = headers.number(key)
    return length * _METRES if length is not None and length >= 1.0 else None


def _band(headers: FileHeaders) -> tuple[float, float] | None:
    arm = (headers.text("ESO INS PATH") or "").upper()
    if arm not in _ARMS or is_processed(headers):
        return None
    centre = headers.number(_ARMS[arm])
    return None if centre is None else _SETTINGS.get((arm, round(centre)))
