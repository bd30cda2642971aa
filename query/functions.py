"""The scalar functions of ADQL 2.1 and the user-defined ones, declared once.

The resolver checks calls against this table, each engine gives every name its form, and the TAP
capabilities list it. A function that is ``folded`` is computed or rewritten while the query is resolved (from
constants, or into other nodes of the tree); engines never see it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from schemas import Kind


class Accepts(StrEnum):
    """What an argument may be."""

    NUMBER = "a number"
    INTEGER = "a whole number"
    TEXT = "a text"
    TIME = "a timestamp"
    POINT = "a point"
    GEOMETRY = "a geometry"
    ANY = "a value"

    def takes(self, kind: Kind) -> bool:
        """Whether a value of that kind is such an argument as it stands."""
        return _TAKEN[self](kind)


_TAKEN: Mapping[Accepts, Callable[[Kind], bool]] = {
    Accepts.NUMBER: lambda kind: kind.is_numeric,
    Accepts.INTEGER: lambda kind: kind.is_integer,
    Accepts.TEXT: lambda kind: kind in (Kind.TEXT, Kind.REGION),
    Accepts.TIME: lambda kind: kind is Kind.TIMESTAMP,
    Accepts.POINT: lambda kind: kind is Kind.POINT,
    Accepts.GEOMETRY: lambda kind: kind.is_geometry,
    Accepts.ANY: lambda _: True,
}


class Feature(StrEnum):
    """The part of the language that a function belongs to."""

    MATHS = "maths"
    STRING = "string"
    CONDITIONAL = "conditional"
    UNIT = "unit"
    UDF = "udf"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument: its name in the documentation, and what it may be."""

    name: str
    accepts: Accepts


@dataclass(frozen=True, slots=True)
class Signature:
    """One way to call a function.

    ``result`` None means the common kind of the arguments. ``repeats`` lets the last argument come again.
    """

    parameters: tuple[Parameter, ...]
    result: Kind | None
    repeats: bool = False

    def fits(self, count: int) -> bool:
        """Whether it can be called with so many arguments."""
        return count == len(self.parameters) or (self.repeats and count > len(self.parameters))


@dataclass(frozen=True, slots=True)
class Function:
    """A scalar function; ``name`` is lower case."""

    name: str
    feature: Feature
    signatures: tuple[Signature, ...]
    description: str
    folded: bool = False

    @property
    def forms(self) -> tuple[str, ...]:
        """Each signature in the words of TAPRegExt, such as ``ivo_to_jd(d TIMESTAMP) -> DOUBLE``."""
        return tuple(_form(self.name, signature) for signature in self.signatures)


_ADQL_TYPE = {
    Kind.SHORT: "SMALLINT",
    Kind.INT: "INTEGER",
    Kind.LONG: "BIGINT",
    Kind.FLOAT: "REAL",
    Kind.TEXT: "VARCHAR(*)",
}
_ARGUMENT_TYPE = {
    Accepts.NUMBER: "DOUBLE",
    Accepts.INTEGER: "BIGINT",
    Accepts.TEXT: "VARCHAR(*)",
    Accepts.TIME: "TIMESTAMP",
    Accepts.POINT: "POINT",
    Accepts.GEOMETRY: "GEOMETRY",
    Accepts.ANY: "ANY",
}


def _form(name: str, signature: Signature) -> str:
    arguments = ", ".join(f"{p.name} {_ARGUMENT_TYPE[p.accepts]}" for p in signature.parameters)
    more = ", ..." if signature.repeats else ""
    kind = signature.result
    result = "ANY" if kind is None else _ADQL_TYPE.get(kind, kind.value.upper())
    return f"{name}({arguments}{more}) -> {result}"


def _takes(result: Kind | None, *parameters: tuple[str, Accepts], repeats: bool = False) -> Signature:
    return Signature(tuple(Parameter(*parameter) for parameter in parameters), result, repeats)


_X = ("x", Accepts.NUMBER)
_Y = ("y", Accepts.NUMBER)
_N = ("n", Accepts.INTEGER)


def _maths(name: str, description: str, *signatures: Signature) -> Function:
    return Function(name, Feature.MATHS, signatures or (_takes(Kind.DOUBLE, _X),), description)


