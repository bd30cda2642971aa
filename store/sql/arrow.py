"""Queries on Arrow data: whole in memory, streamed, or in files such as the lake's at one version."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, TypeAlias

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

import schemas
from query import tree
from query.notes import notes
from schemas.arrow import HEALPIX, arrow_type
from schemas.tap_schema import tap_schema_tables
from sky.healpix import STORED_ORDER
from store.limits import TimeLimit
from store.planner import cell_joins, column_conditions
from store.port import Answer, QueryRejected, Site
from store.served import ServedCondition, served_conditions
from store.sql.compiler import Compiled, compile_query
from store.sql.compiler.chords import unit_vector
from store.sql.kinds import X, Y, Z, sql_type
from store.sql.near import NO_JOINS, NearJoins
from store.sql.part import Part
from store.sql.plain import plain_rows, table_of
from store.sql.running import BATCH_ROWS, RunningQuery
from store.sql.served import condition_sql, shown_value

ArrowRows: TypeAlias = pa.Table | pa.RecordBatchReader | ds.Dataset
"""Rows of one table, in columns named as the lake names them, in any order; those that lack are NULL.

A reader is read once. Where a query needs its rows more than once, they are all held in memory.
"""


@dataclass(frozen=True)
class ArrowSource:
    """Where a query finds rows: by table (lower-case qualified name), or for one alias of the query alone.

    ``rows`` may make what it is asked for on demand; it is asked more than once. TAP_SCHEMA is computed from
    ``declared``.
    """

    declared: schemas.Schemas
    site: Site
    rows: Mapping[str, ArrowRows]
    chosen: Mapping[str, ArrowRows] = field(default_factory=dict)

    def find(self, alias: str, table: schemas.Table) -> ArrowRows:
        """Return the rows that an alias of a table stands for.

        Raises
        ------
        QueryRejected
            When there are none.
        """
        found = self._virtual.get(table.name) if table.virtual else self.chosen.get(alias)
        if found is None:
            found = self.rows.get(table.name.lower())
        if found is None:
            raise QueryRejected(f"{table.name} cannot be queried")
        return found

    @cached_property
    def _virtual(self) -> Mapping[str, pa.Table]:
        virtual = any(table.virtual for table in self.declared)
        return tap_schema_tables(self.declared) if virtual else {}

    def size(self, ref: tree.TableRef) -> int | None:
        """Return how many rows there are, as far as that is known; None for a table without cells."""
        if ref.table.virtual:
            return None
        found = self.find(ref.alias, ref.table)
        return found.num_rows if isinstance(found, pa.Table) else sys.maxsize


@dataclass
class ArrowTables:
    """Writes the rows of each table as Arrow data has them; a :class:`store.sql.compiler.queries.Tables`."""

    source: ArrowSource
    served: Sequence[ServedCondition] = ()
    near: NearJoins = NO_JOINS
    registered: dict[str, ArrowRows] = field(default_factory=dict)
    """What the SQL reads, by the name to register it under."""
    moment: datetime = field(default_factory=lambda: datetime.now(UTC).replace(tzinfo=None))
    """What the whole query takes for now, UTC."""

    def columns(self, table: schemas.Table) -> Mapping[str, str]:
        """Return the SQL name of each column by its lower-case name."""
        return {name: f"c{place}" for place, name in enumerate(table.by_name)}

    def count(self, table: schemas.Table) -> int | None:
        """Return how many rows a table has; None where an alias may stand for a part of them."""
        found = None if self.source.chosen else self.source.rows.get(table.name.lower())
        return found.num_rows if isinstance(found, pa.Table) else None

    def direct(self, alias: str, table: schemas.Table, used: AbstractSet[str], sql: str) -> tuple[()]:
        """Return nothing: columns get their names in a query of their own."""
        del alias, table, used, sql
        return ()

    def joined(self, node: tree.Predicate, sql: str, aliases: Mapping[str, str]) -> str:
        """Return the SQL of a condition, with what it implies for rows that ``rows`` repeats."""
        return self.near.condition(node, sql, aliases)

    def rows(self, alias: str, table: schemas.Table, used: AbstractSet[str]) -> str:
        """Return the SQL of a table's rows with the used columns."""
        data = self.source.find(alias, table)
        # Columns are renamed by their place, so that no name of theirs stands in the SQL.
        names = [f"s{place}" for place in range(len(data.schema))]
        stored = {each.name.lower(): (name, each.type) for name, each in zip(names, data.schema, strict=True)}
        here = {name: sql for name, (sql, _) in stored.items()}
        own = (each for each in self.served if each.alias == alias)
        served = (condition_sql(each, here, "t") for each in own)
        part = Part(
            f"(SELECT * FROM {self._register(data)} AS s({', '.join(names)}))",
            "t",
            self._values(table, stored, used) | self._beside(alias, table, here, used),
            [sql for sql in served if sql],
        )
        return self.near.relation(alias, part.select())

    def _register(self, data: ArrowRows) -> str:
        for name, known in self.registered.items():
            if known is data:
                return name
        name = f"r{len(self.registered)}"
        self.registered[name] = data
        return name

    def _values(
        self, table: schemas.Table, stored: Mapping[str, tuple[str, pa.DataType]], used: AbstractSet[str]
    ) -> dict[str, str]:
        """Return the SQL of each used column by its name."""
        here, values = {name: sql for name, (sql, _) in stored.items()}, {}
        for name, sql_name in self.columns(table).items():
            if name in used:
                sql = _typed(table.by_name[name], stored.get(name))
                values[sql_name] = shown_value(
                    table.by_name[name], here, sql, "t", site=self.source.site, moment=self.moment
                )
        return values

    def _beside(
        self, alias: str, table: schemas.Table, here: Mapping[str, str], used: AbstractSet[str]
    ) -> dict[str, str]:
        """Return the SQL of the columns that stand beside the declared ones and are needed."""
        place = [name.lower() for name in table.position or ()]
        if not place or not all(name in used for name in place):
            return {}
        ra, dec = (f"CAST(t.{here[name]} AS DOUBLE)" if name in here else "NULL::DOUBLE" for name in place)
        values = dict(zip((X, Y, Z), unit_vector(ra, dec), strict=True))
        if alias in self.near.cells_of:
            cell = here.get(HEALPIX)
            values[HEALPIX] = f"t.{cell}" if cell else f"sky_cell({STORED_ORDER}::BIGINT, {ra}, {dec})"
        return values


