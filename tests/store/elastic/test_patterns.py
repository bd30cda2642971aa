"""What is said of case here is what the engine of queries says of it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import pytest

from store.elastic.patterns import Case, matching
from store.sql.instance import Limits, open_instance


@pytest.fixture(scope="module")
def lowered() -> Iterator[dict[str, str]]:
    """All characters in lower case, as DuckDB has them."""
    with open_instance(Limits(threads=1)) as instance:
        rows = instance.execute(
            "SELECT c, lower(c) FROM (SELECT chr(i::INTEGER) AS c "
            f"FROM range(1, {sys.maxunicode + 1}) AS r(i) WHERE i NOT BETWEEN 55296 AND 57343)"
        ).fetchall()
        yield dict(rows)


def expression(pattern: str, case: Case) -> str:
    body = matching("f", pattern, case)
    assert body is not None
    found: str = body["regexp"]["f"]["value"]
    return found


def test_a_letter_finds_each_that_is_the_same_in_lower_case(lowered: dict[str, str]) -> None:
    spellings: dict[str, set[str]] = {}
    for sign, low in lowered.items():
        spellings.setdefault(low, set()).add(sign)
    for low, signs in spellings.items():
        if len(signs) > 1 and low not in "%_":
            for sign in signs:
                found = expression(f"{sign}_", Case.IGNORED)
                assert set(found[1:-2]) == signs, (sign, found)


def test_a_capital_is_in_no_text_in_lower_case() -> None:
    assert matching("f", "aB%", Case.LOWER_TEXT) == {"match_none": {}}
    assert expression("ab%", Case.LOWER_TEXT) == "[aA][bB].*"


def test_signs_that_mean_something_to_regular_expressions_are_themselves() -> None:
    sign = "".join(chr(code) for code in range(33, 127) if chr(code) not in "%_")
    assert re.fullmatch(expression(f"_{sign}", Case.COUNTS), f"x{sign}")


def test_a_beginning_is_asked_for_as_such() -> None:
    assert matching("f", "NGC%", Case.COUNTS) == {"prefix": {"f": "NGC"}}
    assert matching("f", "%%", Case.IGNORED) == {"exists": {"field": "f"}}
