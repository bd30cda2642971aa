"""Searches of one table: rows page by page, totals, facets, density; all on one snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

import schemas
from archive.api.cursor import Cursors, after, as_value
from archive.api.filters import condition, named_columns
from archive.api.params import DEFAULT_ROWS, MOST_ROWS, DensityParams, SearchParams
from archive.api.values import literal
from archive.problems import Detail, wrong
from query import build, tree
from query.notes import notes
from query.tree import Value
from schemas import Kind
from store.port import Snapshot, Sought
from vo.formats.json import objects

MOST_VALUES = 10_000
"""Distinct values of a facet at most."""


@dataclass(frozen=True, slots=True)
class Search:
    """The parameters of a search, understood: what is asked, and how a page of it is."""

    table: schemas.Table
    select: tree.Select
    """All matching rows, in order."""
    page: tree.Select
    """The rows of this page and one more, none for an empty page, with the sort values as further columns."""
    limit: int
    facets: tuple[schemas.Column, ...]
    exact: bool
    continued: bool


def understand(table: schemas.Table, params: SearchParams, cursors: Cursors) -> Search:
    """Turn parameters into queries.

    Raises
    ------
    Problem
        400 for what is wrong, 410 for an expired cursor.
    """
    where = condition(table, params)
    chosen = table.columns if params.fields is None else named_columns(table, params.fields, "fields")
    names = list(dict.fromkeys(column.name for column in chosen))
    if not names:
        raise wrong([Detail("value", "fields names no column", "fields")])
    order = _order(table, params.sort or [])
    select = build.select(table, names=names, where=where, order_by=order, top=params.limit)
    limit = DEFAULT_ROWS if params.limit is None else params.limit
    if limit > MOST_ROWS:
        raise wrong([Detail("value", f"limit is at most {MOST_ROWS}; follow next for more", "limit")])
    rest = where
    if params.cursor:
        rest = build.all_of([where, after(order, cursors.read(select, params.cursor))])
    facets = tuple(named_columns(table, params.facets or [], "facets"))
    unfit = [column.name for column in facets if column.kind.is_geometry or column.array]
    if unfit:
        raise wrong([Detail("value", f"{name} cannot be counted by value", "facets") for name in unfit])
    outputs, top = (*select.outputs, *_keys(order)), limit + 1 if limit else 0
    page = replace(select, outputs=outputs, where=rest, top=top)
    return Search(table, select, page, limit, facets, params.count == "exact", bool(params.cursor))


def _order(table: schemas.Table, sort: list[str]) -> tuple[tree.Order, ...]:
    named = named_columns(table, [name.removeprefix("-") for name in sort], "sort")
    order = [
        tree.Order(build.column(table, column.name), text.startswith("-"))
        for column, text in zip(named, sort, strict=True)
    ]
    for column in named:
        if column.kind.is_geometry or column.array:
            raise wrong([Detail("value", f"rows cannot be sorted by {column.name}", "sort")])
    seen = {column.name for column in named}
    # The key makes the order total, so that a cursor knows its place.
    order += [tree.Order(build.column(table, name)) for name in table.key if name not in seen]
    return tuple(order)


def _keys(order: Sequence[tree.Order]) -> list[tree.Output]:
    return [
        tree.Output(key.expression, schemas.Column(name=f"sort_key_{i}", kind=key.expression.kind))
        for i, key in enumerate(order)
    ]


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of a search as JSON values, and what is known about the rest."""

    version: int
    rows: bytes
    """A JSON array of objects."""
    total: int | None
    next: str | None
    facets: dict[str, list[dict[str, Any]]]
    notes: tuple[str, ...]
    """What the user should know of the search."""


