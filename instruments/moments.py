"""When a file was observed: start, end and exposure time.

The rules, which never fill in what the headers leave open:

- MJD-OBS and DATE-OBS must agree within the coarser of the two; then the finer one counts. When they
  contradict each other, neither does.
- A date without a time of day says that the observation began on that day: ``t_min`` and ``t_max`` are
  the bounds of the day.
- The end is a keyword's, or start plus exposure time where that is one uninterrupted exposure.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from instruments.headers import FileHeaders
from sky.times import TimeError, parse_mjd, to_utc

SECONDS_PER_DAY = 86_400.0

LONGEST_EXPOSURE = 1e8
"""Seconds (three years) beyond which an exposure time is a mistake."""

LONGEST_SINGLE = 14_400.0
"""Seconds up to which an exposure time is taken as one uninterrupted exposure."""

TOLERANCE = 1.5
"""Seconds by which two statements of one moment may differ."""

_SINGLE_STEP = 2.0**-8
"""Days between neighbouring single-precision numbers around MJD 50,000."""

_TIME_KEYS = ("TIME-OBS", "UT-STR", "UTSTART")
_TIME_OF_DAY = re.compile(r"\s*(\d{1,2}):(\d{1,2}):(\d{1,2}(?:\.\d*)?)\s*\Z")
_SAYS_UTC = re.compile(r"(?:Z|UTC?|[+-]00:?00)\s*\Z", re.IGNORECASE)
_MENTIONS_UTC = re.compile(r"\bUTC?\b|\(U\Z")
"""UTC in a comment, which the end of the card may have cut."""

_EXPOSURE_KEYS = ("TEXPTIME", "EXPTIME", "EXPOSURE")


_SECONDS = {
    **dict.fromkeys(("ms", "msec", "milliseconds"), 1e-3),
    **dict.fromkeys(("min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), SECONDS_PER_DAY),
}
"""Units of exposure times other than seconds."""

_B1950 = 33_281.923
"""MJD of an equinox that software writes for the time of an observation that it does not know."""


_NEAR = 0.005


@dataclass(frozen=True, slots=True)
class Moment:
    """A time [MJD, UTC] known to some days."""

    mjd: float
    width: float = 0.0


def time_columns(headers: FileHeaders) -> dict[str, float]:
    """Return ``t_min``, ``t_max`` [MJD] and ``t_exptime`` [s], as far as the headers say."""
    found: dict[str, float] = {}
    exposure = exposure_time(headers)
    if exposure is not None:
        found["t_exptime"] = exposure
    start = start_time(headers)
    if start is None:
        return found
    found["t_min"] = start.mjd
    end = _end(headers, start, exposure)
    if end is not None:
        found["t_max"] = end
    return found


def exposure_time(headers: FileHeaders) -> float | None:
    """Return the exposure time [s]; a negative or absurd one counts as none."""
    # In high-energy files EXPTIME is that of one frame of the detector.
    keys = _EXPOSURE_KEYS if headers.text("HDUCLASS") != "OGIP" else ("EXPOSURE", *_EXPOSURE_KEYS)
    for key in keys:
        said = headers.number(key)
        if said is None:
            continue
        seconds = said * _seconds_per_unit(headers.comment(key).lower())
        if 0.0 <= seconds <= LONGEST_EXPOSURE:
            return seconds
        headers.warn(f"{key} {seconds:g} s cannot be an exposure time")
    return None


def _seconds_per_unit(comment: str) -> float:
    """Return the seconds of the unit that a comment begins with in brackets, or of minutes it speaks of."""
    bracketed = re.match(r"\s*\[\s*([a-z]+)\s*\]", comment)
    if bracketed and bracketed[1] in _SECONDS:
        return _SECONDS[bracketed[1]]
    return 60.0 if re.search(r"\bminutes?\b", comment) else 1.0


def start_time(headers: FileHeaders) -> Moment | None:
    """Return when the observation began."""
    dated = _dated(headers)
    counted = _counted(headers, "MJD-OBS", "MJD-BEG", "EXPSTART")
    if counted is not None and abs(counted.mjd - _B1950) < _NEAR:
        headers.warn(f"MJD-OBS {counted.mjd:.5f} is the equinox B1950, not the time of an observation")
        return dated if dated is not None and abs(dated.mjd - counted.mjd) > 1.0 else None
    if dated is None or counted is None:
        return counted or dated
    slack = max(dated.width, counted.width) + TOLERANCE / SECONDS_PER_DAY
    low = min(dated.mjd, counted.mjd)
    if max(dated.mjd, counted.mjd) - low > slack:
        headers.warn(
            f"DATE-OBS and MJD-OBS contradict each other (MJD {dated.mjd:.5f} and {counted.mjd:.5f})"
        )
        return None
    return dated if dated.width < counted.width else counted


def _counted(headers: FileHeaders, *keys: str) -> Moment | None:
    for key in keys:
        value = headers.number(key)
        if value is None:
            continue
        try:
            mjd = parse_mjd(value)
        except TimeError:
            headers.warn(f"{key} {value:g} is not the MJD of an observation")
            continue
        start = _in_utc(headers, key, mjd)
        return None if start is None else Moment(start, _width(mjd))
    return None


def _width(mjd: float) -> float:
    """Return how coarse an MJD is: a whole day, or what is left of one written in single precision."""
    if mjd == math.floor(mjd):
        return 1.0
    return _SINGLE_STEP if (mjd / _SINGLE_STEP).is_integer() else 0.0


def _dated(headers: FileHeaders) -> Moment | None:
    for key in ("DATE-OBS", "DATE-BEG"):
        text = headers.text(key)
        if text is None:
            continue
        try:
            mjd = parse_mjd(text)
        except TimeError as error:
            headers.warn(f"{key}: {error}")
            continue
        if ":" in text:
            start = mjd if _SAYS_UTC.search(text) else _in_utc(headers, key, mjd)
            return None if start is None else Moment(start)
        time_of_day = _TIME_OF_DAY.match(headers.text(*_TIME_KEYS) or "")
        if time_of_day is None:
            return Moment(float(math.floor(mjd)), 1.0)
        hours, minutes, seconds = (float(part) for part in time_of_day.groups())
        if hours < 24 and minutes < 60 and seconds < 61:
            mjd = math.floor(mjd) + ((hours * 60 + minutes) * 60 + seconds) / SECONDS_PER_DAY
            start = _in_utc(headers, key, mjd)
            return None if start is None else Moment(start)
        headers.warn(f"{time_of_day[0]} is not a time of day")
        return Moment(float(math.floor(mjd)), 1.0)
    return None


def _end(headers: FileHeaders, start: Moment, exposure: float | None) -> float | None:
    said = end_time(headers)
    if said is not None:
        return _checked_end(headers, start, said, exposure or 0.0)
    if start.width:
        return start.mjd + start.width
    combined = headers.number("NCOMBINE")
    if exposure is None or exposure > LONGEST_SINGLE or (combined is not None and combined > 1):
        return None
    return start.mjd + exposure / SECONDS_PER_DAY


def _checked_end(headers: FileHeaders, start: Moment, end: float, exposure: float) -> float | None:
    if end < start.mjd:
        headers.warn("the observation ends before it begins; its end is left out")
        return None
    if (end - start.mjd) * SECONDS_PER_DAY * 1.01 + TOLERANCE < exposure:
        headers.warn("the exposure time is longer than the observation; its end is left out")
        return None
    return end


def first_end(headers: FileHeaders, *keys: str) -> float | None:
    """Return the end of a raw frame [MJD] that its detector says, if it follows the start within a day."""
    start, end = start_time(headers), end_time(headers, *keys)
    return end if start is not None and end is not None and 0.0 <= end - start.mjd < 1.0 else None


def end_time(headers: FileHeaders, *more: str) -> float | None:
    """Return the end that a keyword gives [MJD]: MJD-END, EXPEND, DATE-END, or one of ``more``."""
    for key in ("MJD-END", "EXPEND", "DATE-END", *more):
        value = headers.get(key)
        if value is None or isinstance(value, bool):
            continue
        if isinstance(value, str) and ":" not in value:
            continue
        try:
            mjd = parse_mjd(value)
        except TimeError as error:
            headers.warn(f"{key}: {error}")
            continue
        return mjd if isinstance(value, str) and _SAYS_UTC.search(value) else _in_utc(headers, key, mjd)
    return None


def _in_utc(headers: FileHeaders, key: str, mjd: float) -> float | None:
    """Return a moment of the time scale that TIMESYS names as UTC; None where that is not known.

    A comment that says UT counts before TIMESYS, which some software writes for other cards.
    """
    scale = headers.text("TIMESYS")
    if scale is None or scale.upper().startswith("UT") or _MENTIONS_UTC.search(headers.comment(key)):
        return mjd
    try:
        return to_utc(mjd, scale)
    except TimeError as error:
        headers.warn(f"{key}: {error}")
        return None
