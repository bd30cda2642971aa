"""Random ADQL is answered as one computes it by hand, wherever the rows are."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance.crowds import Crowds
from tests.conformance.expressions import Chooser
from tests.conformance.judge import expected, judged
from tests.conformance.queries import Queries, Query
from tests.conformance.row_sets import Rows
from tests.conformance.world import Worlds

EXAMPLES = int(os.environ.get("CONFORMANCE_QUERIES", "800"))
"""How many queries the long test asks of each engine."""


def check(chooser: Chooser, worlds: Worlds, names: Sequence[str], queries: type[Queries] = Queries) -> None:
    query = queries(chooser, worlds.rows).query()
    compare(query, expected(query), worlds, names)


def compare(query: Query, rows: Rows | None, worlds: Worlds, names: Sequence[str]) -> None:
    wrong = judged(query, rows, {name: worlds.indexes[name] for name in names})
    assert wrong is None, f"{wrong[:2000]}\n{query.text[:5000]}"


_COMPUTED: dict[int, tuple[Query, Rows | None]] = {}
"""Queries of the long test by their seeds, and what one engine after the other should answer."""


@pytest.mark.parametrize("seed", range(100))
def test_answers_are_those_computed_by_hand(worlds: Worlds, seed: int) -> None:
    check(Chooser(random.Random(seed).randrange), worlds, ("built", "followed", "mixed"))


@pytest.mark.parametrize("seed", range(150))
def test_counts_groups_and_first_rows_are_those_computed_by_hand(worlds: Worlds, seed: int) -> None:
    check(Chooser(random.Random(seed).randrange), worlds, ("built", "followed", "mixed"), Crowds)


@pytest.mark.slow
@pytest.mark.parametrize("hundred", range(1, 1 + EXAMPLES // 100))
def test_many_answers_are_those_computed_by_hand(worlds: Worlds, hundred: int) -> None:
    for seed in range(100 * hundred, 100 * hundred + 100):
        if seed not in _COMPUTED:
            queries, chooser = (Queries, Crowds)[hundred % 2], Chooser(random.Random(seed).randrange)
            query = queries(chooser, worlds.rows).query()
            _COMPUTED[seed] = query, expected(query)
        compare(*_COMPUTED[seed], worlds, ("mixed", ("built", "followed")[seed % 2]))


@pytest.mark.slow
@settings(max_examples=300)
@given(data=st.data())
@pytest.mark.parametrize("queries", [Queries, Crowds])
def test_no_small_query_is_answered_otherwise(
    data: st.DataObject, worlds: Worlds, queries: type[Queries]
) -> None:
    """Wrong answers come with the smallest query that has one."""
    chooser = Chooser(lambda count: data.draw(st.integers(0, count - 1)) if count > 1 else 0)
    check(chooser, worlds, ("mixed",), queries)
