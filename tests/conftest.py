"""What all tests share: the engines they run on, and how property tests run.

Those have no deadlines, since a busy machine is no bug, and are repeatable in CI.
"""

import os

import pytest
from hypothesis import settings

from tests.support.engines import EMBEDDED, EngineUnderTest

# Tests speak to servers of their own and name their authorities. Else the list of all authorities of the
# world would be read for each request, which takes longer than most answers.
os.environ.pop("SSL_CERT_FILE", None)
os.environ["SSL_CERT_DIR"] = os.devnull

settings.register_profile("onedfs", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("onedfs")


@pytest.fixture(scope="session", params=[EMBEDDED], ids=lambda engine: engine.name)
def engine(request: pytest.FixtureRequest) -> EngineUnderTest:
    """Run the test on the engine that needs nothing; folders whose tests run on all say so themselves."""
    found: EngineUnderTest = request.param
    return found
