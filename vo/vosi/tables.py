"""The tables of a service (VOSI 1.1, section 4; VODataService 1.1)."""

from __future__ import annotations

from schemas import Column, Schema, Schemas, Table, UnknownTableError
from schemas.votable import votable_type
from schemas.words import delimited
from vo.dali import NotFoundFault, Parameters, UsageFault
from vo.xml import XSI, Element, child, document, root

_NAMESPACES: dict[str | None, str] = {
    "vosi": "http://www.ivoa.net/xml/VOSITables/v1.0",
    "vs": "http://www.ivoa.net/xml/VODataService/v1.1",
    "xsi": XSI,
}


def with_columns(params: Parameters) -> bool:
    """Read DETAIL: whether the list of tables shows their columns.

    Raises
    ------
    UsageFault
        When it is neither ``min`` nor ``max``.
    """
    detail = params.one("DETAIL")
    if detail not in (None, "min", "max"):
        raise UsageFault(f"DETAIL must be min or max, not {detail[:40]!r}")
    return detail != "min"


def tableset(declared: Schemas, *, columns: bool) -> bytes:
    """Return all public tables as a document."""
    outer = root(f"{{{_NAMESPACES['vosi']}}}tableset", _NAMESPACES)
    public = declared.public
    for schema in public.schemas:
        _add_schema(outer, public, schema, columns=columns)
    return document(outer)


def one_table(declared: Schemas, name: str) -> bytes:
    """Return one public table as a document.

    Raises
    ------
    NotFoundFault
        When there is none of that name.
    """
    try:
        public = declared.public
        table = public.table(name)
    except UnknownTableError:
        raise NotFoundFault(f"there is no table {name[:100]}") from None
    outer = root(f"{{{_NAMESPACES['vosi']}}}table", _NAMESPACES, type="table")
    _fill_table(outer, public, table, columns=True)
    return document(outer)


def _add_schema(outer: Element, public: Schemas, schema: Schema, *, columns: bool) -> None:
    node = child(outer, "schema")
    child(node, "name", schema.name)
    _add_texts(node, description=schema.description, utype=schema.utype)
    for table in schema.tables:
        _fill_table(child(node, "table", type="table"), public, table, columns=columns)


def _fill_table(node: Element, public: Schemas, table: Table, *, columns: bool) -> None:
    child(node, "name", table.name)
    _add_texts(node, title=table.title, description=table.description, utype=table.utype)
    if not columns:
        return
    for column in table.columns:
        _add_column(node, column)
    for foreign in table.foreign_keys:
        if foreign.target not in public:
            continue
        key = child(node, "foreignKey")
        child(key, "targetTable", foreign.target)
        for own, target in foreign.columns.items():
            pair = child(key, "fkColumn")
            child(pair, "fromColumn", delimited(own))
            child(pair, "targetColumn", delimited(target))
        _add_texts(key, description=foreign.description)


def _add_column(table: Element, column: Column) -> None:
    node = child(table, "column", std="true" if column.std else "false")
    child(node, "name", delimited(column.name))
    _add_texts(node, description=column.description, unit=column.unit, ucd=column.ucd, utype=column.utype)
    declared = votable_type(column)
    datatype = child(
        node, "dataType", declared.datatype, arraysize=declared.arraysize, extendedType=declared.xtype
    )
    datatype.set(f"{{{XSI}}}type", "vs:VOTableType")
    flags = {"indexed": column.indexed, "principal": column.principal, "nullable": not column.required}
    for flag, raised in flags.items():
        if raised:
            child(node, "flag", flag)


def _add_texts(node: Element, **texts: str | None) -> None:
    for tag, text in texts.items():
        if text:
            child(node, tag, text)
