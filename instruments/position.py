"""Where a file lies on the sky: the footprint of its images, or the pointing that the header gives."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from instruments.headers import FileHeaders
from sky.frames import from_icrs, to_icrs
from sky.regions import Point, RegionError
from sky.text import to_stcs
from sky.vectors import FloatArray, positions, unit_vectors
from sky.wcs import ImageFootprint, celestial_footprint

_SEXAGESIMAL = re.compile(r"\s*([+-]?)(\d{1,3})[:\s]+(\d{1,2})(?:[:\s]+(\d{1,2}(?:\.\d*)?))?\s*\Z")
_HOURS_AGREE = 0.02
"""Hours by which sidereal time, hour angle and right ascension may disagree: a minute of exposure."""

_ICRS_NAMES = frozenset({"", "ICRS", "FK5", "GAPPT", "FK5 J2000", "J2000"})


@dataclass(frozen=True, slots=True)
class Position:
    """A direction, ICRS degrees."""

    ra: float
    dec: float

    @property
    def region(self) -> str:
        """The position as STC-S."""
        return to_stcs(Point(self.ra, self.dec))


def footprint(headers: FileHeaders) -> ImageFootprint:
    """Return the footprint of all images of a file; one without region when there is none."""
    images = [hdu.coordinates for hdu in headers.image_hdus()]
    images = [cards for cards in images if "CTYPE2" in cards and _has_reference(cards, headers)]
    if not images:
        return ImageFootprint()
    try:
        found = celestial_footprint(images)
    except RegionError as error:
        headers.warn(f"WCS: {error}")
        return ImageFootprint()
    if found.region is not None:
        for note in found.notes:
            headers.warn(f"WCS: {note}")
    return found


def _has_reference(cards: Mapping[str, object], headers: FileHeaders) -> bool:
    """Tell whether celestial axes say where they are: the 0 that FITS assumes is nobody's position."""
    for axis in range(1, 8):
        kind = str(cards.get(f"CTYPE{axis}", "")).upper()
        if kind.startswith(("RA", "DEC", "GLON", "GLAT", "ELON", "ELAT")) and f"CRVAL{axis}" not in cards:
            headers.warn(f"WCS: axis {kind.strip()} has no CRVAL{axis}")
            return False
    return True


def position_columns(headers: FileHeaders, seen: ImageFootprint) -> dict[str, float | int | str]:
    """Return the spatial columns of ObsCore.

    The footprint counts. Without one the pointing (RA, DEC) gives centre and an ``s_region`` that is a
    position, so that searches by footprint find the file where it is known to be.
    """
    columns: dict[str, float | int | str] = {}
    if seen.region is not None and seen.centre is not None:
        here = Position(seen.centre.ra, seen.centre.dec)
        columns["s_region"] = to_stcs(seen.region)
        if seen.fov is not None:
            columns["s_fov"] = seen.fov
        if seen.pixel_scale is not None:
            columns["s_pixel_scale"] = seen.pixel_scale
        if seen.pixels is not None:
            columns["s_xel1"], columns["s_xel2"] = seen.pixels
    else:
        pointed = pointing(headers)
        if pointed is None:
            return columns
        here = pointed
        columns["s_region"] = here.region
    columns["s_ra"], columns["s_dec"] = here.ra, here.dec
    columns["gal_lon"], columns["gal_lat"] = turned(here, "GALACTIC")
    return columns


def pointing(headers: FileHeaders, ra_key: str = "RA", dec_key: str = "DEC") -> Position | None:
    """Return what RA and DEC say, transformed to ICRS.

    Numbers are degrees, sexagesimal texts hours and degrees; a comment that begins with a unit in
    brackets, or speaks of hours or radians, is heeded. Both exactly 0 is what software writes that knows
    no position. Without RADESYS and EQUINOX the coordinates are ICRS (WCS paper II, section 3.1).
    """
    ra, dec = _angle(headers, ra_key, hours=True), _angle(headers, dec_key, hours=False)
    if ra is None or dec is None or (ra == 0.0 and dec == 0.0):
        return None
    if not (-360.0 <= ra <= 360.0 and -90.0 <= dec <= 90.0):
        headers.warn(f"{ra_key} {ra:g} and {dec_key} {dec:g} are not a position on the sky")
        return None
    frame = _frame(headers)
    if frame == ("ICRS", None):
        return Position(ra % 360.0, dec)
    return None if frame is None else _transformed(headers, ra, dec, frame)


