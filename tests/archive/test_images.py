"""SIA 2 finds exactly the rows that its parameters ask for, on every engine."""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.archive.conftest import Row, SmallArchive, add_rows, build_archive, observation
from tests.support.engines import ENGINES_SLOWLY

COUNT = 240


def _row(number: int) -> Row:
    """Return an observation with values in all columns that SIA asks for, some of them missing."""
    rng = random.Random(number)

    def sometimes(value: Any) -> Any:
        return value if rng.random() < 0.8 else None

    low, begin = 10 ** rng.uniform(-7, -5), rng.uniform(55000, 58000)
    return {
        **observation(number),
        "em_min": sometimes(low),
        "em_max": sometimes(low * rng.uniform(1, 3)),
        "t_min": sometimes(begin),
        "t_max": sometimes(begin + rng.uniform(0, 300)),
        "s_fov": sometimes(rng.uniform(0, 4)),
        "s_resolution": sometimes(rng.uniform(0, 4)),
        "em_res_power": sometimes(rng.uniform(10, 4000)),
        "t_exptime": sometimes(rng.uniform(1, 900)),
        "t_resolution": sometimes(rng.uniform(1, 900)),
        "pol_states": sometimes(rng.choice(["/I/", "/I/Q/U/V/", "/RR/LL/", "/POLI/"])),
        "facility_name": sometimes(rng.choice(["VLT", "NTT"])),
        "access_format": sometimes(rng.choice(["application/fits", "image/png", "image/fits"])),
    }


ROWS = [_row(number) for number in range(COUNT)]


@pytest.fixture(scope="module", params=ENGINES_SLOWLY)
def archive(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SmallArchive]:
    built = build_archive(tmp_path_factory.mktemp("images"), 0, engine=request.param)
    add_rows(built.lake, "ivoa.ObsCore", ROWS)
    built.refresh()
    yield built
    built.close()


def found(archive: SmallArchive, **parameters: Any) -> set[str]:
    asked = {**parameters, "RESPONSEFORMAT": "csv"}
    reply = archive.client.get("/sia2/query", params=asked)
    assert reply.status_code == 200, reply.text
    return {row["dp_id"] for row in csv.DictReader(reply.text.splitlines())}


def expected(holds: Callable[[Row], bool]) -> set[str]:
    return {row["dp_id"] for row in ROWS if row["dataproduct_type"] in ("image", "cube") and holds(row)}


def within(column: str, low: float, high: float) -> Callable[[Row], bool]:
    return lambda row: row[column] is not None and low <= row[column] <= high


def overlaps(first: str, last: str, low: float, high: float) -> Callable[[Row], bool]:
    def holds(row: Row) -> bool:
        if row[first] is None or row[last] is None:
            return False
        return bool(row[first] <= high and low <= row[last])

    return holds


def one_of(column: str, *values: Any) -> Callable[[Row], bool]:
    return lambda row: row[column] is not None and row[column] in values


def near(ra: float, dec: float, radius: float) -> Callable[[Row], bool]:
    """Footprints are circles of 2 degrees."""

    def holds(row: Row) -> bool:
        if row["s_region"] is None:
            return False
        a, b, c, d = map(math.radians, (ra, dec, row["s_ra"], row["s_dec"]))
        cosine = math.sin(b) * math.sin(d) + math.cos(b) * math.cos(d) * math.cos(a - c)
        return math.degrees(math.acos(max(-1.0, min(1.0, cosine)))) <= radius + 2.0

    return holds


def between(south: float, north: float) -> Callable[[Row], bool]:
    return lambda row: row["s_region"] is not None and south - 2 <= row["s_dec"] <= north + 2


