"""Journeys: what people do with the archive, through real processes and real clients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engines import EMBEDDED, ENGINES, EngineUnderTest
from tests.support.holdings import Holdings, write_holdings
from tests.support.processes import Archive, Server

ON_ALL_ENGINES = {
    "test_another_site",
    "test_bad_requests",
    "test_commands_while_serving",
    "test_four_ingesters",
    "test_ingest",
    "test_pyvo",
    "test_stilts",
    "test_the_follower_may_be_killed_at_any_moment",
    "test_the_server_may_be_killed_at_any_moment",
    "test_a_file_store_that_takes_no_more_ends_the_run_in_one_line",
}
"""Modules and tests that go through an index; the others are about the lake, or have their own cluster."""

NOT_ABOUT_INDEXES = {
    "test_a_port_in_use_is_one_line",
    "test_quarantine_lists_shows_and_tries_again",
    "test_status_names_both_workers",
}
"""Tests of those modules that ask a port, the database and the data folder."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Choose the engines of each module."""
    if "engine" in metafunc.fixturenames:
        names = {metafunc.module.__name__.rpartition(".")[2], metafunc.function.__name__}
        engines = ENGINES if names & ON_ALL_ENGINES and not names & NOT_ABOUT_INDEXES else (EMBEDDED,)
        metafunc.parametrize(
            "engine", engines, ids=[engine.name for engine in engines], indirect=True, scope="session"
        )


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> EngineUnderTest:
    """Return the engine of the journey."""
    found: EngineUnderTest = request.param
    return found


@pytest.fixture(scope="session")
def small_holdings(tmp_path_factory: pytest.TempPathFactory) -> Holdings:
    """Some 25 FITS files, good and bad."""
    return write_holdings(tmp_path_factory.mktemp("holdings") / "night")


@pytest.fixture(scope="session")
def ingested(
    engine: EngineUnderTest, small_holdings: Holdings, tmp_path_factory: pytest.TempPathFactory
) -> Archive:
    """An archive with the small holdings; for tests that only read."""
    archive = Archive(tmp_path_factory.mktemp("archive") / "data", engine.settings())
    archive.run("ingest", small_holdings.folder)
    return archive


@pytest.fixture(scope="session")
def server(ingested: Archive) -> Iterator[Server]:
    """Serve the small holdings, for tests that change nothing."""
    with ingested.server() as running:
        yield running
    ingested.wait_quiet()


@pytest.fixture
def archive(engine: EngineUnderTest, tmp_path: Path) -> Iterator[Archive]:
    """Give a test an empty archive of its own; nothing may run on it at the end."""
    own = Archive(tmp_path / "data", engine.settings())
    yield own
    own.wait_quiet()
