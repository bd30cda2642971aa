"""A small archive: 300 observations in a generation and a delta, some with files and headers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import numpy as np
import pyarrow as pa
import pytest
from sqlalchemy import Engine
from starlette.types import ASGIApp

from archive import factory, stores
from archive.access import AccessPolicy
from archive.app import create_app
from archive.process import Process
from archive.settings import PREFIX, Settings
from indexer.checks import Problems
from indexer.spherical import with_spherical_columns
from schemas import Table
from schemas.arrow import arrow_type
from store.lake import Lake
from store.port import Index, Maintainer
from tests.support.engines import EMBEDDED, ENGINES_SLOWLY, EngineUnderTest

Row = dict[str, Any]

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
"""What the access policy of the tests takes for the present."""

INSTRUMENTS = ("MUSE", "ISAAC", "FORS2", "Café ☆", None)


class Client:
    """Sends requests to the application, without a network."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return anyio.run(partial(self._send, method, path, **options))

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def head(self, path: str, **options: Any) -> httpx.Response:
        return self.request("HEAD", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.request("POST", path, **options)

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://archive.test") as client:
            return await client.request(method, path, **options)


@dataclass
class SmallArchive:
    """The parts, and the rows that the tests compare answers with."""

    process: Process
    lake: Lake
    index: Index
    client: Client
    observations: list[Row]
    maintainer: Maintainer | None
    database: Engine

    def close(self) -> None:
        """Close what is open."""
        if self.maintainer is not None:
            self.maintainer.close()
        self.process.close()
        self.database.dispose()

    def add(self, table: str, rows: list[Row]) -> int:
        """Commit rows and let the index show them."""
        version = add_rows(self.lake, table, rows)
        self.refresh()
        return version

    def refresh(self) -> None:
        if self.maintainer is not None:
            _keep_up(self.maintainer)
        self.index.refresh()  # type: ignore[attr-defined] # of the engines, not of the port


def observation(number: int, *, prefix: str = "OBS") -> Row:
    """Return a made-up observation; every seventh has no position."""
    rng = np.random.default_rng(number)
    ra, dec = float(rng.uniform(0, 360)), float(np.degrees(np.arcsin(rng.uniform(-1, 1))))
    placed = number % 7 != 3
    start = 55000.0 + float(rng.integers(0, 3000))
    return {
        "dp_id": f"{prefix}.{number:05d}",
        "obs_collection": ("alpha", "beta")[number % 2],
        "obs_id": f"run-{number // 3}",
        "calib_level": number % 4,
        "dataproduct_type": ("image", "cube", "spectrum")[number % 3],
        "instrument_name": INSTRUMENTS[number % len(INSTRUMENTS)],
        "target_name": f"NGC {number}" if number % 5 else f"100% sure_{number}",
        "s_ra": ra if placed else None,
        "s_dec": dec if placed else None,
        "s_region": f"CIRCLE ICRS {ra} {dec} 2.0" if placed else None,
        "t_min": start if number % 11 else None,
        "t_exptime": float(np.float32(rng.uniform(1, 900))),
        "obs_release_date": datetime(2020, 1, 1) + timedelta(days=number) if number % 3 else None,  # noqa: DTZ001
    }


def arrow_rows(table: Table, rows: list[Row]) -> pa.Table:
    """Return rows as the lake takes them."""
    columns = {
        column.name: pa.array([row.get(column.name) for row in rows], arrow_type(column))
        for column in table.columns
    }
    return with_spherical_columns(table, pa.table(columns), Problems())


def add_rows(lake: Lake, table: str, rows: list[Row]) -> int:
    declared = lake.schemas().table(table)
    with lake.writer("test") as writer:
        writer.append(declared.name, arrow_rows(declared, rows))
        return writer.commit()


def file_row(dp_id: str, path: Path, content: bytes, **changes: Any) -> Row:
    """Return the record of a file that is left where it is, or of a managed one."""
    return {
        "dp_id": dp_id,
        "revision": 1,
        "collection": "alpha",
        "path": path.name,
        "holding": "reference",
        "location": str(path),
        "size": len(content),
        "mtime": path.stat().st_mtime_ns if path.exists() else 0,
        "checksum": hashlib.sha256(content).hexdigest(),
        "content_type": "application/fits",
        "file_name": path.name,
        "release_date": None,
        "rights": None,
        "withdrawn": None,
        **changes,
    }


def header_row(dp_id: str, hdus: list[list[str]]) -> Row:
    padded = [[card.ljust(80) for card in cards] for cards in hdus]
    return {"dp_id": dp_id, "revision": 1, "cards": json.dumps(padded)}


def build_archive(
    folder: Path,
    observations: int,
    *,
    engine: EngineUnderTest = EMBEDDED,
    environment: Mapping[str, Any] | None = None,
) -> SmallArchive:
    """Build an archive whose rows came half before its index was built and half after."""
    chosen = {name.removeprefix(PREFIX).lower(): value for name, value in engine.settings().items()}
    settings = Settings(data=folder, **chosen, **(environment or {}))
    lake = stores.open_lake(settings)
    rows = [observation(number) for number in range(observations)]
    half = len(rows) // 2
    add_rows(lake, "ivoa.ObsCore", rows[:half])
    factory.rebuild_index(settings)
    add_rows(lake, "ivoa.ObsCore", rows[half:])
    database = stores.open_tables(settings)
    maintainer = None if engine is EMBEDDED else factory.open_maintainer(settings, lake, database)
    if maintainer is not None:
        _keep_up(maintainer)
    index = factory.open_index(settings, lake, poll=False)
    process = factory.build_process(settings, index, lake)
    policy = AccessPolicy(realm=process.site.authority, clock=lambda: NOW)
    process = Process(**{name: getattr(process, name) for name in Process.__slots__} | {"policy": policy})
    return SmallArchive(process, lake, index, Client(create_app(process)), rows, maintainer, database)


def _keep_up(maintainer: Maintainer) -> None:
    while maintainer.step() is not None:
        pass


@pytest.fixture(scope="session", params=ENGINES_SLOWLY)
def small(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallArchive]:
    """Give the archive to tests that change nothing."""
    archive = build_archive(tmp_path_factory.mktemp("small"), 300, engine=request.param)
    yield archive
    archive.close()


@pytest.fixture(params=ENGINES_SLOWLY)
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SmallArchive]:
    """Give a test an archive of its own."""
    archive = build_archive(tmp_path / "data", 40, engine=request.param)
    yield archive
    archive.close()