INF = math.inf
CASES: list[tuple[dict[str, Any], Callable[[Row], bool]]] = [
    ({}, lambda _: True),
    ({"POS": "CIRCLE 80 -20 40"}, near(80, -20, 40)),
    ({"POS": "RANGE -Inf +Inf 10 +Inf"}, between(10, 90)),
    ({"POS": "range 0 360 -30 20"}, between(-30, 20)),
    (
        {"POS": ["CIRCLE 80 -20 20", "CIRCLE 250 40 30"]},
        lambda row: near(80, -20, 20)(row) or near(250, 40, 30)(row),
    ),
    ({"BAND": "5e-7 1e-6"}, overlaps("em_min", "em_max", 5e-7, 1e-6)),
    ({"BAND": "5e-7"}, overlaps("em_min", "em_max", 5e-7, 5e-7)),
    ({"BAND": "-Inf 5e-7"}, overlaps("em_min", "em_max", -INF, 5e-7)),
    ({"BAND": "-Inf +Inf"}, overlaps("em_min", "em_max", -INF, INF)),
    ({"TIME": "56000 57000"}, overlaps("t_min", "t_max", 56000, 57000)),
    (
        {"TIME": ["56000 +Inf", "55100"]},
        lambda r: overlaps("t_min", "t_max", 56000, INF)(r) or overlaps("t_min", "t_max", 55100, 55100)(r),
    ),
    ({"POL": "Q"}, one_of("pol_states", "/I/Q/U/V/")),
    ({"POL": ["rr", "POLI"]}, one_of("pol_states", "/RR/LL/", "/POLI/")),
    ({"FOV": "1 2.5"}, within("s_fov", 1, 2.5)),
    ({"SPATRES": "-Inf 1"}, within("s_resolution", -INF, 1)),
    ({"SPECRP": "1000 +Inf"}, within("em_res_power", 1000, INF)),
    ({"EXPTIME": "0 300"}, within("t_exptime", 0, 300)),
    ({"TIMERES": "0 300"}, within("t_resolution", 0, 300)),
    ({"ID": "ivo://onedfs.example/ID?OBS.00004"}, one_of("dp_id", "OBS.00004")),
    ({"COLLECTION": "alpha"}, one_of("obs_collection", "alpha")),
    ({"FACILITY": ["VLT", "none"]}, one_of("facility_name", "VLT")),
    ({"INSTRUMENT": ["MUSE", "Café ☆"]}, one_of("instrument_name", "MUSE", "Café ☆")),
    ({"DPTYPE": "cube"}, one_of("dataproduct_type", "cube")),
    ({"CALIB": ["1", "3"]}, one_of("calib_level", 1, 3)),
    ({"TARGET": "100% sure_10"}, one_of("target_name", "100% sure_10")),
    ({"FORMAT": "image/fits"}, one_of("access_format", "application/fits", "image/fits")),
    ({"FORMAT": "image/png"}, one_of("access_format", "image/png")),
    (
        {"band": "-Inf 1e-6", "Calib": "2", "FOV": ""},
        lambda r: overlaps("em_min", "em_max", -INF, 1e-6)(r) and r["calib_level"] == 2,
    ),
]


@pytest.mark.parametrize(
    ("parameters", "holds"), CASES, ids=lambda case: str(case)[:60] if isinstance(case, dict) else ""
)
def test_parameters_find_what_they_say(
    archive: SmallArchive, parameters: dict[str, Any], holds: Callable[[Row], bool]
) -> None:
    rows = expected(holds)
    assert rows, "the rows of this test have to hold an answer"
    assert found(archive, **parameters) == rows


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"POS": "BOX 1 2 3 4"}, "POS begins with one of CIRCLE, RANGE, POLYGON"),
        ({"BAND": "2 1"}, "BAND=2 1 ends before it begins"),
        ({"POL": "Z"}, "POL takes one of I Q U V"),
        ({"DPTYPE": "spectrum"}, "DPTYPE is image or cube"),
        ({"CALIB": "two"}, "CALIB takes a non-negative integer"),
        ({"MAXREC": "-1"}, "MAXREC"),
        ({"RESPONSEFORMAT": "pdf"}, "RESPONSEFORMAT"),
    ],
)
def test_a_wrong_parameter_is_a_fault(archive: SmallArchive, parameters: dict[str, str], said: str) -> None:
    reply = archive.client.get("/sia2", params=parameters)
    assert reply.status_code == 400
    assert "UsageFault" in reply.text
    assert said in reply.text


def test_maxrec_cuts_and_says_so(archive: SmallArchive) -> None:
    for most, rows in (("0", 0), ("3", 3)):
        text = archive.client.post("/sia2", data={"MAXREC": most}).text
        assert text.count("<TR>") == rows
        assert "OVERFLOW" in text
