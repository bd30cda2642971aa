"""What is beyond a bound of Elasticsearch is answered otherwise, and the same."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest

from store.elastic import aggregates, columns, first, gather, inside, selection
from tests.conformance.crowds import Crowds
from tests.conformance.expressions import Chooser
from tests.conformance.queries import Queries
from tests.conformance.test_answers import check
from tests.conformance.world import Worlds
from tests.support.engines import EMBEDDED, EngineUnderTest
from vo.adql import translate

ROWS, PAGE = 30, 7


@pytest.fixture
def bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make bounds so low that most answers meet one; the embedded index has none of them."""
    for module in (selection, first):
        monkeypatch.setattr(module, "MOST_ROWS", ROWS)
    for module in (selection, gather):
        monkeypatch.setattr(module, "FIRST_ROWS", PAGE)
    monkeypatch.setitem(gather.Search.rows.__kwdefaults__, "most", ROWS)
    monkeypatch.setattr(first, "MOST_UNORDERED", 4)
    monkeypatch.setattr(aggregates, "MOST_GROUPS", 9)
    monkeypatch.setattr(inside, "MOST_RANGES", 5)
    monkeypatch.setattr(columns, "MOST_RANGES", 2)
    monkeypatch.setattr(columns, "MOST_TERMS", 2)


@pytest.mark.parametrize("queries", [Queries, Crowds])
@pytest.mark.parametrize("seed", range(5))
def test_answers_beyond_bounds_are_those_computed_by_hand(
    bounds: None, worlds: Worlds, queries: type[Queries], seed: int
) -> None:
    for number in range(5):
        check(Chooser(random.Random(1000 * seed + number).randrange), worlds, ("mixed",), queries)


def test_random_queries_are_answered_in_every_way_that_an_engine_has(
    engine: EngineUnderTest, worlds: Worlds
) -> None:
    ways: Counter[str] = Counter()
    with worlds.indexes["mixed"].snapshot() as snapshot:
        for seed in range(150):
            query = Crowds(Chooser(random.Random(seed).randrange), worlds.rows).query()
            told = snapshot.explain(translate(query.text, snapshot.schemas))
            for table in told["tables"] if engine is not EMBEDDED else ():
                ways[re.sub(r"\d+", "N", str(table.get("answered", table["rows from"])))] += 1
    # Counted before, whole, in part, the first rows, by filters, from the lake for one reason or another.
    assert len(ways) >= 6 or engine is EMBEDDED, ways
