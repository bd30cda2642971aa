"""Rights that depend on the moment of the query."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from archive.access import AccessPolicy
from store import served
from store.sql.served import rights_value
from tests.store.duckdb.conftest import World
from tests.support.tables import HELD
from vo.adql import translate

STORED = {"rights": "c0", "since": "c1"}
NOW = datetime(2026, 3, 1, 12, 0, 0)  # noqa: DTZ001 - times of the lake are UTC without saying so
DAY = timedelta(days=1)


def rights(stored: str | None, since: datetime | None, moment: datetime = NOW) -> Any:
    sql = rights_value(STORED, "since", moment, "t.c0", "t")
    rows = duckdb.execute(
        f"SELECT {sql} FROM (SELECT ?::VARCHAR AS c0, ?::TIMESTAMP AS c1) AS t", [stored, since]
    )
    return rows.fetchall()[0][0]


@pytest.mark.parametrize(
    ("stored", "since", "shown"),
    [
        (None, None, "public"),
        (None, NOW - DAY, "public"),
        (None, NOW + DAY, "proprietary"),
        ("secure", NOW - DAY, "secure"),
        ("public", NOW + DAY, "proprietary"),
        ("proprietary", None, "proprietary"),
        ("proprietary", NOW - DAY, "public"),
        ("secure", None, "secure"),
        ("", NOW, ""),
    ],
)
def test_rows_are_proprietary_until_their_time_then_what_they_store_or_public(
    stored: str | None, since: datetime | None, shown: str
) -> None:
    assert rights(stored, since) == served.rights(stored, since, NOW) == shown


@given(
    st.none() | st.integers(-3, 3) | st.integers(-(10**13), 10**13),
    st.sampled_from([None, "proprietary", "secure"]),
)
def test_rights_shown_are_those_that_the_access_policy_applies(
    microseconds: int | None, stored: str | None
) -> None:
    since = None if microseconds is None else NOW + timedelta(microseconds=microseconds)
    policy = AccessPolicy("here", lambda: NOW.replace(tzinfo=UTC))
    assert (rights(stored, since) in ("proprietary", "secure")) != policy.is_public(since, stored)
    assert rights(stored, since) == served.rights(stored, since, NOW)


def test_rights_are_shown_counted_and_searched_in_generation_and_delta_alike(tmp_path: Path) -> None:
    ours = next(schema for schema in schemas.load_schemas().schemas if schema.name == "TAP_SCHEMA")
    world = World(tmp_path, schemas.Schemas([schemas.parse_schema(HELD), ours]))
    soon = datetime.now(UTC).replace(tzinfo=None) + DAY
    try:
        world.put("held.data", [{"id": "old", "since": NOW}, {"id": "kept", "since": soon}, {"id": "open"}])
        world.put("held.data", [{"id": "waits", "rights": "proprietary"}])
        world.fold()
        world.put("held.data", [{"id": "new", "since": soon}, {"id": "due", "rights": "proprietary"}])
        world.put("held.data", [{"id": "out", "rights": "proprietary", "since": NOW}])
        with world.index().snapshot() as snapshot:
            text = "SELECT id FROM held.data WHERE rights = 'proprietary' ORDER BY id"
            found = snapshot.run(translate(text, snapshot.schemas)).table().to_pylist()
            text = "SELECT rights, COUNT(*) AS n FROM held.data GROUP BY rights ORDER BY rights"
            counts = snapshot.run(translate(text, snapshot.schemas)).table().to_pylist()
    finally:
        world.close()
    assert [row["id"] for row in found] == ["due", "kept", "new", "waits"]
    assert counts == [{"rights": "proprietary", "n": 4}, {"rights": "public", "n": 3}]
