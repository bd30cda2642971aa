"""Walking through all rows page by page."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.api.cursor import Cursors, after
from archive.problems import Problem
from query import build, tree
from schemas import Column, Kind, Table
from tests.archive.conftest import SmallArchive, observation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from query.tree import Value

ROWS = "/api/v1/tables/ivoa.obscore/rows"

TABLE = Table(
    schema_name="demo",
    local_name="t",
    key=("id",),
    columns=(
        Column(name="a", kind=Kind.INT),
        Column(name="b", kind=Kind.INT),
        Column(name="id", kind=Kind.INT),
    ),
)


def walk(archive: SmallArchive, **params: str) -> Iterator[list[str]]:
    cursor: str | None = ""
    while cursor is not None:
        more = {"cursor": cursor} if cursor else {}
        reply = archive.client.get(ROWS, params={"fields": "dp_id", **params, **more})
        assert reply.status_code == 200, reply.text
        yield [row["dp_id"] for row in reply.json()["rows"]]
        cursor = reply.json()["next"]


@pytest.mark.parametrize(
    "sort", ["", "t_min", "-t_min", "-instrument_name,t_min", "obs_release_date", "-t_exptime", "s_ra"]
)
def test_pages_hold_every_row_once_and_in_order(small: SmallArchive, sort: str) -> None:
    params = {"sort": sort} if sort else {}
    whole = small.client.get(ROWS, params={**params, "fields": "dp_id", "limit": "10000"}).json()["rows"]
    pages = list(walk(small, limit="37", **params))
    assert [len(page) for page in pages[:-1]] == [37] * (len(pages) - 1)
    assert list(itertools.chain(*pages)) == [row["dp_id"] for row in whole]
    assert len(whole) == len(small.observations)


@pytest.mark.parametrize("sort", ["dp_id", "-t_min", "instrument_name"])
def test_rows_that_stay_come_once_while_others_are_added(own: SmallArchive, sort: str) -> None:
    before = {row["dp_id"] for row in own.observations}
    seen: list[str] = []
    for number, page in enumerate(walk(own, limit="7", sort=sort)):
        seen += page
        own.add("ivoa.ObsCore", [observation(1000 + number, prefix=prefix) for prefix in ("AAA", "ZZZ")])
    assert sorted(i for i in seen if i in before) == sorted(before)
    assert len(seen) == len(set(seen))


def test_the_total_is_that_of_the_search_on_every_page(small: SmallArchive) -> None:
    first = small.client.get(ROWS, params={"limit": "100"}).json()
    second = small.client.get(ROWS, params={"limit": "100", "cursor": first["next"]}).json()
    assert first["total"] == second["total"] == len(small.observations)


def test_a_cursor_of_another_search_is_refused(small: SmallArchive) -> None:
    cursor = small.client.get(ROWS, params={"limit": "5"}).json()["next"]
    reply = small.client.get(ROWS, params={"limit": "5", "cursor": cursor, "where.calib_level": "2"})
    assert reply.status_code == 400
    assert "other parameters" in reply.json()["detail"]


@pytest.mark.parametrize("text", ["x", "!!!", "AAAA", "é", "a" * 5000])
def test_what_is_no_cursor_is_refused(small: SmallArchive, text: str) -> None:
    reply = small.client.get(ROWS, params={"cursor": text})
    assert reply.status_code == 400
    assert reply.json()["errors"][0]["field"] == "cursor"


def _search() -> tree.Select:
    return build.select(TABLE, order_by=[tree.Order(build.column(TABLE, "id"))])


def test_an_expired_cursor_is_gone() -> None:
    now = [1000.0]
    cursors = Cursors(b"secret", 60.0, clock=lambda: now[0])
    text = cursors.write(_search(), [7], 1)
    now[0] += 60
    assert cursors.read(_search(), text) == [7]
    now[0] += 1
    with pytest.raises(Problem) as caught:
        cursors.read(_search(), text)
    assert caught.value.status == 410


def test_a_forged_cursor_is_refused() -> None:
    text = Cursors(b"one", 60.0).write(_search(), [7], 1)
    with pytest.raises(Problem) as caught:
        Cursors(b"two", 60.0).read(_search(), text)
    assert caught.value.status == 400


CELLS = st.one_of(st.none(), st.integers(-2, 2))
TUPLES = st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8)


@given(rows=TUPLES, down_a=st.booleans(), down_b=st.booleans(), data=st.data())
def test_after_holds_for_the_rows_that_follow(
    *,
    rows: list[tuple[int | None, int | None]],
    down_a: bool,
    down_b: bool,
    data: st.DataObject,
) -> None:
    numbered = [(a, b, i) for i, (a, b) in enumerate(rows)]
    order = [
        tree.Order(build.column(TABLE, "a"), down_a),
        tree.Order(build.column(TABLE, "b"), down_b),
        tree.Order(build.column(TABLE, "id")),
    ]

    def place(row: tuple[Value, ...]) -> tuple[tuple[bool, int], ...]:
        return tuple(
            (value is None, 0 if value is None else -int(value) if key.descending else int(value))
            for key, value in zip(order, row, strict=True)
        )

    ranked = sorted(numbered, key=place)
    at = data.draw(st.integers(0, len(ranked) - 1))
    condition = after(order, ranked[at])
    assert [row for row in ranked if holds(condition, row)] == ranked[at + 1 :]


def holds(node: tree.Predicate, row: tuple[Value, ...]) -> bool:
    """Evaluate the few kinds of conditions that a cursor consists of; unknown counts as false."""
    named = dict(zip(("a", "b", "id"), row, strict=True))
    if isinstance(node, tree.And):
        return all(holds(item, row) for item in node.items)
    if isinstance(node, tree.Or):
        return any(holds(item, row) for item in node.items)
    if isinstance(node, tree.IsNull):
        assert isinstance(node.operand, tree.Column)
        return named[node.operand.name] is None
    assert isinstance(node, tree.Comparison)
    assert isinstance(node.left, tree.Column)
    assert isinstance(node.right, tree.Literal)
    left, right = named[node.left.name], node.right.value
    if not isinstance(left, int) or not isinstance(right, int):
        return False
    return {"=": left == right, "<": left < right, ">": left > right}[node.operator]
