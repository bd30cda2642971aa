"""The table of functions is complete and agrees with itself."""

import pytest

from query.functions import (
    ENGINE_FUNCTIONS,
    FUNCTIONS,
    GEOMETRY_FUNCTIONS,
    LANGUAGE_FEATURES,
    Accepts,
    Feature,
    Function,
)
from schemas import Kind

MANDATORY = [
    "abs",
    "ceiling",
    "degrees",
    "exp",
    "floor",
    "log",
    "log10",
    "mod",
    "pi",
    "power",
    "radians",
    "sqrt",
    "rand",
    "round",
    "truncate",
    "acos",
    "asin",
    "atan",
    "atan2",
    "cos",
    "sin",
    "tan",
]


def test_has_every_mandatory_function_of_adql() -> None:
    assert [name for name in MANDATORY if name not in FUNCTIONS] == []


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=lambda function: function.name)
def test_is_described(function: Function) -> None:
    assert function.name == function.name.lower()
    assert function.description.endswith(".")
    assert len({len(signature.parameters) for signature in function.signatures}) == len(function.signatures)


def test_engines_implement_all_but_what_is_folded() -> None:
    names = {function.name for function in ENGINE_FUNCTIONS}
    assert "sqrt" in names
    assert "ivo_hasword" in names
    assert not names & {"in_unit", "ivo_geom_transform", "ivo_healpix_center", "ivo_hms_to_degrees"}
    assert all(not function.folded for function in ENGINE_FUNCTIONS)


def test_user_defined_functions_are_those_of_the_catalogue() -> None:
    udfs = [f.name for f in FUNCTIONS.values() if f.feature is Feature.UDF]
    assert udfs
    assert [name for name in udfs if not name.startswith("ivo_")] == ["onedfs_name_key"]


def test_forms_are_written_as_tapregext_asks() -> None:
    assert FUNCTIONS["ivo_to_jd"].forms == ("ivo_to_jd(d TIMESTAMP) -> DOUBLE",)
    assert FUNCTIONS["ivo_healpix_index"].forms == (
        "ivo_healpix_index(hpxorder BIGINT, lon DOUBLE, lat DOUBLE) -> BIGINT",
        "ivo_healpix_index(hpxorder BIGINT, position POINT) -> BIGINT",
    )
    assert FUNCTIONS["coalesce"].forms == ("coalesce(value ANY, ...) -> ANY",)
    assert FUNCTIONS["ivo_hasword"].forms == (
        "ivo_hasword(haystack VARCHAR(*), needle VARCHAR(*)) -> INTEGER",
    )


@pytest.mark.parametrize(
    ("accepts", "kinds"),
    [
        (Accepts.NUMBER, {Kind.SHORT, Kind.INT, Kind.LONG, Kind.FLOAT, Kind.DOUBLE}),
        (Accepts.INTEGER, {Kind.SHORT, Kind.INT, Kind.LONG}),
        (Accepts.TEXT, {Kind.TEXT, Kind.REGION}),
        (Accepts.TIME, {Kind.TIMESTAMP}),
        (Accepts.POINT, {Kind.POINT}),
        (Accepts.GEOMETRY, {Kind.POINT, Kind.CIRCLE, Kind.POLYGON, Kind.REGION}),
        (Accepts.ANY, set(Kind)),
    ],
)
def test_arguments_are_of_their_kinds(accepts: Accepts, kinds: set[Kind]) -> None:
    assert {kind for kind in Kind if accepts.takes(kind)} == kinds


def test_a_repeating_argument_comes_once_or_more() -> None:
    (signature,) = FUNCTIONS["coalesce"].signatures
    assert [count for count in range(4) if signature.fits(count)] == [1, 2, 3]


def test_the_optional_features_are_named() -> None:
    assert LANGUAGE_FEATURES["ivo://ivoa.net/std/TAPRegExt#features-adqlgeo"] == GEOMETRY_FUNCTIONS
    assert all(url.startswith("ivo://ivoa.net/std/TAPRegExt#features-adql") for url in LANGUAGE_FEATURES)
