"""What a table and a column are.

A column's ``kind`` is the one statement of its type; Arrow, SQL, TAP_SCHEMA, VOTable and
Elasticsearch types are looked up from it in the sibling modules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas.datatype import Datatype

REGULAR_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
"""What ADQL 2.1 accepts without quotes."""

PLACEHOLDER = re.compile(r"\{(\w+)\}")
"""A name in a ``served`` template."""

SITE_PLACEHOLDERS = frozenset({"authority", "public_url"})
"""Names in a ``served`` template that the deployment fills; all others are columns of the row."""


class Kind(StrEnum):
    """The type of a value, in the words of our declarations."""

    BOOLEAN = "boolean"
    SHORT = "short"
    INT = "int"
    LONG = "long"
    FLOAT = "float"
    DOUBLE = "double"
    TEXT = "text"
    TIMESTAMP = "timestamp"
    POINT = "point"
    CIRCLE = "circle"
    POLYGON = "polygon"
    REGION = "region"

    @property
    def is_integer(self) -> bool:
        """Whether values are whole numbers."""
        return self in (Kind.SHORT, Kind.INT, Kind.LONG)

    @property
    def is_numeric(self) -> bool:
        """Whether values take part in arithmetic."""
        return self.is_integer or self in (Kind.FLOAT, Kind.DOUBLE)

    @property
    def is_geometry(self) -> bool:
        """Whether values are points or regions on the sky."""
        return self in (Kind.POINT, Kind.CIRCLE, Kind.POLYGON, Kind.REGION)


class _Declaration(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Column(_Declaration):
    """One column, or one column of an answer.

    ``served`` is a template such as ``ivo://{authority}/ID?{dp_id}``: a row that stores no value of its
    own shows the template filled from the site and from its other columns (NULL when one of those is),
    and one that stores an empty text shows NULL.
    ``rights_of`` names a time column: while that time is in the future the row shows ``proprietary``, after
    it what else it stores, or ``public``; a row without a time shows what it stores, or ``public``.
    ``array`` makes a numeric column a list: ``"*"`` for any length, ``"3"`` for three. ``ascii`` promises
    that a text is ASCII, so that VOTable may call it ``char``. ``dataset`` says that its values identify data
    products of the archive, which knows their links. ``votable`` is how VOTable declares it where its kind
    alone does not say that, and ``null`` the number that stands there for a missing one: columns of tables
    that users bring keep both.
    """

    name: str
    kind: Kind
    description: str = ""
    unit: str | None = None
    ucd: str | None = None
    utype: str | None = None
    xtype: str | None = None
    array: str | None = None
    ascii: bool = False
    required: bool = False
    served: str | None = None
    rights_of: str | None = None
    principal: bool = False
    indexed: bool = False
    std: bool = False
    facet: bool = False
    dataset: bool = False
    values: tuple[str, ...] = ()
    votable: Datatype | None = None
    null: int | None = None

    def renamed(self, name: str) -> Self:
        """Return the same column under another name."""
        return self.model_copy(update={"name": name})

    @property
    def served_from(self) -> tuple[str, ...]:
        """Names of the columns that the ``served`` template reads."""
        found = PLACEHOLDER.findall(self.served or "")
        return tuple(name for name in found if name not in SITE_PLACEHOLDERS)


class ForeignKey(_Declaration):
    """Columns of this table that name a row of another."""

    target: str
    columns: Mapping[str, str]
    description: str = ""


class Table(_Declaration):
    """One table.

    ``key`` names the columns that identify a row. ``position`` names its right ascension and
    declination (ICRS degrees), ``region`` its footprint: what the spherical index covers. A table that is
    not ``public`` is kept in the lake and used by the archive, and is in no TAP_SCHEMA. A ``virtual``
    table is computed from the declarations and is not in the lake.
    """

    schema_name: str
    local_name: str
    description: str = ""
    title: str = ""
    version: str = ""
    utype: str | None = None
    key: tuple[str, ...]
    position: tuple[str, str] | None = None
    region: str | None = None
    public: bool = True
    indexed: bool = True
    virtual: bool = False
    columns: tuple[Column, ...] = Field(min_length=1)
    foreign_keys: tuple[ForeignKey, ...] = ()

    @property
    def name(self) -> str:
        """The qualified name as TAP_SCHEMA and VOSI spell it."""
        return f"{self.schema_name}.{self.local_name}"

    @cached_property
    def by_name(self) -> Mapping[str, Column]:
        """Columns by lower-case name."""
        return {column.name.lower(): column for column in self.columns}

    def column(self, name: str) -> Column:
        """Return the column of that name in any case; KeyError when there is none."""
        return self.by_name[name.lower()]

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        if len(self.by_name) != len(self.columns):
            raise ValueError(f"{self.name}: a column is declared twice")
        used = [*self.key, *(self.position or ()), *([self.region] if self.region else [])]
        for column in self.columns:
            used.extend(column.served_from)
            used.extend([column.rights_of] if column.rights_of else [])
        for foreign in self.foreign_keys:
            used.extend(foreign.columns)
        unknown = sorted({name for name in used if name.lower() not in self.by_name})
        if unknown:
            raise ValueError(f"{self.name}: no such columns: {', '.join(unknown)}")
        return self


class Schema(_Declaration):
    """Tables that belong together."""

    name: str
    description: str = ""
    utype: str | None = None
    tables: tuple[Table, ...] = ()


class UnknownTableError(LookupError):
    """No table has that name."""


class Schemas:
    """All declared tables, found by qualified name in any case."""

    def __init__(self, schemas: Iterable[Schema]) -> None:
        self.schemas: tuple[Schema, ...] = tuple(schemas)
        self._tables = {table.name.lower(): table for schema in self.schemas for table in schema.tables}

    def __iter__(self) -> Iterator[Table]:
        return iter(self._tables.values())

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._tables

    def table(self, name: str) -> Table:
        """Return the table of that qualified name, in any case.

        Raises
        ------
        UnknownTableError
            When none is declared.
        """
        try:
            return self._tables[name.lower()]
        except KeyError:
            raise UnknownTableError(name) from None

    @cached_property
    def indexed(self) -> Mapping[str, Table]:
        """The tables whose rows an index holds, by lower-case name."""
        return {name: table for name, table in self._tables.items() if table.indexed and not table.virtual}

    @cached_property
    def public(self) -> Schemas:
        """The part that users see."""
        kept = (
            schema.model_copy(update={"tables": tuple(t for t in schema.tables if t.public)})
            for schema in self.schemas
        )
        return Schemas(schema for schema in kept if schema.tables)

    def with_tables(self, tables: Iterable[Table], descriptions: Mapping[str, str] | None = None) -> Schemas:
        """Return these declarations with more tables; one of the same name takes the old one's place."""
        new = {table.name.lower(): table for table in tables}
        merged: dict[str, Schema] = {schema.name: schema for schema in self.schemas}
        for table in new.values():
            old = merged.get(table.schema_name) or Schema(
                name=table.schema_name, description=(descriptions or {}).get(table.schema_name, "")
            )
            rest = tuple(t for t in old.tables if t.name.lower() != table.name.lower())
            merged[table.schema_name] = old.model_copy(update={"tables": (*rest, table)})
        return Schemas(merged.values())


Name = Annotated[str, Field(pattern=REGULAR_IDENTIFIER.pattern)]
"""A name that ADQL accepts without quotes."""
