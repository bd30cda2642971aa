"""What common keywords say beyond a plain copy."""

from __future__ import annotations

from datetime import datetime

from instruments.headers import FileHeaders
from instruments.values import moment
from sky.times import TimeError, parse_microseconds

_NO_TARGETS = frozenset(
    {"BIAS", "DARK", "FLAT", "MASK", "ARC", "LAMP", "DOME", "SKY", "ZERO", "TEST", "OBJECT", "FOCUS"}
)
"""Words that stand in OBJECT of calibrations, upper case."""

_FITS_YEAR = 1977
"""Before this year nobody wrote FITS: DD/MM/YY of software that did not know the year 2000."""


def target_name(headers: FileHeaders) -> str | None:
    """Return OBJECT or TARGNAME, unless it names a kind of calibration."""
    said = headers.text("OBJECT", "TARGNAME")
    return None if said is None or said.upper() in _NO_TARGETS else said


def creation_date(headers: FileHeaders) -> datetime | None:
    """Return DATE, when it can be the date of a FITS file."""
    said = headers.text("DATE")
    if said is None:
        return None
    try:
        made = moment(parse_microseconds(said))
    except TimeError as error:
        headers.warn(f"DATE: {error}")
        return None
    if made.year < _FITS_YEAR:
        headers.warn(f"DATE {said} is before FITS")
        return None
    return made
