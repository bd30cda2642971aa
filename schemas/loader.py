"""Read declarations from YAML."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from schemas.model import Column, Schema, Schemas, Table

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""That of libyaml, ten times as fast, where PyYAML was built with it."""


def parse_schema(text: str) -> Schema:
    """Read one schema from its YAML.

    Raises
    ------
    pydantic.ValidationError
        When a declaration is incomplete or contradicts itself; the message names the table and column.
    """
    data: dict[str, Any] = yaml.load(text, _Loader)  # noqa: S506 - both are safe loaders
    name = data["schema"]
    tables = tuple(
        Table.model_validate({"schema_name": name, "local_name": table.pop("name"), **table})
        for table in data.get("tables", [])
    )
    return Schema(name=name, description=data.get("description", ""), utype=data.get("utype"), tables=tables)


def _sources(folders: Iterable[Path]) -> Iterable[str]:
    for entry in sorted(resources.files("schemas").iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".yaml"):
            yield entry.read_text(encoding="utf-8")
    for folder in folders:
        for path in sorted(folder.glob("*.yaml")):
            yield path.read_text(encoding="utf-8")


def load_schemas(folders: Iterable[Path] = ()) -> Schemas:
    """Read our declarations and those of further folders (a site's ``schemas/``).

    A further file may declare new tables, or more columns of a table that exists.
    """
    found: dict[str, Schema] = {}
    for text in _sources(folders):
        schema = parse_schema(text)
        known = found.get(schema.name)
        found[schema.name] = schema if known is None else _merged(known, schema)
    return Schemas(found.values())


def _merged(known: Schema, more: Schema) -> Schema:
    tables = {table.name.lower(): table for table in known.tables}
    for table in more.tables:
        old = tables.get(table.name.lower())
        tables[table.name.lower()] = table if old is None else _extended(old, table.columns)
    return known.model_copy(update={"tables": tuple(tables.values())})


def _extended(table: Table, columns: tuple[Column, ...]) -> Table:
    new = tuple(column for column in columns if column.name.lower() not in table.by_name)
    return Table.model_validate({**table.model_dump(), "columns": [*table.columns, *new]})
