"""Searches of one table: rows page by page, totals, facets, density; all on one snapshot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
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
from query.tree import Value
from schemas import Kind
from store.port import Snapshot
from vo.formats.json import objects

MOST_VALUES = 10_000
"""Distinct values of a facet at most."""

MOST_AHEAD = 300
"""Rows that are read beyond the page where facets are asked for: of so few they are counted sooner here."""


@dataclass(frozen=True, slots=True)
class Search:
    """The parameters of a search, understood: what is asked, and how a page of it is."""

    table: schemas.Table
    select: tree.Select
    """All matching rows, in order."""
    page: tree.Select
    """The rows of this page and some ahead, with the sort values and the facets as further columns."""
    limit: int
    most: int
    """Rows of this page, and ahead of it, at most."""
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
    most = limit if params.cursor or not facets or where is None else max(limit, MOST_AHEAD)
    outputs = (*select.outputs, *_keys(order), *_counted(table, facets))
    page = replace(select, outputs=outputs, where=rest, top=most + 1)
    return Search(table, select, page, limit, most, facets, params.count == "exact", bool(params.cursor))


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


def _counted(table: schemas.Table, facets: Sequence[schemas.Column]) -> list[tree.Output]:
    return [
        tree.Output(build.column(table, column.name), column.renamed(f"facet_{i}"))
        for i, column in enumerate(facets)
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
    answer = snapshot.run(search.page, limit=search.most + 1, timeout=seconds)
    found = answer.table()
    more = found.num_rows > search.limit
    whole = found.num_rows <= search.most and not search.continued
    shown = found.slice(0, search.limit)
    width = len(search.select.outputs)
    rows = as_json(search.select.columns, shown.select(list(range(width))))
    following = None
    if more and shown.num_rows:
        following = cursors.write(search.select, _last(search, shown), snapshot.version)
    total = None
    if search.exact:
        total = found.num_rows if whole else count(search, snapshot, seconds)
    facets = {
        column.name: _facet_of(found, place) if whole else _facet(search, column, snapshot, seconds)
        for place, column in enumerate(search.facets, start=found.num_columns - len(search.facets))
    }
    return Page(snapshot.version, rows, total, following, facets, answer.notes)


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


def count(search: Search, snapshot: Snapshot, seconds: float) -> int:
    """Count the rows that match."""
    counted = tree.Select((build.count(),), search.select.source, search.select.where)
    total: int = snapshot.run(counted, timeout=seconds).table().column(0)[0].as_py()
    return total


def _facet_of(found: pa.Table, place: int) -> list[dict[str, Any]]:
    """Count the values of a column of all rows that match."""
    return _ranked(Counter(found.column(place).to_pylist()).items())


def _ranked(values: Iterable[tuple[Any, int]]) -> list[dict[str, Any]]:
    ranked = sorted(values, key=lambda pair: (-pair[1], pair[0] is None, str(pair[0])))
    return [{"value": value, "count": n} for value, n in ranked]


def _facet(
    search: Search, column: schemas.Column, snapshot: Snapshot, seconds: float
) -> list[dict[str, Any]]:
    ref, number = build.column(search.table, column.name), build.count()
    grouped = tree.Select(
        (tree.Output(ref, column), tree.Output(number.expression, number.field.renamed("count_of_rows"))),
        search.select.source,
        search.select.where,
        group_by=(ref,),
    )
    found = snapshot.run(grouped, limit=MOST_VALUES + 1, timeout=seconds).table()
    if found.num_rows > MOST_VALUES:
        message = f"{column.name} has more than {MOST_VALUES} values"
        raise wrong([Detail("too-many-values", message, "facets")])
    return _ranked(zip(found.column(0).to_pylist(), found.column(1).to_pylist(), strict=True))


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
