"""Random ADQL is answered as one computes it by hand, wherever the rows are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from store.duckdb import DuckIndex
from tests.conformance.expressions import Chooser
from tests.conformance.judge import judged
from tests.conformance.queries import Queries
from tests.conformance.world import Row

QUICK = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
)
SLOW = settings(QUICK, max_examples=2000)

States = Mapping[str, DuckIndex]
Tables = Mapping[str, Sequence[Row]]


def _check(data: st.DataObject, indexes: States, rows: Tables, names: Sequence[str]) -> None:
    chooser = Chooser(lambda count: data.draw(st.integers(0, count - 1)))
    query = Queries(chooser, rows).query()
    wrong = judged(query, {name: indexes[name] for name in names})
    assert wrong is None, query.text


@QUICK
@given(data=st.data())
def test_answers_are_those_computed_by_hand(data: st.DataObject, indexes: States, rows: Tables) -> None:
    _check(data, indexes, rows, ("generation", "delta", "mixed"))


@pytest.mark.slow
@SLOW
@given(data=st.data())
def test_many_answers_are_those_computed_by_hand(data: st.DataObject, indexes: States, rows: Tables) -> None:
    _check(data, indexes, rows, ("mixed", data.draw(st.sampled_from(["generation", "delta"]))))
