"""What a lake holds on disk: its ledger, its tables, and the declarations of published catalogues."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from schemas import Column, Kind, Schemas, Table
from schemas.arrow import lake_schema
from store.lake.errors import LakeError, told_as_lake_errors
from store.lake.keys import KnownRows
from store.lake.ledger import Entry, Ledger, Pin
from store.lake.tables import LakeTable

DECLARATIONS = Table(
    schema_name="_lake",
    local_name="declarations",
    description="Declarations of published tables, as JSON.",
    key=("name",),
    public=False,
    indexed=False,
    columns=(
        Column(name="name", kind=Kind.TEXT),
        Column(name="declaration", kind=Kind.TEXT),
    ),
)
"""Where the lake keeps what it holds beyond our own tables."""


class Holdings:
    """The ledger and the tables of a lake; readers, writers and repair find them here."""

    def __init__(self, root: str | Path, declared: Schemas) -> None:
        self.root = _local(root)
        self.declared = declared
        self.ledger = Ledger(self.root)
        self.known = KnownRows()
        self._tables: dict[str, LakeTable] = {}
        # A follower looks at two versions in turn.
        self._declarations = lru_cache(maxsize=4)(self._read_declarations)

    def version(self) -> int:
        """Return the newest version; cheap enough to be polled several times per second."""
        return self.ledger.version()

    def identity(self) -> str:
        """Return what tells this lake from all others, copies excepted; empty before the first commit."""
        with told_as_lake_errors("reading the ledger"):
            return self.ledger.identity()

    def entry(self, version: int | None = None) -> Entry:
        """Return the ledger's entry of a version (the newest by default).

        Raises
        ------
        VersionGone
            When there is no such version.
        """
        with told_as_lake_errors("reading the ledger"):
            return self.ledger.newest() if version is None else self.ledger.entry(version)

    def schemas(self, version: int | None = None) -> Schemas:
        """Return what is declared at a version: our own tables and the published catalogues."""
        return self.declared.with_tables(self.published(version).values())

    def published(self, version: int | None = None) -> Mapping[str, Table]:
        """Return the published catalogues of a version by lower-case name."""
        pin = self.entry(version).tables.get(DECLARATIONS.name)
        with told_as_lake_errors("reading the declarations of published tables"):
            return self._declarations(pin)

    def table_at(self, path: str) -> LakeTable:
        """Return the Delta table in a folder of the lake."""
        if path not in self._tables:
            self._tables[path] = LakeTable(self.root / path)
        return self._tables[path]

    def forget_table(self, path: str) -> None:
        """Drop what is remembered of a folder whose table is gone or was never entered."""
        self._tables.pop(path, None)
        self.known.forget(path)

    def _read_declarations(self, pin: Pin | None) -> Mapping[str, Table]:
        if pin is None:
            return {}
        rows = self.table_at(pin.path).dataset(pin.version, lake_schema(DECLARATIONS)).to_table()
        tables = (Table.model_validate(json.loads(text)) for text in rows["declaration"].to_pylist())
        return {table.name.lower(): table for table in sorted(tables, key=lambda table: table.name)}


def _local(root: str | Path) -> Path:
    """Return the folder of a path or ``file://`` URL."""
    parts = urlsplit(os.fspath(root))
    if parts.scheme not in ("", "file"):
        raise LakeError(f"{root}: only folders and file:// URLs can hold a lake")
    folder = Path(unquote(parts.path) if parts.scheme else root).absolute()
    if "%" in str(folder):
        # deltalake takes it for an escape and looks in another folder.
        raise LakeError(f"{folder}: a lake's path must not hold a percent sign")
    return folder