def run(search: Search, snapshot: Snapshot, cursors: Cursors, seconds: float) -> Page:
    """Answer a search; totals and facets are exact and of the same version as the rows."""
    sought = Sought(search.page, search.exact, search.facets, MOST_VALUES)
    if search.continued:
        # What is counted does not depend on where the page begins.
        following = snapshot.search(
            Sought(search.page, counted=False, facets=(), most_values=0), timeout=seconds
        )
        sought = replace(sought, page=replace(search.page, where=search.select.where, top=0))
    found = snapshot.search(sought, timeout=seconds)
    rows = (following if search.continued else found).rows
    shown = rows.slice(0, search.limit)
    cursor = None
    if rows.num_rows > search.limit and shown.num_rows:
        cursor = cursors.write(search.select, _last(search, shown), snapshot.version)
    facets = {
        column.name: _facet(column, values)
        for column, values in zip(search.facets, found.facets, strict=True)
    }
    width = len(search.select.outputs)
    written = as_json(search.select.columns, shown.select(list(range(width))))
    return Page(snapshot.version, written, found.total, cursor, facets, notes(search.page))


def as_json(columns: Sequence[schemas.Column], rows: pa.Table) -> bytes:
    """Return rows as a JSON array of objects."""
    parts = [objects(columns, batch, ",") for batch in rows.to_batches() if batch.num_rows]
    return b"[" + b"".join(parts).removesuffix(b",") + b"]"


def _last(search: Search, shown: pa.Table) -> list[Value]:
    width = len(search.select.outputs)
    end = shown.num_rows - 1
    return [
        as_value(shown.column(width + i)[end].as_py(), key.expression.kind)
        for i, key in enumerate(search.page.order_by)
    ]


def _facet(column: schemas.Column, values: Sequence[tuple[Any, int]]) -> list[dict[str, Any]]:
    if len(values) > MOST_VALUES:
        message = f"{column.name} has more than {MOST_VALUES} values"
        raise wrong([Detail("too-many-values", message, "facets")])
    ranked = sorted(values, key=lambda pair: (-pair[1], pair[0] is None, str(pair[0])))
    return [{"value": value, "count": n} for value, n in ranked]


@dataclass(frozen=True, slots=True)
class Density:
    """How many rows each HEALPix cell holds; cells without rows are left out."""

    version: int
    order: int
    cells: list[tuple[int, int]]
    total: int


def density(table: schemas.Table, params: DensityParams, snapshot: Snapshot, seconds: float) -> Density:
    """Count the rows that match in each nested HEALPix cell of an order."""
    if table.position is None:
        raise wrong([Detail("value", f"{table.name} has no positions")])
    ra, dec = (build.column(table, name) for name in table.position)
    cell = tree.Call("ivo_healpix_index", (tree.Literal(params.order, Kind.INT), ra, dec), Kind.LONG)
    placed = (tree.IsNull(ra, negated=True), tree.IsNull(dec, negated=True))
    filters = condition(table, params)
    grouped = tree.Select(
        (tree.Output(cell, schemas.Column(name="cell", kind=Kind.LONG)), build.count()),
        tree.TableRef(build.ALIAS, table),
        build.all_of([*placed, filters]),
        group_by=(cell,),
    )
    found = snapshot.run(grouped, timeout=seconds).table()
    pairs = zip(found.column(0).to_pylist(), found.column(1).to_pylist(), strict=True)
    cells = sorted((number, n) for number, n in pairs if number is not None)
    return Density(snapshot.version, params.order, cells, sum(n for _, n in cells))


def one_row(table: schemas.Table, identifier: str) -> tree.Select:
    """Return the query of the row with this key; for tables whose key is one column.

    Raises
    ------
    ValueMismatch
        When no row can have that key.
    """
    if len(table.key) != 1:
        keys = ", ".join(table.key)
        raise wrong([Detail("value", f"rows of {table.name} are known by {keys} together; use where")])
    column = table.column(table.key[0])
    where = tree.Comparison("=", build.column(table, column.name), literal(column, identifier))
    return build.select(table, where=where, top=1)
