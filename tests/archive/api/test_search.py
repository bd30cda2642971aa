"""Searches of the JSON API against the same search done row by row."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import votable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sky.healpix import cells, separation

if TYPE_CHECKING:
    from tests.archive.conftest import Row, SmallArchive

ROWS = "/api/v1/tables/ivoa.obscore/rows"
Pairs = list[tuple[str, str]]


def ids(small: SmallArchive, params: Pairs | dict[str, Any]) -> list[str]:
    pairs = list(params.items()) if isinstance(params, dict) else params
    reply = small.client.get(ROWS, params=[*pairs, ("limit", "10000"), ("fields", "dp_id")])
    assert reply.status_code == 200, reply.text
    document = reply.json()
    assert document["total"] == len(document["rows"])
    return [row["dp_id"] for row in document["rows"]]


def expected(small: SmallArchive, holds: Callable[[Row], Any]) -> list[str]:
    return sorted(row["dp_id"] for row in small.observations if holds(row))


def in_spring(row: Row) -> bool:
    date = row["obs_release_date"]
    return date is not None and "2020-03-01" <= date.isoformat() <= "2020-05-01T00:00:00"


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (("where.instrument_name", "MUSE"), lambda r: r["instrument_name"] == "MUSE"),
        (("where.instrument_name", "Café ☆"), lambda r: r["instrument_name"] == "Café ☆"),
        (("where.INSTRUMENT_NAME", "MUSE"), lambda r: r["instrument_name"] == "MUSE"),
        (("where.instrument_name", "!MUSE"), lambda r: r["instrument_name"] not in ("MUSE", None)),
        (("where.instrument_name", "null"), lambda r: r["instrument_name"] is None),
        (("where.instrument_name", "!null"), lambda r: r["instrument_name"] is not None),
        (("where.calib_level", "2"), lambda r: r["calib_level"] == 2),
        (("where.calib_level", "1..2"), lambda r: 1 <= r["calib_level"] <= 2),
        (("where.calib_level", "0.5..2.5"), lambda r: 1 <= r["calib_level"] <= 2),
        (("where.t_min", "56000.."), lambda r: r["t_min"] is not None and r["t_min"] >= 56000),
        (("where.t_min", "..56000"), lambda r: r["t_min"] is not None and r["t_min"] <= 56000),
        (("where.t_min", ".."), lambda r: r["t_min"] is not None),
        (("where.obs_release_date", "2020-03..2020-05"), in_spring),
        (("where.target_name", "=100% sure_5"), lambda r: r["target_name"] == "100% sure_5"),
        (("q", "ngc"), lambda r: "NGC" in r["target_name"]),
        (("q", '"NGC 1"'), lambda r: "NGC 1" in r["target_name"]),
        (("q", "sure muse"), lambda r: "sure" in r["target_name"] and r["instrument_name"] == "MUSE"),
    ],
)
def test_a_condition_keeps_what_meets_it(
    small: SmallArchive, condition: tuple[str, str], holds: Callable[[Row], Any]
) -> None:
    found = ids(small, [condition])
    assert found == expected(small, holds)
    assert found


def test_values_of_one_column_are_alternatives_and_columns_add_up(small: SmallArchive) -> None:
    found = ids(
        small,
        [
            ("where.instrument_name", "MUSE"),
            ("where.instrument_name", "null"),
            ("where.calib_level", "1..3"),
            ("where.calib_level", "!2"),
        ],
    )
    assert found == expected(
        small, lambda r: r["instrument_name"] in ("MUSE", None) and r["calib_level"] in (1, 3)
    )


@pytest.mark.parametrize(
    "name", ["NGC 17", "ngc 17", "NGC17", "  Ngc   17 ", "NGC-17", "ngc_0017", "\uff2e\uff27\uff23\u300017"]
)
def test_a_target_is_found_however_its_name_is_written(small: SmallArchive, name: str) -> None:
    found = ids(small, {"target": name})
    assert found
    assert found == expected(small, lambda r: r["target_name"] == "NGC 17")


@pytest.mark.parametrize("name", ["NGC 17", "ngc17", "NGC-17", "ngc_17", "NGC 0017", '"NGC 17"'])
def test_free_text_finds_a_name_however_it_is_written(small: SmallArchive, name: str) -> None:
    found = ids(small, {"q": name})
    assert found
    assert found == expected(small, lambda r: r["target_name"].startswith("NGC 17"))


@pytest.mark.parametrize("params", [{"target": "ngc-17"}, {"q": "ngc-17"}, {"q": 'muse "in quotes" 7 o\'n'}])
def test_a_search_by_name_is_shown_as_adql_that_gives_the_same(
    small: SmallArchive, params: dict[str, str]
) -> None:
    reply = small.client.get(ROWS, params=params | {"fields": "dp_id", "limit": "10000"}).json()
    told = small.client.get(
        "/tap/sync", params={"LANG": "ADQL", "QUERY": reply["adql"], "RESPONSEFORMAT": "csv"}
    )
    assert told.status_code == 200, told.text
    assert told.text.split()[1:] == [row["dp_id"] for row in reply["rows"]]


def test_a_target_is_a_whole_name_and_no_pattern(small: SmallArchive) -> None:
    assert ids(small, {"target": "NGC"}) == []
    assert ids(small, {"target": "NGC %"}) == []
    assert ids(small, {"target": "100% SURE_5"}) == ["OBS.00005"]


def test_a_search_of_more_than_a_hemisphere_says_so(small: SmallArchive) -> None:
    small_side, large_side = (
        small.client.get(ROWS, params={"region": f"POLYGON {way}"}).json()
        for way in ("0 0 0 10 10 10 10 0", "0 0 10 0 10 10 0 10")
    )
    assert "notes" not in small_side
    assert ["more than half of the sky" in note for note in large_side["notes"]] == [True]
    assert large_side["total"] > small_side["total"]


def test_a_served_identifier_finds_its_row(small: SmallArchive) -> None:
    assert ids(small, {"where.obs_publisher_did": "ivo://onedfs.example/ID?OBS.00017"}) == ["OBS.00017"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ra=st.floats(0, 359.9), dec=st.floats(-90, 90), radius=st.floats(1, 60))
def test_positions_in_a_circle_are_those_of_brute_force(
    small: SmallArchive, ra: float, dec: float, radius: float
) -> None:
    placed = [row for row in small.observations if row["s_ra"] is not None]
    distance = separation(
        np.array([row["s_ra"] for row in placed]), np.array([row["s_dec"] for row in placed]), ra, dec
    )
    inside = sorted(row["dp_id"] for row, d in zip(placed, distance, strict=True) if d <= radius)
    assert ids(small, {"region": f"CIRCLE {ra} {dec} {radius}"}) == inside


@pytest.mark.parametrize(
    ("relation", "reach"),
    [("position", 0.0), ("intersects", 2.0), ("within", -2.0)],
)
def test_relations_of_round_footprints(small: SmallArchive, relation: str, reach: float) -> None:
    centre, radius = (120.0, 10.0), 25.0

    def holds(row: Row) -> bool:
        if row["s_ra"] is None:
            return False
        distance = float(separation(row["s_ra"], row["s_dec"], *centre))
        return distance <= radius + reach

    found = ids(small, {"region": f"CIRCLE ICRS 120 10 {radius}", "relation": relation})
    assert found == expected(small, holds)


def test_a_footprint_contains_a_small_region_at_its_centre(small: SmallArchive) -> None:
    row = small.observations[8]
    region = f"CIRCLE ICRS {row['s_ra']} {row['s_dec']} 0.5"
    assert "OBS.00008" in ids(small, {"region": region, "relation": "contains"})
    too_big = f"CIRCLE ICRS {row['s_ra']} {row['s_dec']} 2.5"
    assert "OBS.00008" not in ids(small, {"region": too_big, "relation": "contains"})


def test_a_moc_is_a_region(small: SmallArchive) -> None:
    chosen = {3, 7, 100}

    def holds(row: Row) -> bool:
        return row["s_ra"] is not None and int(cells(row["s_ra"], row["s_dec"], 2)) in chosen

    assert ids(small, {"region": "MOC 2/3 7 100"}) == expected(small, holds)


def test_facets_count_all_matching_rows_not_only_the_page(small: SmallArchive) -> None:
    reply = small.client.get(
        ROWS,
        params={"where.calib_level": "1..3", "facets": "instrument_name,dataproduct_type", "limit": "5"},
    ).json()
    matching = [row for row in small.observations if row["calib_level"] >= 1]
    for column in ("instrument_name", "dataproduct_type"):
        counted = {item["value"]: item["count"] for item in reply["facets"][column]}
        assert counted == Counter(row[column] for row in matching)
    assert reply["total"] == len(matching)
    assert len(reply["rows"]) == 5


@pytest.mark.parametrize("order", [0, 3, 11])
def test_density_counts_every_placed_row_once(small: SmallArchive, order: int) -> None:
    reply = small.client.get("/api/v1/tables/ivoa.obscore/density", params={"order": order}).json()
    placed = [row for row in small.observations if row["s_ra"] is not None]
    wanted = Counter(int(cells(row["s_ra"], row["s_dec"], order)) for row in placed)
    assert dict(reply["cells"]) == wanted
    assert reply["total"] == len(placed)


@pytest.mark.parametrize("column", ["t_min", "instrument_name", "obs_release_date"])
@pytest.mark.parametrize("down", [False, True])
def test_sorting_puts_missing_values_last_both_ways(small: SmallArchive, column: str, *, down: bool) -> None:
    sort = f"-{column}" if down else column
    rows = small.client.get(ROWS, params={"sort": sort, "limit": "10000"}).json()["rows"]
    values = [row[column] for row in rows]
    there = [value for value in values if value is not None]
    assert values == sorted(there, reverse=down) + [None] * (len(values) - len(there))
    assert None in values


def test_get_and_post_say_the_same(small: SmallArchive) -> None:
    by_query = small.client.get(
        ROWS,
        params=[
            ("where.instrument_name", "MUSE"),
            ("where.instrument_name", "null"),
            ("where.calib_level", "1..3"),
            ("fields", "dp_id,calib_level"),
            ("sort", "-calib_level"),
            ("facets", "calib_level"),
        ],
    ).json()
    by_body = small.client.post(
        "/api/v1/tables/ivoa.ObsCore/search",
        json={
            "where": {"instrument_name": ["MUSE", None], "calib_level": "1..3"},
            "fields": ["dp_id", "calib_level"],
            "sort": ["-calib_level"],
            "facets": ["calib_level"],
        },
    ).json()
    assert by_query["total"] > 0
    assert {**by_query, "next": None} == {**by_body, "next": None}


def test_the_adql_of_a_reply_finds_the_same_rows(small: SmallArchive) -> None:
    reply = small.client.get(
        ROWS,
        params={"region": "CIRCLE 120 10 40", "where.calib_level": "1..3", "fields": "dp_id", "q": "ngc"},
    ).json()
    answer = small.client.get(
        "/tap/sync", params={"LANG": "ADQL", "QUERY": reply["adql"], "RESPONSEFORMAT": "csv"}
    )
    assert answer.text.split()[1:] == [row["dp_id"] for row in reply["rows"]]
    assert reply["rows"]


@pytest.mark.parametrize("form", ["csv", "ndjson", "tsv"])
def test_text_forms_stream_all_rows_when_no_limit_is_given(small: SmallArchive, form: str) -> None:
    reply = small.client.get(ROWS, params={"format": form, "fields": "dp_id"})
    lines = reply.text.splitlines()
    assert len(lines) - (form != "ndjson") == len(small.observations)
    assert small.client.get(ROWS, params={"format": form, "fields": "dp_id", "limit": "3"}).text.count(
        "\n"
    ) == 3 + (form != "ndjson")


def test_the_accept_header_chooses_the_form(small: SmallArchive) -> None:
    reply = small.client.get(ROWS, params={"fields": "dp_id"}, headers={"Accept": "text/csv"})
    assert reply.headers["content-type"].startswith("text/csv")
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    assert small.client.get(ROWS, headers=browser).headers["content-type"] == "application/json"


def test_parquet_and_votable_hold_the_same_rows(small: SmallArchive) -> None:
    params = {"fields": "dp_id", "where.calib_level": "2"}
    parquet = small.client.get(ROWS, params={**params, "format": "parquet"}).content
    document = small.client.get(ROWS, params={**params, "format": "votable"}).content
    names = pq.read_table(io.BytesIO(parquet))["dp_id"].to_pylist()
    assert names == list(votable.parse_single_table(io.BytesIO(document)).array["dp_id"])
    assert names == expected(small, lambda r: r["calib_level"] == 2)


def test_without_a_count_there_is_no_total(small: SmallArchive) -> None:
    reply = small.client.get(ROWS, params={"count": "none", "limit": "2"}).json()
    assert (reply["total"], reply["total_relation"]) == (None, None)


def test_one_row_by_its_key(small: SmallArchive) -> None:
    reply = small.client.get(f"{ROWS}/OBS.00011").json()
    assert reply["row"]["target_name"] == "NGC 11"
    assert reply["row"]["access_url"] == "http://127.0.0.1:8000/files/OBS.00011"
    assert small.client.get(f"{ROWS}/OBS.99999").status_code == 404


def test_tables_show_what_is_public_only(small: SmallArchive) -> None:
    names = [table["name"] for table in small.client.get("/api/v1/tables").json()["tables"]]
    assert "ivoa.ObsCore" in names
    assert not [name for name in names if name.startswith("archive.")]
    assert small.client.get("/api/v1/tables/archive.files").status_code == 404
    described = small.client.get("/api/v1/tables/IVOA.OBSCORE").json()
    assert described["name"] == "ivoa.ObsCore"
    assert "instrument_name" in described["facets"]
    by_name = {column["name"]: column for column in described["columns"]}
    assert by_name["s_ra"]["unit"] == "deg"
