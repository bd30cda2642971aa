"""Constants reach the engine as they are."""

from __future__ import annotations

import duckdb
import pytest

from store.port import QueryRejected
from store.sql.compiler.literals import double, text


@pytest.mark.parametrize(
    "value", ["", "a'b", "''", "a\\'b", "a\0b", "\0", "'; --", "💫 é", "a\nb", "$$x$$", "%_"]
)
def test_any_text_stays_the_text_it_is(value: str) -> None:
    with duckdb.connect() as engine:
        assert engine.execute(f"SELECT {text(value)}").fetchall() == [(value,)]


def test_half_a_character_is_refused() -> None:
    with pytest.raises(QueryRejected):
        text("\ud800")


@pytest.mark.parametrize("value", [0.1, -0.1, 5e-324, 1.7976931348623157e308, -0.0, 1e22])
def test_any_number_stays_the_number_it_is(value: float) -> None:
    with duckdb.connect() as engine:
        ((found,),) = engine.execute(f"SELECT 0 - {double(value)}").fetchall()
    assert found == 0 - value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_no_number_is_null(value: float) -> None:
    with duckdb.connect() as engine:
        assert engine.execute(f"SELECT {double(value)}").fetchall() == [(None,)]
