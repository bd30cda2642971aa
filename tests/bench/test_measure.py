"""Requests take turns, failures are told, and medians are those of the rounds that count."""

from __future__ import annotations

from collections import Counter

import pytest

from bench.measure import LEAST_ROUNDS, WARM_UP, Line, alternate, rows_of, timing


def test_everybody_is_asked_the_same_number_once_a_round() -> None:
    asked: list[tuple[str, int]] = []

    def ask(name: str) -> object:
        return lambda number: asked.append((name, number))

    lines = [Line("one", {"a": ask("1a"), "b": ask("1b")}), Line("two", {"a": ask("2a")})]
    found = alternate(lines, rounds=10, seconds=60)
    assert [(each.line, each.party) for each in found] == [("one", "a"), ("one", "b"), ("two", "a")]
    rounds = [asked[start : start + 3] for start in range(0, len(asked), 3)]
    assert [{number for _, number in each} for each in rounds] == [{n} for n in range(WARM_UP + 10)]
    assert all(Counter(name for name, _ in each) == {"1a": 1, "1b": 1, "2a": 1} for each in rounds)
    assert len({tuple(name for name, _ in each) for each in rounds}) > 1
    assert all(each.timing is not None and each.timing.count == 10 for each in found)


def test_time_ends_the_rounds_but_not_before_there_is_a_median() -> None:
    [found] = alternate([Line("one", {"a": lambda _: None})], rounds=1000, seconds=0)
    assert found.timing is not None
    assert found.timing.count == LEAST_ROUNDS


def test_who_fails_is_given_up_and_the_others_go_on() -> None:
    calls = Counter[str]()

    def fails(_: int) -> None:
        calls["fails"] += 1
        raise ConnectionError("gone away")

    good, bad = alternate([Line("one", {"good": lambda _: b"{}", "bad": fails})], rounds=20, seconds=60)
    assert good.timing is not None
    assert good.timing.count == 20
    assert good.failures == 0
    assert bad.timing is None
    assert bad.failures == calls["fails"] < 20
    assert bad.reason == "ConnectionError: gone away"


@pytest.mark.parametrize(
    ("answer", "rows"),
    [
        (b"<VOTABLE><TABLEDATA><TR><TD/></TR><TR><TD/></TR></TABLEDATA></VOTABLE>", 2),
        (b"<VOTABLE><STREAM>AAAA</STREAM></VOTABLE>", None),
        (b'{"total":7,"rows":[]}', 7),
        (b"n\n3\n", 1),
        ([{}, {}, {}], 3),
        (12, None),
    ],
)
def test_rows_are_counted_where_the_answer_shows_them(answer: object, rows: int | None) -> None:
    assert rows_of(answer) == rows


def test_a_timing_is_in_milliseconds() -> None:
    found = timing([0.004, 0.001, 0.003, 0.002, 0.1])
    assert (found.p50, found.p95, found.count) == (3.0, 100.0, 5)
