"""Values that are formed when they are served, and conditions on them turned back to what is stored."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import schemas
from schemas.model import PLACEHOLDER
from store.duckdb.compiler.literals import text
from store.duckdb.layout import StoredTable
from store.planner import ColumnCondition
from store.port import Site


def served_value(column: schemas.Column, stored: StoredTable, site: Site, sql: str, t: str) -> str:
    """Return the SQL of a served column of rows called ``t``: what is stored, else its template filled.

    An empty text stands for a row that has no value and wants none.
    """
    pieces = []
    for piece in _pieces(column, site):
        if isinstance(piece, str):
            pieces.append(text(piece))
            continue
        source = stored.by_name.get(piece.name.lower())
        if source is None:
            return sql
        pieces.append(f"CAST({t}.{source.stored_as} AS VARCHAR)")
    return f"nullif(coalesce({sql}, {' || '.join(pieces) if pieces else text('')}), '')"


@dataclass(frozen=True)
class _Source:
    """A column of the row inside a template."""

    name: str


def rights_value(stored: StoredTable, source: str, moment: datetime, sql: str, t: str) -> str:
    """Return the SQL of what rows called ``t`` say of their rights at a moment (UTC).

    Proprietary before the time in ``source``, as the access policy has it: that instant itself is public.
    """
    said, time = f"coalesce({sql}, 'public')", stored.by_name.get(source.lower())
    if time is None:
        return said
    now = moment.isoformat(" ", "microseconds")
    return f"CASE WHEN {t}.{time.stored_as} > TIMESTAMP '{now}' THEN 'proprietary' ELSE {said} END"


def _pieces(column: schemas.Column, site: Site) -> Iterator[str | _Source]:
    """Take a template apart; what the site fills is filled."""
    fixed = {"authority": site.authority, "public_url": site.public_url}
    rest = ""
    for place, piece in enumerate(PLACEHOLDER.split(column.served or "")):
        if place % 2 == 0:
            rest += piece
        elif piece in fixed:
            rest += fixed[piece]
        else:
            if rest:
                yield rest
            yield _Source(piece)
            rest = ""
    if rest:
        yield rest


@dataclass(frozen=True)
class ServedCondition:
    """A condition that rows must fulfil in what they store, so that the one on the served value can hold."""

    alias: str
    column: str
    source: str | None
    values: tuple[str, ...]
    source_values: tuple[str, ...]
    pattern: bool = False

    def sql(self, stored: StoredTable, t: str) -> str | None:
        """Return the SQL for rows called ``t``; None when a column is not stored."""
        own = stored.by_name.get(self.column)
        source = stored.by_name.get(self.source) if self.source else None
        if own is None or (self.source and source is None):
            return None
        here = self._one_of(f"{t}.{own.stored_as}", self.values)
        if source is None or not self.source_values:
            return here
        there = self._one_of(f"{t}.{source.stored_as}", self.source_values)
        return f"({here} OR ({t}.{own.stored_as} IS NULL AND {there}))"

    def _one_of(self, sql: str, values: Sequence[str]) -> str:
        if self.pattern:
            return f"({sql} LIKE {text(values[0])})"
        return f"({sql} IN ({', '.join(text(value) for value in values)}))"


def served_conditions(conditions: Iterable[ColumnCondition], site: Site) -> tuple[ServedCondition, ...]:
    """Turn the conditions on served columns back to what is stored, where that can be done."""
    found = (
        _turned(alias, table.column(name), values, site, pattern=pattern)
        for alias, table, name, values, pattern in conditions
        if table.column(name).served
    )
    return tuple(condition for condition in found if condition is not None)


@dataclass(frozen=True)
class Sought:
    """Rows of ``alias`` store one of some texts in one of some columns, by lower-case name."""

    alias: str
    table: schemas.Table
    texts: Mapping[str, tuple[str, ...]]


def sought_texts(conditions: Iterable[ColumnCondition], site: Site) -> Iterator[Sought]:
    """Say what conditions on texts mean for what rows store."""
    for alias, table, name, values, pattern in conditions:
        column = table.column(name)
        if pattern or column.rights_of:
            continue
        if not column.served:
            yield Sought(alias, table, {name.lower(): values})
            continue
        turned = _turned(alias, column, values, site, pattern=False)
        if turned is not None:
            source = {turned.source: turned.source_values} if turned.source else {}
            yield Sought(alias, table, {turned.column: values} | source)


def _turned(
    alias: str, column: schemas.Column, values: tuple[str, ...], site: Site, *, pattern: bool
) -> ServedCondition | None:
    pieces = list(_pieces(column, site))
    sources = [piece for piece in pieces if isinstance(piece, _Source)]
    if len(sources) != 1:
        return None
    place = pieces.index(sources[0])
    before = "".join(str(piece) for piece in pieces[:place])
    after = "".join(str(piece) for piece in pieces[place + 1 :])
    name, source = column.name.lower(), sources[0].name.lower()
    if pattern:
        return _turned_pattern(ServedCondition(alias, name, source, values, (), pattern=True), before, after)
    inside = tuple(
        value[len(before) : len(value) - len(after)]
        for value in values
        if len(value) >= len(before) + len(after) and value.startswith(before) and value.endswith(after)
    )
    return ServedCondition(alias, name, source if inside else None, values, inside)


def _turned_pattern(condition: ServedCondition, before: str, after: str) -> ServedCondition | None:
    """Turn ``prefix%`` back where the fixed part of the template comes before anything that can vary."""
    pattern = condition.values[0]
    fixed = re.split("[%_]", pattern, maxsplit=1)[0]
    if after or "%" in before or "_" in before or not fixed.startswith(before):
        return None
    inside = pattern[len(before) :]
    return ServedCondition(
        condition.alias, condition.column, condition.source, condition.values, (inside,), pattern=True
    )
