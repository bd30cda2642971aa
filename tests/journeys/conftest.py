"""Journeys: what people do with the archive, through real processes and real clients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engines import EngineUnderTest
from tests.support.holdings import Holdings, write_holdings
from tests.support.processes import Archive, Server


@pytest.fixture(scope="session")
def small_holdings(tmp_path_factory: pytest.TempPathFactory) -> Holdings:
    """Some 25 FITS files, good and bad."""
    return write_holdings(tmp_path_factory.mktemp("holdings") / "night")


@pytest.fixture(scope="session")
def ingested(
    engine: EngineUnderTest, small_holdings: Holdings, tmp_path_factory: pytest.TempPathFactory
) -> Archive:
    """An archive with the small holdings; for tests that only read."""
    archive = Archive(tmp_path_factory.mktemp("archive") / "data", engine.settings)
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
    own = Archive(tmp_path / "data", engine.settings)
    yield own
    own.wait_quiet()
