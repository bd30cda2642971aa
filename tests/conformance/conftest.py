"""The same rows in every state of the index, and what one computes by hand from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest

from store.port import Index
from tests.conformance.judge import answered
from tests.conformance.row_sets import Rows
from tests.conformance.world import Row, Worlds, build_states, make_rows
from tests.support.engines import ENGINES, EngineUnderTest


@pytest.fixture(scope="session", params=ENGINES, ids=lambda engine: engine.name)
def engine(request: pytest.FixtureRequest) -> EngineUnderTest:
    """Run the test once on every engine."""
    found: EngineUnderTest = request.param
    return found


@pytest.fixture(scope="session")
def rows() -> dict[str, list[Row]]:
    return make_rows()


@pytest.fixture(scope="session")
def indexes(
    engine: EngineUnderTest, rows: dict[str, list[Row]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Index]]:
    """All rows there when the index was built, all come since, and both after replacements and deletions."""
    states = build_states(engine, tmp_path_factory.mktemp("states"), rows)
    yield {name: state.index for name, state in states.items()}
    for state in states.values():
        state.engine.close()


@pytest.fixture(scope="session")
def worlds(rows: Mapping[str, Sequence[Row]], indexes: Mapping[str, Index]) -> Worlds:
    return Worlds(rows, indexes)


@pytest.fixture(scope="session")
def ask(indexes: Mapping[str, Index]) -> Callable[[str], Rows]:
    """Answer a query from an index with a past."""
    return lambda text: answered(indexes["mixed"], text)
