from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from schemas import Column, Kind, Schema, Schemas, Table
from store.lake import Lake

FILES = Table(
    schema_name="archive",
    local_name="files",
    key=("dp_id",),
    columns=(
        Column(name="dp_id", kind=Kind.TEXT),
        Column(name="path", kind=Kind.TEXT),
        Column(name="size", kind=Kind.LONG),
        Column(name="place", kind=Kind.POINT),
    ),
)
LINKS = Table(
    schema_name="phase3v2",
    local_name="provenance",
    key=("product", "source"),
    columns=(Column(name="product", kind=Kind.TEXT), Column(name="source", kind=Kind.LONG)),
)
CATALOGUE = Table(
    schema_name="catalogues",
    local_name="stars",
    key=("id",),
    columns=(Column(name="id", kind=Kind.INT), Column(name="mag", kind=Kind.FLOAT)),
)


class Follower:
    """The simplest index: per table a dictionary of rows, brought up to date step by step."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.version = 0
        self.rows: dict[str, dict[Any, Any]] = {}

    def copy(self) -> Follower:
        twin = Follower(self.lake)
        twin.version = self.version
        twin.rows = {table: dict(rows) for table, rows in self.rows.items()}
        return twin

    def rebuild(self) -> None:
        self.version = self.lake.version()
        self.rows = held(self.lake, self.version)

    def follow(self, upto: int | None = None) -> None:
        for step in self.lake.changes(self.version, upto):
            for name in step.dropped:
                self.rows.pop(name, None)
            declared = self.lake.schemas(step.version)
            for change in step.changes:
                key = declared.table(change.table).key
                rows = self.rows.setdefault(change.table, {})
                for row in change.removed_keys.to_pylist():
                    del rows[tuple(row[name] for name in key)]
                for row in change.inserted.to_pylist():
                    identity = tuple(row[name] for name in key)
                    assert identity not in rows
                    rows[identity] = filled(row)
            self.version = step.version


def filled(row: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is NULL: a row that a follower has held for long has not got columns that came later."""
    return {name: value for name, value in row.items() if value is not None}


def held(lake: Lake, version: int) -> dict[str, dict[Any, Any]]:
    """Read all tables that have rows or had some, as a follower holds them."""
    found = {}
    for table in lake.schemas(version):
        if table.name in lake.entry(version).tables:
            rows = lake.read(table.name, version).to_pylist()
            found[table.name] = {tuple(row[name] for name in table.key): filled(row) for row in rows}
            assert len(found[table.name]) == len(rows)
    return found


@pytest.fixture
def declared() -> Schemas:
    return Schemas(
        [Schema(name="archive", tables=(FILES,)), Schema(name="phase3v2", tables=(LINKS,))],
    )


@pytest.fixture
def catalogue() -> Table:
    return CATALOGUE


@pytest.fixture
def lake(tmp_path: Path, declared: Schemas) -> Lake:
    return Lake(tmp_path / "lake", declared)


@pytest.fixture
def follower(lake: Lake) -> Follower:
    return Follower(lake)


@pytest.fixture
def state() -> Callable[[Lake, int], dict[str, dict[Any, Any]]]:
    return held


@pytest.fixture
def files() -> Callable[..., pa.Table]:
    return file_rows


def file_rows(ids: Iterable[str], size: int = 0) -> pa.Table:
    """Rows of archive.files: every second one without a place."""
    ids = list(ids)
    places = [[1.0, 2.0] if number % 2 else None for number in range(len(ids))]
    return pa.table(
        {
            "dp_id": pa.array(ids, pa.string()),
            "path": pa.array([f"/{name}" for name in ids], pa.string()),
            "size": pa.array([size] * len(ids), pa.int64()),
            "place": pa.array(places, pa.list_(pa.float64(), 2)),
        }
    )
