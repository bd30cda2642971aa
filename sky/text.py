"""Regions as text: STC-S, DALI and MOC ASCII, read and written.

The reader takes what archives really write: any case, reference positions and flavours, other frames
(transformed to ICRS), J2000 and empty frame names, unions.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from sky.forms import (
    Circle,
    MocRegion,
    Point,
    Polygon,
    Range,
    Region,
    RegionError,
    Union,
    normalise,
)
from sky.frames import KNOWN_FRAMES, frame_key, to_icrs
from sky.moc import from_ascii, to_ascii
from sky.regions import box_polygon

_TOKEN = re.compile(r"[()]|[^\s(),]+")
_MOC = re.compile(r"\s*(?:MOC\b\s*)?(?:s?\d+/[\s\d,/-]*)+\s*", re.IGNORECASE)
_REFERENCE_POSITIONS = frozenset(
    {"GEOCENTER", "BARYCENTER", "HELIOCENTER", "TOPOCENTER", "EMBARYCENTER", "RELOCATABLE", "UNKNOWNREFPOS"}
    | {"LSR", "LSRK", "LSRD", "GALACTIC_CENTER", "LOCAL_GROUP_CENTER", "MOON", "MERCURY", "VENUS", "MARS"}
    | {"JUPITER", "SATURN", "URANUS", "NEPTUNE", "PLUTO"}
)
_FLAVOURS = frozenset({"SPHERICAL2", "SPHERICAL", "UNITSPHERE"})
_UNITS = {"DEG": 1.0, "ARCMIN": 1.0 / 60.0, "ARCSEC": 1.0 / 3600.0, "RAD": math.degrees(1.0)}
_REFUSED = frozenset({"ELLIPSE", "INTERSECTION", "NOT", "DIFFERENCE", "CONVEX", "SKYCOORD", "REGIONFILE"})
_SHAPES = frozenset(
    {"CIRCLE", "POLYGON", "BOX", "POSITION", "RANGE", "POINT", "UNION", "POSITIONINTERVAL", "ALLSKY"}
)

_EXAMPLES = {
    "CIRCLE": "10 20 0.5",
    "POLYGON": "10 20 11 20 11 21",
    "BOX": "10 20 2 1",
    "RANGE": "10 12 20 21",
    "POSITION": "10 20",
    "POSITIONINTERVAL": "10 20 12 21",
}


def parse_region(text: str) -> Region:
    """Read a region from STC-S, a DALI shape with its keyword, or MOC ASCII.

    Returns
    -------
    The region in ICRS, checked and normalised (:func:`sky.regions.normalise`).

    Raises
    ------
    RegionError
        If the text is none of these, or the region cannot be what was meant.
    """
    if _MOC.fullmatch(text):
        return from_ascii(text)
    reader = _Reader(_TOKEN.findall(text))
    region = reader.region(frame="")
    if reader.rest:
        raise RegionError("syntax", f"unexpected {reader.rest[0]!r} after the region")
    return normalise(region)


def parse_dali(xtype: str, text: str) -> Region:
    """Read the bare value of a DALI 1.2 xtype: point, circle, polygon, range, moc or shape.

    Raises
    ------
    RegionError
        If the text does not fit the xtype.
    """
    if xtype == "shape":
        return parse_region(text)
    if xtype == "moc":
        return from_ascii(text)
    numbers = [_number(token) for token in text.replace(",", " ").split()]
    build = _DALI.get(xtype)
    if build is None:
        raise RegionError("unsupported", f"{xtype!r} is not a DALI shape")
    return normalise(build(numbers))


def to_stcs(region: Region) -> str:
    """Write a region as STC-S text in ICRS; floats are the shortest that read back the same.

    Ranges have no STC-S shape of their own and are written as PositionInterval, MOCs as MOC ASCII.
    """
    match region:
        case Point():
            return f"POSITION ICRS {_join((region.ra, region.dec))}"
        case Circle():
            return f"CIRCLE ICRS {_join((region.ra, region.dec, region.radius))}"
        case Polygon():
            return f"POLYGON ICRS {_join(number for vertex in region.vertices for number in vertex)}"
        case Range():
            return f"PositionInterval ICRS {_join(_interval(region))}"
        case Union():
            return f"UNION ICRS ({' '.join(_without_frame(to_stcs(part)) for part in region.parts)})"
        case MocRegion():
            return f"MOC {to_ascii(region)}"


def to_dali(region: Region) -> str:
    """Write a region as a DALI 1.2 shape with its keyword: ``CIRCLE 10.0 20.0 0.5``.

    Unions have none; their parts follow each other as in a multishape.
    """
    match region:
        case Point():
            return f"POINT {_join((region.ra, region.dec))}"
        case Circle():
            return f"CIRCLE {_join((region.ra, region.dec, region.radius))}"
        case Polygon():
            return f"POLYGON {_join(number for vertex in region.vertices for number in vertex)}"
        case Range():
            return f"RANGE {_join((region.ra_min, region.ra_max, region.dec_min, region.dec_max))}"
        case Union():
            return " ".join(to_dali(part) for part in region.parts)
        case MocRegion():
            return f"MOC {to_ascii(region)}"


def _join(numbers: Iterable[float]) -> str:
    return " ".join(_spelled(float(number)) for number in numbers)


def _spelled(number: float) -> str:
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    return repr(number)


def _interval(box: Range) -> tuple[float, float, float, float]:
    return box.ra_min, box.dec_min, box.ra_max, box.dec_max


def _without_frame(text: str) -> str:
    return text.replace(" ICRS ", " ", 1)


def _number(token: str) -> float:
    try:
        return float(token)
    except ValueError:
        raise RegionError("syntax", f"{token!r} is not a number") from None


def _expect(numbers: list[float], count: int, shape: str) -> list[float]:
    if len(numbers) != count:
        raise RegionError("syntax", f"a {shape} takes {count} numbers, not {len(numbers)}")
    return numbers


def _pairs(numbers: list[float]) -> tuple[tuple[float, float], ...]:
    if len(numbers) % 2:
        raise RegionError("syntax", f"a polygon takes pairs of numbers, not {len(numbers)} numbers")
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


_DALI: dict[str, Callable[[list[float]], Region]] = {
    "point": lambda numbers: Point(*_expect(numbers, 2, "point")),
    "circle": lambda numbers: Circle(*_expect(numbers, 3, "circle")),
    "range": lambda numbers: Range(*_expect(numbers, 4, "range")),
    "polygon": lambda numbers: Polygon(_pairs(numbers)),
}


@dataclass
class _Reader:
    """Recursive descent over the words of STC-S (IVOA note 1.33, section 4)."""

    rest: list[str]

    def region(self, frame: str) -> Region:
        keyword = self._next("a shape such as CIRCLE or POLYGON").upper()
        if keyword in _REFUSED:
            raise RegionError("unsupported", f"{keyword} is not supported; use a POLYGON, CIRCLE or UNION")
        if keyword == "REGION" and "(" in self.rest:
            raise RegionError("syntax", "REGION( ) is of ADQL; give the text in it alone, without quotes")
        if keyword not in _SHAPES:
            raise RegionError(
                "syntax", f"{keyword!r} is not a shape; expected CIRCLE, POLYGON, POSITION or UNION"
            )
        self._skip_fill_factor()
        frame = self._frame(frame)
        if keyword == "ALLSKY":
            return Circle(0.0, 0.0, 180.0)
        if keyword == "UNION":
            return self._union(frame)
        if self.rest and self.rest[0] == "(":
            form = f"{keyword} ICRS {_EXAMPLES.get(keyword, _EXAMPLES['POSITION'])}"
            message = f"{keyword} is written without parentheses here, as in {form!r}, not as in ADQL"
            raise RegionError("syntax", message)
        shape = self._shape(keyword, [*self._numbers()])
        return _moved(shape, frame)

    def _union(self, frame: str) -> Region:
        if self._next("( after UNION") != "(":
            raise RegionError("syntax", "UNION needs its parts in parentheses")
        parts: list[Region] = []
        while self.rest and self.rest[0] != ")":
            parts.append(self.region(frame))
        self._next(") at the end of UNION")
        return Union(tuple(parts))

    def _next(self, wanted: str) -> str:
        if not self.rest:
            raise RegionError("syntax", f"the text ends where {wanted} should be")
        return self.rest.pop(0)

    def _skip_fill_factor(self) -> None:
        if len(self.rest) > 1 and self.rest[0].upper() == "FILLFACTOR":
            del self.rest[:2]

    def _frame(self, inherited: str) -> str:
        frame = inherited
        if self.rest and self.rest[0] in {"''", '""'}:
            self.rest.pop(0)
        if self.rest and frame_key(self.rest[0]) in KNOWN_FRAMES:
            frame = self.rest.pop(0)
        while self.rest and self.rest[0].upper() in _REFERENCE_POSITIONS | _FLAVOURS:
            self.rest.pop(0)
        if (
            self.rest
            and self.rest[0] != "("
            and self.rest[0].upper() not in _SHAPES
            and not _is_number(self.rest[0])
        ):
            raise RegionError("unsupported", f"coordinate frame {self.rest[0]!r} is not known")
        return frame

    def _numbers(self) -> Iterator[float]:
        found: list[float] = []
        while self.rest and _is_number(self.rest[0]):
            found.append(float(self.rest.pop(0)))
        factors = [1.0]
        while self.rest and self.rest[0].upper() in {"UNIT", "ERROR", "RESOLUTION", "SIZE", "PIXSIZE"}:
            word = self.rest.pop(0).upper()
            if word == "UNIT":
                factors = self._units()
                continue
            while self.rest and _is_number(self.rest[0]):
                self.rest.pop(0)
        for index, number in enumerate(found):
            yield number * factors[index % len(factors)]

    def _units(self) -> list[float]:
        names: list[str] = []
        while self.rest and self.rest[0].upper() in _UNITS:
            names.append(self.rest.pop(0).upper())
        if not names:
            raise RegionError("unsupported", "unit must be deg, arcmin, arcsec or rad")
        return [_UNITS[name] for name in names[:2]] if len(set(names)) > 1 else [_UNITS[names[0]]]

    def _shape(self, keyword: str, numbers: list[float]) -> Region:
        match keyword:
            case "CIRCLE":
                return Circle(*_expect(numbers, 3, "circle"))
            case "POLYGON":
                return Polygon(_pairs(numbers))
            case "RANGE":
                return Range(*_expect(numbers, 4, "range"))
            case "POSITIONINTERVAL":
                west, south, east, north = _expect(numbers, 4, "position interval")
                return Range(west, east, south, north)
            case "BOX":
                return _box(numbers)
            case _:
                return Point(*_expect(numbers, 2, "position"))


def _box(numbers: list[float]) -> Polygon:
    if len(numbers) not in {4, 5}:
        raise RegionError("syntax", f"a box takes 4 numbers, not {len(numbers)}")
    if len(numbers) == 5 and numbers[4] != 0.0:
        raise RegionError("unsupported", "a rotated BOX is not supported; use a POLYGON")
    return box_polygon(*numbers[:4])


def _is_number(token: str) -> bool:
    try:
        float(token)
    except ValueError:
        return False
    return True


def _moved(region: Region, frame: str) -> Region:
    """Transform a shape given in another frame; ranges follow that frame's parallels and cannot be moved."""
    if KNOWN_FRAMES[frame_key(frame)] == "icrs":
        return region
    match region:
        case Point():
            return Point(*_turned(region.ra, region.dec, frame))
        case Circle():
            return Circle(*_turned(region.ra, region.dec, frame), region.radius)
        case Polygon():
            return Polygon(tuple(_turned(ra, dec, frame) for ra, dec in region.vertices))
        case _:
            raise RegionError("unsupported", f"a position range in {frame} is not supported; use a POLYGON")


def _turned(lon: float, lat: float, frame: str) -> tuple[float, float]:
    if not (math.isfinite(lon) and math.isfinite(lat)):
        raise RegionError("not-finite", f"position ({lon}, {lat}) is not finite")
    if not -90.0 <= lat <= 90.0:
        raise RegionError("out-of-range", f"latitude {lat} is outside -90..90 degrees")
    ra, dec = to_icrs(lon, lat, frame)
    return float(ra), float(dec)
