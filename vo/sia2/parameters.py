"""The parameters of SIA 2.0 (section 2.1), and the condition that each value of one makes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from query import build, tree
from schemas import Kind, Table
from vo.dali import Parameters, UsageFault
from vo.sia2.values import Interval, interval, position, whole_number

DATA_PRODUCTS = ("image", "cube")
"""The types of data product that SIA finds."""

_POLARISATIONS = ("I", "Q", "U", "V", "RR", "LL", "RL", "LR", "XX", "YY", "XY", "YX", "POLI", "POLA")

_FITS = ("application/fits", "image/fits")

Condition = Callable[[Table, str, str], tree.Predicate]
"""Makes the condition on rows of a table from the parameter's name and one of its values."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: what its values mean, an example, and how one is made a condition.

    Several values are alternatives; a row must fulfil one of each parameter that is given.
    """

    name: str
    description: str
    example: str
    condition: Condition
    unit: str | None = None
    ucd: str | None = None
    datatype: str = "char"


def where(table: Table, params: Parameters) -> tree.Predicate | None:
    """Return the condition that all given parameters make; a missing value never fulfils one.

    Raises
    ------
    UsageFault
        When a value cannot be read.
    """
    found: list[tree.Predicate | None] = [_any_of(table, "dataproduct_type", DATA_PRODUCTS)]
    for parameter in PARAMETERS:
        texts = [text for text in params.many(parameter.name) if text.strip()]
        either = [parameter.condition(table, parameter.name, text) for text in texts]
        if either:
            found.append(either[0] if len(either) == 1 else tree.Or(tuple(either)))
    return build.all_of(found)


def _any_of(table: Table, column: str, words: tuple[str, ...]) -> tree.Predicate:
    items = tuple(tree.Literal(word, Kind.TEXT) for word in words)
    return tree.InList(build.column(table, column), items)


def _in_region(table: Table, name: str, text: str) -> tree.Predicate:
    del name
    return build.is_true(tree.Intersects(build.footprint(table), tree.RegionLiteral(position(text))))


def _overlaps(low: str, high: str) -> Condition:
    """Rows whose interval, from one column to another, has a value in common."""

    def condition(table: Table, name: str, text: str) -> tree.Predicate:
        found = interval(name, text)
        return tree.And((_at_least(table, high, found.low), _at_most(table, low, found.high)))

    return condition


def _within(column: str) -> Condition:
    """Rows whose value is in the interval."""

    def condition(table: Table, name: str, text: str) -> tree.Predicate:
        found: Interval = interval(name, text)
        return tree.And((_at_least(table, column, found.low), _at_most(table, column, found.high)))

    return condition


def _at_least(table: Table, column: str, bound: float) -> tree.Predicate:
    return _compared(table, column, ">=", bound)


def _at_most(table: Table, column: str, bound: float) -> tree.Predicate:
    return _compared(table, column, "<=", bound)


def _compared(table: Table, column: str, operator: tree.Operator, bound: float) -> tree.Predicate:
    operand = build.column(table, column)
    if math.isinf(bound):
        return tree.IsNull(operand, negated=True)
    return tree.Comparison(operator, operand, tree.Literal(bound, Kind.DOUBLE))


def _equals(column: str) -> Condition:
    def condition(table: Table, name: str, text: str) -> tree.Predicate:
        del name
        return tree.Comparison("=", build.column(table, column), tree.Literal(text, Kind.TEXT))

    return condition


def _polarised(table: Table, name: str, text: str) -> tree.Predicate:
    state = text.strip().upper()
    if state not in _POLARISATIONS:
        raise UsageFault(f"{name} takes one of {' '.join(_POLARISATIONS)}, not {text[:40]!r}")
    return tree.Like(build.column(table, "pol_states"), tree.Literal(f"%/{state}/%", Kind.TEXT))


def _product(table: Table, name: str, text: str) -> tree.Predicate:
    kind = text.strip().lower()
    if kind not in DATA_PRODUCTS:
        raise UsageFault(
            f"{name} is {' or '.join(DATA_PRODUCTS)}, not {text[:40]!r}; others are found by TAP"
        )
    return _any_of(table, "dataproduct_type", (kind,))


def _calibrated(table: Table, name: str, text: str) -> tree.Predicate:
    level = tree.Literal(whole_number(name, text), Kind.INT)
    return tree.Comparison("=", build.column(table, "calib_level"), level)


def _format(table: Table, name: str, text: str) -> tree.Predicate:
    del name
    asked = text.strip().lower()
    words = _FITS if asked in (*_FITS, "fits") else (asked,)
    return _any_of(table, "access_format", words)


PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        "POS",
        "Region that the footprint overlaps: CIRCLE, RANGE or POLYGON, ICRS",
        "CIRCLE 53.1 -27.8 0.2",
        _in_region,
        "deg",
        "pos.outline;obs",
    ),
    Parameter(
        "BAND",
        "Wavelength, or interval of wavelengths, that is covered",
        "4e-7 7e-7",
        _overlaps("em_min", "em_max"),
        "m",
        "stat.interval;em.wl",
        "double",
    ),
    Parameter(
        "TIME",
        "Time, or interval, of the observation, MJD",
        "50000 60000",
        _overlaps("t_min", "t_max"),
        "d",
        "stat.interval;time",
        "double",
    ),
    Parameter("POL", "Polarisation state", "I", _polarised, None, "meta.code;phys.polarization"),
    Parameter(
        "FOV",
        "Size of the field of view",
        "0.01 1",
        _within("s_fov"),
        "deg",
        "phys.angSize;instr.fov",
        "double",
    ),
    Parameter(
        "SPATRES",
        "Angular resolution",
        "0 1.5",
        _within("s_resolution"),
        "arcsec",
        "pos.angResolution",
        "double",
    ),
    Parameter(
        "SPECRP", "Resolving power", "1000 +Inf", _within("em_res_power"), None, "spect.resolution", "double"
    ),
    Parameter(
        "EXPTIME",
        "Exposure time",
        "100 +Inf",
        _within("t_exptime"),
        "s",
        "time.duration;obs.exposure",
        "double",
    ),
    Parameter(
        "TIMERES", "Resolution in time", "-Inf 60", _within("t_resolution"), "s", "time.resolution", "double"
    ),
    Parameter(
        "ID",
        "Identifier of the data product (obs_publisher_did)",
        "",
        _equals("obs_publisher_did"),
        None,
        "meta.ref.ivoid",
    ),
    Parameter("COLLECTION", "Data collection", "", _equals("obs_collection"), None, "meta.id"),
    Parameter("FACILITY", "Telescope", "", _equals("facility_name"), None, "meta.id;instr.tel"),
    Parameter("INSTRUMENT", "Instrument", "MUSE", _equals("instrument_name"), None, "meta.id;instr"),
    Parameter("DPTYPE", "Type of data product: image or cube", "image", _product, None, "meta.code.class"),
    Parameter("CALIB", "Calibration level, 0 to 4", "2", _calibrated, None, "meta.code;obs.calib", "int"),
    Parameter("TARGET", "Name of the target", "", _equals("target_name"), None, "meta.id;src"),
    Parameter("FORMAT", "Media type of the data product", "image/fits", _format, None, "meta.code.mime"),
)
"""All parameters that narrow a search."""
