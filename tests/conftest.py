"""What all tests share: the engines they run on, and how property tests run.

Those have no deadlines, since a busy machine is no bug, and are repeatable in CI.
"""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support.engines import EMBEDDED, EngineUnderTest
from tests.support.trust import nobody_else

settings.register_profile("onedfs", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("onedfs")


@pytest.fixture(scope="session", params=[EMBEDDED], ids=lambda engine: engine.name)
def engine(request: pytest.FixtureRequest) -> EngineUnderTest:
    """Run the test on the engine that needs nothing; folders whose tests run on all say so themselves."""
    found: EngineUnderTest = request.param
    return found


@pytest.fixture(scope="session", autouse=True)
def trust() -> Iterator[None]:
    """Believe no authority but those that a test names."""
    with nobody_else():
        yield
