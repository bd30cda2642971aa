"""The same rows in every state of the index, and what one computes by hand from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest

from store.duckdb import DuckIndex
from tests.conformance.judge import answered
from tests.conformance.row_sets import Rows
from tests.conformance.world import Row, Worlds, build_states, make_rows


@pytest.fixture(scope="session")
def rows() -> dict[str, list[Row]]:
    return make_rows()


@pytest.fixture(scope="session")
def indexes(
    rows: dict[str, list[Row]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, DuckIndex]]:
    """All rows in a generation, all in a delta, and in both after replacements and deletions."""
    states = build_states(tmp_path_factory.mktemp("states"), rows)
    yield {name: state.index for name, state in states.items()}
    for state in states.values():
        state.close()


@pytest.fixture(scope="session")
def worlds(rows: Mapping[str, Sequence[Row]], indexes: Mapping[str, DuckIndex]) -> Worlds:
    return Worlds(rows, indexes)


@pytest.fixture(scope="session")
def ask(indexes: Mapping[str, DuckIndex]) -> Callable[[str], Rows]:
    """Answer a query from a generation and a delta with a past."""
    return lambda text: answered(indexes["mixed"], text)
