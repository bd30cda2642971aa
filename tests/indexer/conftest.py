from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from indexer import Summary, ingest
from schemas import load_schemas
from store.database import QuarantineStore, migrate, open_database
from store.lake import Lake

BLOCK = 2880


def card(key: str, value: object) -> bytes:
    if isinstance(value, bool):
        text = f"{key:<8}= {'T' if value else 'F':>20}"
    elif isinstance(value, str):
        text = f"{key:<8}= '{value}'" if len(key) <= 8 else f"HIERARCH {key} = '{value}'"
    elif len(key) > 8:
        text = f"HIERARCH {key} = {value}"
    else:
        text = f"{key:<8}= {value!s:>20}"
    return text.encode("latin-1").ljust(80)[:80]


def header(cards: dict[str, object], *, end: bool = True) -> bytes:
    text = b"".join(card(key, value) for key, value in cards.items()) + (b"END".ljust(80) if end else b"")
    return text + b" " * (-len(text) % BLOCK)


def image(size: tuple[int, int] = (4, 4), *, bitpix: int = 16, **cards: object) -> bytes:
    """Return a FITS file with one image; keyword arguments are further cards, ``_`` standing for a blank."""
    keys: dict[str, object] = {
        "SIMPLE": True,
        "BITPIX": bitpix,
        "NAXIS": 2,
        "NAXIS1": size[0],
        "NAXIS2": size[1],
    }
    keys |= {key.replace("__", "-").replace("_", " "): value for key, value in cards.items()}
    data = bytes(abs(bitpix) // 8 * size[0] * size[1])
    return header(keys) + data + bytes(-len(data) % BLOCK)


WCS = {
    "CTYPE1": "RA---TAN",
    "CTYPE2": "DEC--TAN",
    "CRVAL1": 63.3558,
    "CRVAL2": 10.4663,
    "CRPIX1": 2.5,
    "CRPIX2": 2.5,
    "CDELT1": -0.001,
    "CDELT2": 0.001,
}


class Made:
    """The makers of test files."""

    card = staticmethod(card)
    header = staticmethod(header)
    image = staticmethod(image)

    @staticmethod
    def sky_image(**cards: object) -> bytes:
        return image(**{**WCS, **cards})  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def made() -> Made:
    return Made()


@dataclass(frozen=True)
class Archive:
    """An archive in a folder of its own."""

    root: Path
    lake: Lake
    quarantine: QuarantineStore

    def ingest(self, *paths: Path | str, workers: int = 0, **options: Any) -> Summary:
        summary = ingest(
            paths,
            lake=self.lake,
            quarantine=self.quarantine,
            files_root=self.root / "files",
            workers=workers,
            **options,
        )
        assert summary.total == sum(
            (summary.accepted, summary.unchanged, summary.replaced, summary.quarantined)
        )
        return summary

    def rows(self, table: str, *columns: str) -> list[dict[str, Any]]:
        found = self.lake.read(table, columns=list(columns) or None)
        return sorted(found.to_pylist(), key=str)

    def ids(self, table: str = "ivoa.obscore") -> list[str]:
        return [row["dp_id"] for row in self.rows(table, "dp_id")]

    def refused(self) -> dict[str, str]:
        return {entry.path: entry.code for entry in self.quarantine.list()}


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    root = tmp_path / "archive"
    engine = open_database(f"sqlite:///{root / 'onedfs.sqlite'}")
    migrate(engine)
    yield Archive(root, Lake(root / "lake", load_schemas()), QuarantineStore(engine))
    engine.dispose()


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """An empty folder to ingest."""
    folder = tmp_path / "night"
    folder.mkdir()
    return folder


@pytest.fixture
def objects(tmp_path: Path) -> Path:
    """An SQLite file with two tables, positions in radians."""
    path = tmp_path / "objects.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE kinds (kind TEXT)")
        database.execute("CREATE TABLE objects (name TEXT, ra REAL, dec REAL, vmag REAL)")
        database.executemany(
            "INSERT INTO objects VALUES (?, ?, ?, ?)",
            [("A", 0.0, 0.0, 1.5), ("B", 3.0, -1.0, None), ("C", 6.2, 1.5, 9.0)],
        )
    database.close()
    return path
