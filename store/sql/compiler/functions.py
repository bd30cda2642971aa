"""The engine's form of every scalar function in ``query.functions``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from query.functions import NAME_KEY
from schemas import Kind
from store.sql.kinds import sql_type

Form: TypeAlias = Callable[[tuple[str, ...], Kind], str]
"""From the arguments' SQL and the result's kind to the call's SQL."""


def finite(sql: str) -> str:
    """Make NULL of what is not a finite number; the argument is computed once."""
    return f"list_transform([{sql}], lambda v: CASE WHEN isfinite(v) THEN v END)[1]"


_WHOLE = "[ \\t\\n\\v\\f\\r]*[+-]?[0-9]+[ \\t\\n\\v\\f\\r]*"
_NUMBER = "[ \\t\\n\\v\\f\\r]*[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?[ \\t\\n\\v\\f\\r]*"


def number_of(sql: str, source: Kind, target: Kind) -> str:
    """Return a text or a number as one of another kind; NULL when it is none, or does not fit.

    Decimals are cut towards zero, in texts too. The engine would round them, and read more than numbers.
    """
    name, real = sql_type(target), not target.is_integer
    if source in (Kind.TEXT, Kind.REGION):
        decimal = f"TRY_CAST(v AS {name})" if real else f"TRY_CAST(trunc(TRY_CAST(v AS DOUBLE)) AS {name})"
        whole = "" if real else f"WHEN regexp_full_match(v, '{_WHOLE}') THEN TRY_CAST(v AS {name}) "
        read = f"CASE {whole}WHEN regexp_full_match(v, '{_NUMBER}') THEN {decimal} END"
        sql = f"list_transform([{sql}], lambda v: {read})[1]"
    else:
        cut = f"trunc({sql})" if source in (Kind.FLOAT, Kind.DOUBLE) and not real else sql
        sql = f"TRY_CAST({cut} AS {name})"
    return finite(sql) if real else sql


def _real(template: str) -> Form:
    """Compute in DOUBLE; what is not a finite number becomes NULL."""

    def form(arguments: tuple[str, ...], _: Kind) -> str:
        doubles = (f"CAST({argument} AS DOUBLE)" for argument in arguments)
        return finite(template.format(*doubles))

    return form


def _plain(template: str) -> Form:
    def form(arguments: tuple[str, ...], _: Kind) -> str:
        return template.format(*arguments)

    return form


def _as_kind(template: str) -> Form:
    """Compute in the type of the result."""

    def form(arguments: tuple[str, ...], kind: Kind) -> str:
        typed = template.format(*(f"CAST({argument} AS {sql_type(kind)})" for argument in arguments))
        return typed if kind.is_integer else finite(typed)

    return form


def _remainder(arguments: tuple[str, ...], kind: Kind) -> str:
    """Compute whole numbers in a wider type: the least of them divided by -1 is beyond their own."""
    wide = "HUGEINT" if kind.is_integer else sql_type(kind)
    left, right = (f"CAST({argument} AS {wide})" for argument in arguments)
    sql = f"({left} % {right})"
    return f"CAST({sql} AS {sql_type(kind)})" if kind.is_integer else finite(sql)


def _places(one: str, other: str) -> Form:
    """Round or cut to whole numbers, or to a number of places that stays within what a DOUBLE has."""

    def form(arguments: tuple[str, ...], _: Kind) -> str:
        value = f"CAST({arguments[0]} AS DOUBLE)"
        if len(arguments) == 1:
            return finite(one.format(value))
        places = "CASE WHEN n IS NOT NULL THEN CAST(greatest(-400, least(400, n)) AS INTEGER) END"
        return finite(other.format(value, f"list_transform([{arguments[1]}], lambda n: {places})[1]"))

    return form


def _coalesce(arguments: tuple[str, ...], kind: Kind) -> str:
    return f"coalesce({', '.join(f'CAST({argument} AS {sql_type(kind)})' for argument in arguments)})"


_WORDS = "string_split(regexp_replace(trim(lower({0})), '[^\\pL\\pN]+', ' ', 'g'), ' ')"

FORMS: Mapping[str, Form] = {
    "abs": _as_kind("abs({0})"),
    "ceiling": _real("ceil({0})"),
    "degrees": _real("degrees({0})"),
    "exp": _real("exp({0})"),
    "floor": _real("floor({0})"),
    "log": _real("ln({0})"),
    "log10": _real("log10({0})"),
    "mod": _remainder,
    "pi": _plain("pi()"),
    "power": _real("pow({0}, {1})"),
    "radians": _real("radians({0})"),
    "sqrt": _real("sqrt({0})"),
    "rand": _plain("random()"),
    "round": _places("round({0})", "round({0}, {1})"),
    "truncate": _places("trunc({0})", "trunc({0}, {1})"),
    "acos": _real("acos({0})"),
    "asin": _real("asin({0})"),
    "atan": _real("atan({0})"),
    "atan2": _real("atan2({0}, {1})"),
    "cos": _real("cos({0})"),
    "cot": _real("(1.0::DOUBLE / tan({0}))"),
    "sin": _real("sin({0})"),
    "tan": _real("tan({0})"),
    "lower": _plain("lower({0})"),
    "upper": _plain("upper({0})"),
    "coalesce": _coalesce,
    "ivo_healpix_index": _plain("sky_cell(CAST({0} AS BIGINT), CAST({1} AS DOUBLE), CAST({2} AS DOUBLE))"),
    "ivo_to_jd": _plain("(epoch_us({0}) / 86400000000.0::DOUBLE + 2440587.5::DOUBLE)"),
    "ivo_to_mjd": _plain("(epoch_us({0}) / 86400000000.0::DOUBLE + 40587.0::DOUBLE)"),
    "ivo_nocasematch": _plain("CAST({0} ILIKE {1} AS INTEGER)"),
    "ivo_hasword": _plain(
        "CAST(list_bool_and(list_transform(" + _WORDS.format("{1}") + ", lambda w: "
        "contains(' ' || array_to_string(" + _WORDS.format("{0}") + ", ' '), ' ' || w))) AS INTEGER)"
    ),
    NAME_KEY: _plain("name_key({0})"),
    "ivo_hashlist_has": _plain("CAST(list_contains(string_split(lower({0}), '#'), lower({1})) AS INTEGER)"),
    "ivo_interval_overlaps": _plain(
        "CAST(({0} <= {3} AND {2} <= {1} AND {0} <= {1} AND {2} <= {3}) AS INTEGER)"
    ),
    "ivo_normal_random": _real("({0} + {1} * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()))"),
}
"""How each function that can stand in a ``tree.Call`` is written."""
