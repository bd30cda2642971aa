"""Dates as FITS headers write them, as MJD and as microseconds since 1970, both UTC."""

import math
import re
from datetime import UTC, datetime
from typing import Final

from astropy.time import Time

MJD_OF_1970: Final = 40587
MICROSECONDS_PER_DAY: Final = 86_400_000_000

_ISO = re.compile(
    r"([+-]?\d{4,5})-(\d{1,2})-(\d{1,2})"
    r"(?:[T ]\s*(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:[.,](\d*))?)?)?\s*(Z|UTC?|[+-]00:?00)?",
    re.IGNORECASE,
)
_OLD = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{2}|\d{4})")


_SCALES: Final = {"TAI": "tai", "TT": "tt", "TDT": "tt", "ET": "tt", "TDB": "tdb", "TCG": "tcg", "TCB": "tcb"}
_GPS_BEHIND_TAI: Final = 19.0 / 86_400.0


class TimeError(ValueError):
    """A date that cannot be read, or that no observation can have."""


def parse_microseconds(value: str | float) -> int:
    """Read a date to microseconds since 1970-01-01 UTC.

    Texts may be ISO 8601, shortened to minutes or days, with T or a blank, with Z; the old FITS form
    DD/MM/YY (years 1900 to 1999); or a number, taken as MJD below 100,000 and as JD from 2,000,000 on.
    A leap second becomes the first of the next minute.

    Raises
    ------
    TimeError
        If the value is none of these, or outside the years 1800 to 2200.
    """
    if isinstance(value, bool):
        raise TimeError(f"{value!r} is not a date")
    if isinstance(value, int | float):
        return _from_number(float(value))
    text = value.strip()
    if found := _ISO.fullmatch(text):
        return _from_fields(found)
    if found := _OLD.fullmatch(text):
        day, month, year = (int(part) for part in found.groups())
        return _checked(_from_calendar(year + 1900 if year < 100 else year, month, day, text))
    try:
        return _from_number(float(text))
    except ValueError:
        raise TimeError(f"{value!r} is not a date that can be read") from None


def parse_mjd(value: str | float) -> float:
    """Read a date to MJD [d], UTC; texts as for :func:`parse_microseconds`.

    Raises
    ------
    TimeError
        If the value cannot be read, or lies outside the years 1800 to 2200.
    """
    return to_mjd(parse_microseconds(value))


def to_utc(mjd: float, scale: str) -> float:
    """Turn an MJD of a time scale (FITS 4.0, table 30) into one of UTC [d].

    UT1 is taken for UTC, which it follows within 0.9 s.

    Raises
    ------
    TimeError
        If the scale is of a place only (LOCAL).
    """
    name = scale.strip().upper().partition("(")[0]
    if name == "LOCAL":
        raise TimeError("local time is not known by its relation to UTC")
    if name == "GPS":
        mjd, name = mjd + _GPS_BEHIND_TAI, "TAI"
    if name not in _SCALES:
        return mjd
    days = math.floor(mjd)
    utc = Time(days, mjd - days, format="mjd", scale=_SCALES[name]).utc
    return float(utc.mjd)


def to_mjd(microseconds: int) -> float:
    """Turn microseconds since 1970 into MJD [d]."""
    days, rest = divmod(microseconds, MICROSECONDS_PER_DAY)
    return MJD_OF_1970 + days + rest / MICROSECONDS_PER_DAY


def from_mjd(mjd: float) -> int:
    """Turn MJD [d] into microseconds since 1970; a double resolves about one of them.

    Raises
    ------
    TimeError
        If the date lies outside the years 1800 to 2200.
    """
    if not math.isfinite(mjd):
        raise TimeError(f"MJD {mjd} is not a date")
    whole = math.floor(mjd)
    return _checked(
        (whole - MJD_OF_1970) * MICROSECONDS_PER_DAY + round((mjd - whole) * MICROSECONDS_PER_DAY)
    )


def _from_number(number: float) -> int:
    if not math.isfinite(number):
        raise TimeError(f"{number} is not a date")
    if 2_000_000.0 <= number < 3_000_000.0:
        return from_mjd(number - 2_400_000.5)
    if 10_000.0 <= number < 100_000.0:
        return from_mjd(number)
    raise TimeError(f"{number} is neither an MJD nor a JD of an observation")


def _from_fields(found: re.Match[str]) -> int:
    year, month, day, hour, minute, second, fraction, _ = found.groups()
    start = _from_calendar(int(year), int(month), int(day), found[0])
    hours, minutes, seconds = int(hour or 0), int(minute or 0), int(second or 0)
    if hours > 24 or minutes > 59 or seconds > 60 or (hours == 24 and (minutes or seconds)):
        raise TimeError(f"{found[0]!r} has a time of day that does not exist")
    micro = int((fraction or "").ljust(6, "0")[:6])
    return _checked(start + ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + micro)


def _from_calendar(year: int, month: int, day: int, text: str) -> int:
    try:
        moment = datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        raise TimeError(f"{text!r} is a date that does not exist") from None
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)).days * MICROSECONDS_PER_DAY


def _checked(microseconds: int) -> int:
    years = (datetime(1800, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
    first, last = ((year - datetime(1970, 1, 1, tzinfo=UTC)).days * MICROSECONDS_PER_DAY for year in years)
    if not first <= microseconds < last:
        raise TimeError("the date is not between the years 1800 and 2200")
    return microseconds
