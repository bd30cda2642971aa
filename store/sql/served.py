"""The SQL of values that are formed when they are served, and of conditions turned back to what is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import schemas
from store.port import Site
from store.served import PROPRIETARY, PUBLIC, ServedCondition, pieces
from store.sql.compiler.literals import text


def shown_value(
    column: schemas.Column, stored: Mapping[str, str], sql: str, t: str, *, site: Site, moment: datetime
) -> str:
    """Return the SQL of what rows called ``t`` show in a column whose stored value is ``sql``.

    ``stored`` has the SQL name of each stored column by its lower-case name.
    """
    if column.served:
        return served_value(column, stored, site, sql, t)
    return rights_value(stored, column.rights_of, moment, sql, t) if column.rights_of else sql


def served_value(column: schemas.Column, stored: Mapping[str, str], site: Site, sql: str, t: str) -> str:
    """Return the SQL of a served column of rows called ``t``: what is stored, else its template filled.

    An empty text stands for a row that has no value and wants none.
    """
    parts = []
    for piece in pieces(column, site):
        if isinstance(piece, str):
            parts.append(text(piece))
            continue
        source = stored.get(piece.name.lower())
        if source is None:
            return sql
        parts.append(f"CAST({t}.{source} AS VARCHAR)")
    return f"nullif(coalesce({sql}, {' || '.join(parts) if parts else text('')}), '')"


def rights_value(stored: Mapping[str, str], source: str, moment: datetime, sql: str, t: str) -> str:
    """Return the SQL of ``store.served.rights`` for rows called ``t`` at a moment (UTC, without zone)."""
    said, time = f"coalesce({sql}, {text(PUBLIC)})", stored.get(source.lower())
    if time is None:
        return said
    now = moment.isoformat(" ", "microseconds")
    released = f"coalesce(nullif({sql}, {text(PROPRIETARY)}), {text(PUBLIC)})"
    return (
        f"CASE WHEN {t}.{time} > TIMESTAMP '{now}' THEN {text(PROPRIETARY)} "
        f"WHEN {t}.{time} IS NULL THEN {said} ELSE {released} END"
    )


def condition_sql(condition: ServedCondition, stored: Mapping[str, str], t: str) -> str | None:
    """Return the SQL of a condition for rows called ``t``; None when a column is not stored."""
    own = stored.get(condition.column)
    source = stored.get(condition.source) if condition.source else None
    if own is None or (condition.source and source is None):
        return None
    here = _one_of(f"{t}.{own}", condition.values, pattern=condition.pattern)
    if source is None or not condition.source_values:
        return here
    there = _one_of(f"{t}.{source}", condition.source_values, pattern=condition.pattern)
    return f"({here} OR ({t}.{own} IS NULL AND {there}))"


def _one_of(sql: str, values: Sequence[str], *, pattern: bool) -> str:
    if pattern:
        return f"({sql} LIKE {text(values[0])})"
    return f"({sql} IN ({', '.join(text(value) for value in values)}))"
