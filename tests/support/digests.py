"""What an archive holds and what it serves, as comparable values that leave out when it was ingested."""

from __future__ import annotations

import csv
import io
import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa

from schemas import load_schemas
from schemas.arrow import BATCH
from store.lake import Lake

WHEN = frozenset({"ingested", "last_mod_date", BATCH})
"""Columns that say when a row was written, or by which batch."""

Rows = dict[str, list[str]]


def lake_rows(data: Path) -> Rows:
    """Return the sorted rows of every table of the lake's newest version."""
    lake = Lake(data / "lake", load_schemas())
    tables = [table.name for table in lake.schemas() if not table.virtual]
    return {name: _sorted(lake.read(name)) for name in tables}


def _sorted(rows: pa.Table) -> list[str]:
    kept = rows.select([name for name in rows.column_names if name not in WHEN])
    return sorted(repr(tuple(row.values())) for row in kept.to_pylist())


def refusals(data: Path) -> list[tuple[Any, ...]]:
    """Return what the quarantine says, without times and numbers of tries."""
    with sqlite3.connect(f"file:{data / 'onedfs.sqlite'}?mode=ro", uri=True) as database:
        found = database.execute("SELECT collection, path, code, reason FROM quarantine").fetchall()
    database.close()
    return sorted(found)


def served_rows(url: str) -> Rows:
    """Return the sorted rows of every published table, as TAP gives them, without the server's address."""
    names = [row["table_name"] for row in tap(url, "SELECT table_name FROM TAP_SCHEMA.tables")]
    return {name: _without_when(tap(url, f"SELECT * FROM {name}"), url) for name in names}


def _without_when(rows: list[dict[str, str]], url: str) -> list[str]:
    kept = ({name: row[name] for name in row if name not in WHEN} for row in rows)
    return sorted(repr(row).replace(url, "") for row in kept)


def tap(url: str, query: str) -> list[dict[str, str]]:
    """Ask TAP and return the rows."""
    form = {"LANG": "ADQL", "QUERY": query, "RESPONSEFORMAT": "csv", "MAXREC": "1000000"}
    answer = httpx.post(f"{url}/tap/sync", data=form, timeout=60)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))