_MATHS = (
    _maths("abs", "Absolute value of x.", _takes(None, _X)),
    _maths("ceiling", "Smallest whole number not less than x."),
    _maths("degrees", "The angle x, given in radians, in degrees."),
    _maths("exp", "e to the power x."),
    _maths("floor", "Largest whole number not greater than x."),
    _maths("log", "Natural logarithm of x; NULL unless x > 0."),
    _maths("log10", "Logarithm of x to base 10; NULL unless x > 0."),
    _maths("mod", "Remainder of x / y, with the sign of x; NULL when y is 0.", _takes(None, _X, _Y)),
    _maths("pi", "The constant pi.", _takes(Kind.DOUBLE)),
    _maths("power", "x to the power y; NULL where that is no real number.", _takes(Kind.DOUBLE, _X, _Y)),
    _maths("radians", "The angle x, given in degrees, in radians."),
    _maths("sqrt", "Square root of x; NULL when x < 0."),
    _maths(
        "rand",
        "Random number from 0 (included) to 1 (excluded); a seed is accepted and ignored.",
        _takes(Kind.DOUBLE),
        _takes(Kind.DOUBLE, ("seed", Accepts.INTEGER)),
    ),
    _maths(
        "round",
        "x rounded to n decimal places (0 when absent), halves away from zero.",
        _takes(Kind.DOUBLE, _X),
        _takes(Kind.DOUBLE, _X, _N),
    ),
    _maths(
        "truncate",
        "x cut to n decimal places (0 when absent), towards zero.",
        _takes(Kind.DOUBLE, _X),
        _takes(Kind.DOUBLE, _X, _N),
    ),
    _maths("acos", "Arc cosine of x, radians; NULL unless -1 <= x <= 1."),
    _maths("asin", "Arc sine of x, radians; NULL unless -1 <= x <= 1."),
    _maths("atan", "Arc tangent of x, radians."),
    _maths("atan2", "Angle of the point (x, y), radians; y comes first.", _takes(Kind.DOUBLE, _Y, _X)),
    _maths("cos", "Cosine of x radians."),
    _maths("cot", "Cotangent of x radians; NULL when x is 0."),
    _maths("sin", "Sine of x radians."),
    _maths("tan", "Tangent of x radians."),
)

_TEXT = (
    Function("lower", Feature.STRING, (_takes(Kind.TEXT, ("s", Accepts.TEXT)),), "s in lower case."),
    Function("upper", Feature.STRING, (_takes(Kind.TEXT, ("s", Accepts.TEXT)),), "s in upper case."),
)

_OTHER = (
    Function(
        "coalesce",
        Feature.CONDITIONAL,
        (_takes(None, ("value", Accepts.ANY), repeats=True),),
        "The first of the values that is not NULL.",
    ),
    Function(
        "in_unit",
        Feature.UNIT,
        (_takes(Kind.DOUBLE, _X, ("unit", Accepts.TEXT)),),
        "The column or expression x, which has a unit, in another unit (a constant in VOUnit syntax).",
        folded=True,
    ),
)


def _udf(name: str, description: str, *signatures: Signature, folded: bool = False) -> Function:
    return Function(name, Feature.UDF, signatures, description, folded)


_ORDER = ("hpxorder", Accepts.INTEGER)

NAME_KEY = "onedfs_name_key"
"""The one function of ours that is not in the catalogue of the IVOA; see ``schemas.names``."""