def _transformed(
    headers: FileHeaders, ra: float, dec: float, frame: tuple[str, float | None]
) -> Position | None:
    try:
        moved_ra, moved_dec = to_icrs([ra], [dec], *frame)
    except (RegionError, ValueError, ArithmeticError) as error:
        headers.warn(f"the position cannot be transformed to ICRS: {error}")
        return None
    here = Position(float(moved_ra[0]), float(moved_dec[0]))
    return here if math.isfinite(here.ra) and math.isfinite(here.dec) else None


def _angle(headers: FileHeaders, key: str, *, hours: bool) -> float | None:
    said = headers.get(key)
    if said is None or isinstance(said, bool):
        return None
    if isinstance(said, str):
        found = _SEXAGESIMAL.match(said)
        if found:
            return _sexagesimal(headers, key, found, 15.0 if hours else 1.0)
    number = headers.number(key)
    if number is None:
        headers.warn(f"{key} {said!r} is not an angle")
        return None
    if hours and _is_in_hours(headers, number):
        return number * 15.0
    return number * _factor(headers, key)


def _is_in_hours(headers: FileHeaders, ra: float) -> bool:
    """Tell whether sidereal time less hour angle is a right ascension in hours, and not one in degrees.

    Some telescopes write hours without a word. The sidereal time is in hours or seconds; the sign of the
    hour angle is not the same everywhere.
    """
    sidereal, angle = headers.number("ST", "LST"), headers.number("HA")
    if sidereal is None or angle is None or not 0.0 <= ra < 24.0:
        return False
    sidereal = sidereal / 3600.0 if sidereal >= 24.0 else sidereal
    return _hours_apart(sidereal, ra, angle) < _HOURS_AGREE < _hours_apart(sidereal, ra / 15.0, angle)


def _hours_apart(sidereal: float, ra: float, angle: float) -> float:
    east = abs((sidereal - ra + 12.0) % 24.0 - 12.0)
    return abs(east - abs(angle))


def _sexagesimal(headers: FileHeaders, key: str, found: re.Match[str], factor: float) -> float | None:
    sign, whole, minutes, seconds = found.groups()
    if int(minutes) > 59 or float(seconds or 0.0) >= 61.0:
        headers.warn(f"{key} {found[0]!r} is not an angle")
        return None
    angle = int(whole) + int(minutes) / 60.0 + float(seconds or 0.0) / 3600.0
    return (-angle if sign == "-" else angle) * factor


def _factor(headers: FileHeaders, key: str) -> float:
    comment = headers.comment(key).lower()
    if re.match(r"\s*\[(h|hr|hrs)\]", comment) or ("hour" in comment and "deg" not in comment):
        return 15.0
    if re.match(r"\s*\[?rad(ians?)?\b", comment) or "in radians" in comment:
        return math.degrees(1.0)
    return 1.0


def _frame(headers: FileHeaders) -> tuple[str, float | None] | None:
    system = (headers.text("RADESYS", "RADECSYS") or "").upper().strip()
    equinox = _equinox(headers)
    if equinox is not None and not 1800.0 <= equinox <= 2200.0:
        headers.warn(f"EQUINOX {equinox:g} is no year; the position is left out")
        return None
    if not system and equinox is not None:
        system = "FK4" if equinox < 1984.0 else "FK5"
    if system in _ICRS_NAMES and equinox in {None, 2000.0}:
        return "ICRS", None
    if system in {"ICRS", "FK5", "FK4"}:
        return (system, None) if system == "ICRS" else (system, equinox)
    headers.warn(f"RADESYS {system} is not a frame that RA and DEC can be transformed from")
    return None


def _equinox(headers: FileHeaders) -> float | None:
    for key in ("EQUINOX", "EPOCH"):
        said = headers.text(key)
        if said is None:
            continue
        try:
            year = float(said.strip().lstrip("JBjb"))
        except ValueError:
            continue
        # Software that knows no equinox writes 0.
        if year != 0.0 and math.isfinite(year):
            return year
    return None


@cache
def _rotation(frame: str) -> FloatArray:
    """Return the rotation from ICRS, as 3 x 3; galactic and mean ecliptic frames are turned, no more."""
    lon, lat = from_icrs([0.0, 90.0, 0.0], [0.0, 0.0, 90.0], frame)
    return unit_vectors(lon, lat).T


def turned(here: Position, frame: str) -> tuple[float, float]:
    """Return longitude and latitude [deg] of a position in GALACTIC or ECLIPTIC coordinates."""
    vector = _rotation(frame) @ unit_vectors(here.ra, here.dec)
    lon, lat = positions(vector[None])
    return float(lon[0]), float(lat[0])
