"""Answers that rows in memory are as they stand: columns of one table, put in order and cut.

The engine takes milliseconds to plan a statement on a wide table, more than such an answer takes. What these
columns show, and how they are sorted, is what the SQL of the same query says; any other query is left to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

import schemas
from query import tree
from schemas import Kind
from schemas.arrow import arrow_schema, arrow_type
from store.planner import conjuncts
from store.port import Site
from store.served import PROPRIETARY, PUBLIC, pieces

_REAL = (Kind.FLOAT, Kind.DOUBLE)
_SORTED = frozenset({Kind.BOOLEAN, Kind.SHORT, Kind.INT, Kind.LONG, Kind.TEXT, Kind.TIMESTAMP, *_REAL})


class _NotPlain(Exception):  # noqa: N818 - names the condition
    """The engine has to tell."""


def table_of(query: tree.Query, known: AbstractSet[int]) -> tree.TableRef | None:
    """Return the table whose rows a query shows as they stand; None when it does more.

    ``known`` are identities of conditions that all of these rows fulfil; further ones may only say which
    texts a column has.
    """
    if not isinstance(query, tree.Select) or not isinstance(query.source, tree.TableRef):
        return None
    if query.distinct or query.group_by or query.having is not None:
        return None
    alias = query.source.alias
    shown = all(
        _is_own(output.expression, alias) and output.expression.kind is output.field.kind
        for output in query.outputs
    )
    sorted_ = all(_is_own(key.expression, alias) and key.expression.kind in _SORTED for key in query.order_by)
    tested = (_texts(each, alias) for each in conjuncts(query.where) if id(each) not in known)
    return query.source if shown and sorted_ and all(each is not None for each in tested) else None


def plain_rows(
    query: tree.Query,
    rows: pa.Table,
    site: Site,
    *,
    known: AbstractSet[int],
    limit: int | None,
    moment: datetime | None = None,
) -> pa.Table | None:
    """Answer a query of the table that ``table_of`` found from its rows; None when only the engine can.

    Columns of ``rows`` are named as the lake names them, in any order; those that lack are NULL. ``moment``
    (UTC) is what the query takes for now, if that has been read already.
    """
    source = table_of(query, known)
    if source is None or not isinstance(query, tree.Select):
        return None
    try:
        moment = moment or datetime.now(UTC).replace(tzinfo=None)
        return _Answer(query, source, site, known, moment).of(rows, limit)
    except _NotPlain:
        return None


class _Answer:
    """Makes the answer of a query."""

    def __init__(
        self,
        query: tree.Select,
        source: tree.TableRef,
        site: Site,
        known: AbstractSet[int],
        moment: datetime,
    ) -> None:
        self._query = query
        self._table = source.table
        self._site = site
        self._moment = moment
        found = (_texts(each, source.alias) for each in conjuncts(query.where) if id(each) not in known)
        self._tests = [each for each in found if each is not None]

    def of(self, rows: pa.Table, limit: int | None) -> pa.Table:
        """Return the rows that are shown, in order."""
        query = self._query
        for column, texts in self._tests:
            values = self._shown(rows).column(column)
            rows = rows.filter(pc.is_in(values, pa.array(texts, pa.string())))
        first = query.offset or 0
        bounds = [bound for bound in (query.top, limit) if bound is not None]
        last = min(first + min(bounds, default=rows.num_rows), rows.num_rows)
        if query.order_by:
            rows = rows.take(self._order(rows)[first:last])
        else:
            rows = rows.slice(first, max(last - first, 0))
        shown = self._shown(rows)
        columns = [
            _as_type(shown.column(output.expression), arrow_type(output.field)) for output in query.outputs
        ]
        return pa.table(columns, schema=arrow_schema(query.columns))

    def _shown(self, rows: pa.Table) -> _Shown:
        return _Shown(self._table, rows, self._site, self._moment)

    def _order(self, rows: pa.Table) -> pa.Array:
        """Return the places of rows in their order; NULLs come last both ways."""
        shown = self._shown(rows)
        columns = [shown.column(key.expression) for key in self._query.order_by]
        for key, values in zip(self._query.order_by, columns, strict=True):
            # The engine takes NaN for the greatest number.
            if key.expression.kind in _REAL and pc.any(pc.is_nan(values)).as_py():
                raise _NotPlain
        names = [f"k{place}" for place in range(len(columns))]
        keys = [
            (name, "descending" if key.descending else "ascending")
            for name, key in zip(names, self._query.order_by, strict=True)
        ]
        return pc.sort_indices(pa.table(columns, names=names), sort_keys=keys)


class _Shown:
    """The columns of a table's rows as they are shown (``store.sql.served``)."""

    def __init__(self, table: schemas.Table, rows: pa.Table, site: Site, moment: datetime) -> None:
        self._table = table
        self._rows = rows
        self._site = site
        self._moment = moment
        self._names = {name.lower(): place for place, name in enumerate(rows.schema.names)}

    def column(self, node: tree.Expression) -> Any:
        """Return the values of a column of the query."""
        if not isinstance(node, tree.Column):
            raise _NotPlain
        column = self._table.column(node.name)
        stored = self._stored(column.name)
        if stored is None:
            values: Any = pa.nulls(self._rows.num_rows, arrow_type(column))
        elif stored.type == arrow_type(column):
            values = stored
        else:
            raise _NotPlain
        if column.served:
            return self._served(column, values)
        return self._rights(column.rights_of, values) if column.rights_of else values

    def _stored(self, name: str) -> pa.ChunkedArray | None:
        place = self._names.get(name.lower())
        return None if place is None else self._rows.column(place)

    def _served(self, column: schemas.Column, values: Any) -> Any:
        parts: list[Any] = []
        for piece in pieces(column, self._site):
            if isinstance(piece, str):
                parts.append(pa.scalar(piece, pa.string()))
                continue
            source = self._stored(piece.name)
            if source is None:
                return values
            if source.type != pa.string():
                raise _NotPlain
            parts.append(source)
        made = pc.binary_join_element_wise(*parts, "") if parts else pa.scalar("", pa.string())
        shown = pc.coalesce(values, made)
        return pc.if_else(pc.equal(shown, ""), pa.scalar(None, pa.string()), shown)

    def _rights(self, source: str, values: Any) -> Any:
        said = pc.coalesce(values, PUBLIC)
        time = self._stored(source)
        if time is None:
            return said
        if time.type != pa.timestamp("us"):
            raise _NotPlain
        released = pc.if_else(pc.equal(said, PROPRIETARY), PUBLIC, said)
        held = pc.greater(time, pa.scalar(self._moment, pa.timestamp("us")))
        shown = pc.if_else(held, PROPRIETARY, released)
        return pc.if_else(pc.is_null(time), said, shown)