_UDFS = (
    _udf(
        "ivo_healpix_index",
        "Number of the nested HEALPix cell of that order (0 to 29) that holds an ICRS position, in degrees.",
        _takes(Kind.LONG, _ORDER, ("lon", Accepts.NUMBER), ("lat", Accepts.NUMBER)),
        _takes(Kind.LONG, _ORDER, ("position", Accepts.POINT)),
    ),
    _udf(
        "ivo_healpix_center",
        "Centre of a nested HEALPix cell of that order; both are constants.",
        _takes(Kind.POINT, _ORDER, ("hpxindex", Accepts.INTEGER)),
        folded=True,
    ),
    _udf(
        "ivo_geom_transform",
        "A constant geometry, given in one frame, as the same in another. "
        "Frames are ICRS, FK5, FK4, GALACTIC and ECLIPTIC.",
        _takes(None, ("from_sys", Accepts.TEXT), ("to_sys", Accepts.TEXT), ("geo", Accepts.GEOMETRY)),
        folded=True,
    ),
    _udf("ivo_to_jd", "Julian date of a timestamp.", _takes(Kind.DOUBLE, ("d", Accepts.TIME))),
    _udf("ivo_to_mjd", "Modified Julian date of a timestamp.", _takes(Kind.DOUBLE, ("d", Accepts.TIME))),
    _udf(
        "ivo_nocasematch",
        "1 when the value matches the pattern of LIKE in any case, else 0.",
        _takes(Kind.INT, ("value", Accepts.TEXT), ("pattern", Accepts.TEXT)),
    ),
    _udf(
        "ivo_hasword",
        "1 when every word of needle begins a word of haystack, in any case, else 0.",
        _takes(Kind.INT, ("haystack", Accepts.TEXT), ("needle", Accepts.TEXT)),
    ),
    _udf(
        NAME_KEY,
        "The key by which names of celestial objects are compared: 'ngc253' for 'NGC 253', 'NGC-253' and "
        "'NGC_0253'.",
        _takes(Kind.TEXT, ("name", Accepts.TEXT)),
    ),
    _udf(
        "ivo_hashlist_has",
        "1 when item is one of the words that # separates in hashlist, in any case, else 0.",
        _takes(Kind.INT, ("hashlist", Accepts.TEXT), ("item", Accepts.TEXT)),
    ),
    _udf(
        "ivo_interval_overlaps",
        "1 when the closed intervals l1..h1 and l2..h2 share a value, else 0; an interval whose bounds are "
        "reversed is empty.",
        _takes(Kind.INT, *((name, Accepts.NUMBER) for name in ("l1", "h1", "l2", "h2"))),
    ),
    _udf(
        "ivo_normal_random",
        "Random number of the normal distribution with mean mu and standard deviation sigma.",
        _takes(Kind.DOUBLE, ("mu", Accepts.NUMBER), ("sigma", Accepts.NUMBER)),
    ),
    _udf(
        "ivo_hms_to_degrees",
        "Degrees of a constant angle in hours, such as '3:34:45.4' or '3h34m45.4s'.",
        _takes(Kind.DOUBLE, ("hms", Accepts.TEXT)),
        folded=True,
    ),
    _udf(
        "ivo_dms_to_degrees",
        "Degrees of a constant angle in degrees, such as '-0:15:00' or '-0d15m0s'.",
        _takes(Kind.DOUBLE, ("dms", Accepts.TEXT)),
        folded=True,
    ),
)

FUNCTIONS: Mapping[str, Function] = {f.name: f for f in (*_MATHS, *_TEXT, *_OTHER, *_UDFS)}
"""All scalar functions by lower-case name."""

ENGINE_FUNCTIONS: tuple[Function, ...] = tuple(f for f in FUNCTIONS.values() if not f.folded)
"""Those that can stand in a ``tree.Call`` and that every engine therefore implements."""

GEOMETRY_FUNCTIONS: tuple[str, ...] = (
    "AREA",
    "BOX",
    "CENTROID",
    "CIRCLE",
    "CONTAINS",
    "COORD1",
    "COORD2",
    "COORDSYS",
    "DISTANCE",
    "INTERSECTS",
    "POINT",
    "POLYGON",
    "REGION",
)
"""The geometry of ADQL; it has nodes of its own in the tree."""

LANGUAGE_FEATURES: Mapping[str, tuple[str, ...]] = {
    "ivo://ivoa.net/std/TAPRegExt#features-adqlgeo": GEOMETRY_FUNCTIONS,
    "ivo://ivoa.net/std/TAPRegExt#features-adql-string": ("LOWER", "UPPER", "ILIKE"),
    "ivo://ivoa.net/std/TAPRegExt#features-adql-sets": ("UNION", "EXCEPT", "INTERSECT"),
    "ivo://ivoa.net/std/TAPRegExt#features-adql-common-table": ("WITH",),
    "ivo://ivoa.net/std/TAPRegExt#features-adql-type": ("CAST",),
    "ivo://ivoa.net/std/TAPRegExt#features-adql-unit": ("IN_UNIT",),
    "ivo://ivoa.net/std/TAPRegExt#features-adql-offset": ("OFFSET",),
}
"""Optional parts of ADQL 2.1 to advertise, by the type that TAPRegExt gives them.

COALESCE works as well, but the validators in use (STILTS 3.4) take ``features-adql-conditional`` for a
mistake.
"""
