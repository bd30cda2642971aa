"""The rule of rights: proprietary before a time, public from that instant on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from store.served import is_held, rights

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)


def test_a_row_is_held_until_its_time_comes() -> None:
    for stored in (None, "public", "secure", "proprietary"):
        assert is_held(stored, NOW + INSTANT, NOW)
        assert not is_held(stored, NOW, NOW)
        assert not is_held(stored, NOW - INSTANT, NOW)


@pytest.mark.parametrize(
    ("stored", "held"),
    [(None, False), ("", False), ("public", False), ("secure", False), ("proprietary", True)],
)
def test_a_row_without_a_time_is_held_when_it_says_so(stored: str | None, *, held: bool) -> None:
    assert is_held(stored, None, NOW) == held
    assert rights(stored, None, NOW) == ("public" if stored is None else stored)


@pytest.mark.parametrize(
    ("stored", "held", "shown"),
    [
        (None, False, "public"),
        (None, True, "proprietary"),
        ("secure", False, "secure"),
        ("secure", True, "proprietary"),
        ("", False, ""),
        ("proprietary", False, "public"),
        ("proprietary", True, "proprietary"),
    ],
)
def test_a_row_shows_what_it_stores_or_public_once_it_is_not_held(
    stored: str | None, shown: str, *, held: bool
) -> None:
    assert rights(stored, NOW + INSTANT if held else NOW, NOW) == shown