def _typed(column: schemas.Column, stored: tuple[str, pa.DataType] | None) -> str:
    """Return the SQL of a stored column in the type that it declares."""
    kind = sql_type(column.kind, array=column.array is not None)
    if stored is None:
        return f"CAST(NULL AS {kind})"
    sql = f"t.{stored[0]}"
    return sql if stored[1] == arrow_type(column) else f"CAST({sql} AS {kind})"


def compile_on_arrow(
    query: tree.Query,
    source: ArrowSource,
    *,
    known: AbstractSet[int] = frozenset(),
    limit: int | None = None,
) -> tuple[Compiled, dict[str, ArrowRows]]:
    """Write a query as SQL, and say what it reads under which names; see :func:`run_on_arrow`."""
    nodes: tuple[Any, ...] = tuple(tree.walk(query))
    served = served_conditions(column_conditions(nodes), source.site)
    tables = ArrowTables(source, served, NearJoins.of(cell_joins(nodes, source.size)))
    compiled = compile_query(query, tables, nodes=nodes, known=known, limit=limit)
    return compiled, {name: _as_often(data, name, compiled.sql) for name, data in tables.registered.items()}


def _as_often(data: ArrowRows, name: str, sql: str) -> ArrowRows:
    """Return rows that can be read as often as the SQL names them."""
    if isinstance(data, pa.RecordBatchReader) and len(re.findall(rf"\b{name}\b", sql)) > 1:
        return data.read_all()
    return data


def run_on_arrow(
    instance: duckdb.DuckDBPyConnection,
    query: tree.Query,
    source: ArrowSource,
    *,
    version: int,
    known: AbstractSet[int] = frozenset(),
    limit: int | None = None,
    allowed: TimeLimit | None = None,
) -> Answer:
    """Start a whole query on Arrow data.

    Parameters
    ----------
    instance
        What :func:`store.sql.instance.open_instance` opened; any number of threads may run queries on it.
    version
        The lake version that the data are of.
    known
        Identities of conditions of the query that all rows of ``source`` fulfil already.
    limit
        Rows of the answer at most.
    allowed
        The time until the last row is read, as far as it is not used up.

    Raises
    ------
    QueryError
        When it cannot be run; later failures are raised while iterating.
    """
    allowed = allowed or TimeLimit()
    allowed.check()
    plain = shown_as_they_are(query, source, known=known, limit=limit)
    if plain is not None:
        return Answer(version, query.columns, batches_of(plain), notes(query))
    compiled, registered = compile_on_arrow(query, source, known=known, limit=limit)
    allowed.check()
    rows = RunningQuery(instance.cursor(), _nothing, compiled, registered, allowed)
    return Answer(version, compiled.columns, rows, notes(query))


def shown_as_they_are(
    query: tree.Query, source: ArrowSource, *, known: AbstractSet[int], limit: int | None
) -> pa.Table | None:
    """Answer a query whose answer is rows in memory as they stand; None when that is for the engine."""
    found = table_of(query, known)
    rows = None if found is None else source.find(found.alias, found.table)
    if not isinstance(rows, pa.Table):
        return None
    return plain_rows(query, rows, source.site, known=known, limit=limit)


def batches_of(rows: pa.Table) -> Iterator[pa.RecordBatch]:
    """Yield rows in batches, until it is closed."""
    yield from rows.to_batches(BATCH_ROWS)


def _nothing() -> None:
    """Leave the instance open."""