def _is_own(node: tree.Expression, alias: str) -> bool:
    return isinstance(node, tree.Column) and node.alias == alias


def _texts(condition: tree.Predicate, alias: str) -> tuple[tree.Column, Sequence[str]] | None:
    """Return a column of the alias and the texts of which its value has to be one."""
    match condition:
        case tree.Comparison(operator="=", left=tree.Column() as column, right=tree.Literal() as literal):
            items: Sequence[tree.Expression] = (literal,)
        case tree.Comparison(operator="=", left=tree.Literal() as literal, right=tree.Column() as column):
            items = (literal,)
        case tree.InList(operand=tree.Column() as column, negated=False):
            items = condition.items
        case _:
            return None
    texts = list(_values(items))
    if column.alias != alias or column.kind is not Kind.TEXT or not texts or len(texts) < len(items):
        return None
    return column, texts


def _values(items: Sequence[tree.Expression]) -> Iterator[str]:
    """Yield the texts among constants; what is no Unicode cannot be compared."""
    for item in items:
        value = item.value if isinstance(item, tree.Literal) and item.kind is Kind.TEXT else None
        if isinstance(value, str) and not any("\ud800" <= sign <= "\udfff" for sign in value):
            yield value


def _as_type(values: Any, wanted: pa.DataType) -> Any:
    return values if values.type == wanted else values.cast(wanted)
