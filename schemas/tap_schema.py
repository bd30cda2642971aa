"""The rows of TAP_SCHEMA, computed from the declarations (TAP 1.1, section 4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import pyarrow as pa

from schemas.arrow import arrow_schema
from schemas.model import Column, Schemas, Table
from schemas.votable import votable_type
from schemas.words import delimited

Row: TypeAlias = Mapping[str, Any]


def tap_schema_tables(declared: Schemas) -> dict[str, pa.Table]:
    """Return the rows of each TAP_SCHEMA table, by its qualified name; they describe the public tables."""
    public = declared.public
    rows: dict[str, Iterator[Row]] = {
        "TAP_SCHEMA.schemas": _schemas(public),
        "TAP_SCHEMA.tables": _tables(public),
        "TAP_SCHEMA.columns": _columns(public),
        "TAP_SCHEMA.keys": _keys(public),
        "TAP_SCHEMA.key_columns": _key_columns(public),
    }
    return {
        name: pa.Table.from_pylist(list(found), schema=arrow_schema(declared.table(name).columns))
        for name, found in rows.items()
    }


def _schemas(public: Schemas) -> Iterator[Row]:
    for index, schema in enumerate(public.schemas, start=1):
        yield {
            "schema_name": schema.name,
            "utype": schema.utype,
            "description": schema.description or None,
            "schema_index": index,
        }


def _tables(public: Schemas) -> Iterator[Row]:
    catalogue = 0
    for index, table in enumerate(public, start=1):
        catalogue += 1 if table.version else 0
        yield {
            "schema_name": table.schema_name,
            "table_name": table.name,
            "table_type": "table",
            "utype": table.utype,
            "description": table.description or None,
            "table_index": index,
            "cat_id": catalogue if table.version else None,
            "title": table.title or None,
            "version": table.version or None,
        }


def _columns(public: Schemas) -> Iterator[Row]:
    for table in public:
        for index, column in enumerate(table.columns, start=1):
            yield _column(table, column, index)


def _column(table: Table, column: Column, index: int) -> Row:
    datatype = votable_type(column)
    size = datatype.arraysize
    return {
        "table_name": table.name,
        "column_name": delimited(column.name),
        "datatype": datatype.datatype,
        "arraysize": size,
        "xtype": datatype.xtype,
        "size": int(size) if size is not None and size.isdigit() else None,
        "description": column.description or None,
        "utype": column.utype,
        "unit": column.unit,
        "ucd": column.ucd,
        "indexed": int(column.indexed),
        "principal": int(column.principal),
        "std": int(column.std),
        "column_index": index,
    }


def _named_keys(public: Schemas) -> Iterator[tuple[str, Table, int]]:
    for table in public:
        for number, foreign in enumerate(table.foreign_keys):
            if foreign.target in public:
                yield f"{table.name}.{number + 1}", table, number


def _keys(public: Schemas) -> Iterator[Row]:
    for key_id, table, number in _named_keys(public):
        foreign = table.foreign_keys[number]
        yield {
            "key_id": key_id,
            "from_table": table.name,
            "target_table": public.table(foreign.target).name,
            "description": foreign.description or None,
            "utype": None,
        }


def _key_columns(public: Schemas) -> Iterator[Row]:
    for key_id, table, number in _named_keys(public):
        for source, target in table.foreign_keys[number].columns.items():
            yield {"key_id": key_id, "from_column": delimited(source), "target_column": delimited(target)}
