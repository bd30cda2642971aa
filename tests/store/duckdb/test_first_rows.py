"""The first rows of an order are those of the generation and of the delta together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.sql.instance import LATE_ROWS
from tests.store.duckdb.conftest import World

Ask = Callable[..., list[dict[str, Any]]]

KEYS = ("n", "x", "name", "big", "id")


def ordered(rows: list[dict[str, Any]], keys: list[tuple[str, bool]]) -> list[str]:
    """Sort by some columns, NULL last both ways, and by the identifier; the identifiers."""
    found = sorted(rows, key=lambda row: str(row["id"]))
    for name, backwards in reversed(keys):
        known = [row for row in found if row[name] is not None]
        known.sort(key=lambda row: row[name], reverse=backwards)
        found = known + [row for row in found if row[name] is None]
    return [row["id"] for row in found]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    keys=st.lists(st.tuples(st.sampled_from(KEYS[:4]), st.booleans()), min_size=1, max_size=2),
    top=st.integers(1, 40),
    offset=st.integers(0, 30),
    shown=st.sampled_from(("id", "id, n", "id, big, n, x")),
    condition=st.sampled_from(("", "WHERE n > 10", "WHERE name = 'again'", "WHERE x IS NULL")),
)
def test_they_are_as_sorting_all_has_them(  # noqa: PLR0917 - a query has so many parts
    ask: Ask,
    sky_world: World,
    keys: list[tuple[str, bool]],
    top: int,
    offset: int,
    shown: str,
    condition: str,
) -> None:
    holds: dict[str, Callable[[dict[str, Any]], bool]] = {
        "": lambda _: True,
        "WHERE n > 10": lambda row: row["n"] is not None and row["n"] > 10,
        "WHERE name = 'again'": lambda row: row["name"] == "again",
        "WHERE x IS NULL": lambda row: row["x"] is None,
    }
    order = ", ".join([f"{name} {'DESC' if backwards else 'ASC'}" for name, backwards in keys] + ["id"])
    rows = [row for row in sky_world.rows("sky.obs") if holds[condition](row)]
    found = ask(f"SELECT TOP {top} {shown} FROM sky.obs {condition} ORDER BY {order} OFFSET {offset}")
    assert [row["id"] for row in found] == ordered(rows, keys)[offset : offset + top]


@pytest.mark.parametrize("top", [LATE_ROWS - 1, LATE_ROWS, LATE_ROWS + 1])
def test_as_many_as_are_read_at_once_are_no_others(ask: Ask, sky_world: World, top: int) -> None:
    found = ask(f"SELECT TOP {top} id FROM sky.obs ORDER BY n DESC, id OFFSET 3")
    assert [row["id"] for row in found] == ordered(sky_world.rows("sky.obs"), [("n", True)])[3:]


def test_the_limit_of_the_answer_cuts_what_is_ordered(ask: Ask, sky_world: World) -> None:
    found = ask("SELECT id FROM sky.obs ORDER BY big", limit=7)
    assert [row["id"] for row in found] == ordered(sky_world.rows("sky.obs"), [("big", False)])[:7]


def test_an_order_by_what_is_computed_holds_in_both(ask: Ask, sky_world: World) -> None:
    found = ask("SELECT TOP 9 id FROM sky.obs WHERE n IS NOT NULL ORDER BY n * n DESC, 2 * n, id")
    rows = [row for row in sky_world.rows("sky.obs") if row["n"] is not None]
    rows.sort(key=lambda row: (-(row["n"] ** 2), row["n"], row["id"]))
    assert [row["id"] for row in found] == [row["id"] for row in rows[:9]]


def test_groups_are_counted_across_both_before_the_first_are_taken(ask: Ask, sky_world: World) -> None:
    found = ask("SELECT TOP 1 name, COUNT(*) AS n FROM sky.obs GROUP BY name ORDER BY n DESC")
    names = [row["name"] for row in sky_world.rows("sky.obs")]
    assert found[0]["n"] == max(names.count(name) for name in set(names))
