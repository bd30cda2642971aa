"""Tables and columns as JSON."""

from __future__ import annotations

from typing import Any

import schemas
from archive.problems import Problem, similar
from schemas.votable import votable_type
from store.port import Snapshot


def public_table(declared: schemas.Schemas, name: str) -> schemas.Table:
    """Return the public table of that name, in any case.

    Raises
    ------
    Problem
        404 with the names it resembles.
    """
    public = declared.public
    if name in public:
        return public.table(name)
    near = similar(name, [table.name for table in public])
    hint = f"; is it {', '.join(near)}?" if near else ""
    raise Problem(404, f"there is no table {name}{hint}", kind="unknown-table", suggestions=list(near))


def summary(table: schemas.Table, base: str) -> dict[str, Any]:
    """Return what a list of tables says about one."""
    return {
        "name": table.name,
        "title": table.title or table.name,
        "description": table.description,
        "version": table.version or None,
        "position": list(table.position) if table.position else None,
        "region": table.region,
        "columns": len(table.columns),
        "url": f"{base}/api/v1/tables/{table.name}",
    }


def description(table: schemas.Table, snapshot: Snapshot, base: str) -> dict[str, Any]:
    """Return all about a table."""
    return {
        **summary(table, base),
        "key": list(table.key),
        "utype": table.utype,
        "lake_version": snapshot.version,
        "facets": [column.name for column in table.columns if column.facet],
        "columns": [_column(column) for column in table.columns],
        "foreign_keys": [
            {"table": foreign.target, "columns": dict(foreign.columns), "description": foreign.description}
            for foreign in table.foreign_keys
        ],
        "rows_url": f"{base}/api/v1/tables/{table.name}/rows",
    }


def _column(column: schemas.Column) -> dict[str, Any]:
    kind = votable_type(column)
    return {
        "name": column.name,
        "kind": column.kind.value,
        "datatype": kind.datatype,
        "arraysize": kind.arraysize,
        "xtype": kind.xtype,
        "unit": column.unit,
        "ucd": column.ucd,
        "utype": column.utype,
        "description": column.description,
        "principal": column.principal,
        "indexed": column.indexed,
        "std": column.std,
        "facet": column.facet,
        "values": list(column.values) or None,
    }
