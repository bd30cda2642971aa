"""The SQL of values that are formed when they are served, and of conditions turned back to what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import schemas
from store.duckdb.compiler.literals import text
from store.duckdb.layout import StoredTable
from store.port import Site
from store.served import ServedCondition, pieces


def served_value(column: schemas.Column, stored: StoredTable, site: Site, sql: str, t: str) -> str:
    """Return the SQL of a served column of rows called ``t``: what is stored, else its template filled.

    An empty text stands for a row that has no value and wants none.
    """
    parts = []
    for piece in pieces(column, site):
        if isinstance(piece, str):
            parts.append(text(piece))
            continue
        source = stored.by_name.get(piece.name.lower())
        if source is None:
            return sql
        parts.append(f"CAST({t}.{source.stored_as} AS VARCHAR)")
    return f"nullif(coalesce({sql}, {' || '.join(parts) if parts else text('')}), '')"


def rights_value(stored: StoredTable, source: str, moment: datetime, sql: str, t: str) -> str:
    """Return the SQL of what rows called ``t`` say of their rights at a moment (UTC).

    Proprietary before the time in ``source``, as the access policy has it: that instant itself is public.
    """
    said, time = f"coalesce({sql}, 'public')", stored.by_name.get(source.lower())
    if time is None:
        return said
    now = moment.isoformat(" ", "microseconds")
    return f"CASE WHEN {t}.{time.stored_as} > TIMESTAMP '{now}' THEN 'proprietary' ELSE {said} END"


def condition_sql(condition: ServedCondition, stored: StoredTable, t: str) -> str | None:
    """Return the SQL of a condition for rows called ``t``; None when a column is not stored."""
    own = stored.by_name.get(condition.column)
    source = stored.by_name.get(condition.source) if condition.source else None
    if own is None or (condition.source and source is None):
        return None
    here = _one_of(f"{t}.{own.stored_as}", condition.values, pattern=condition.pattern)
    if source is None or not condition.source_values:
        return here
    there = _one_of(f"{t}.{source.stored_as}", condition.source_values, pattern=condition.pattern)
    return f"({here} OR ({t}.{own.stored_as} IS NULL AND {there}))"


def _one_of(sql: str, values: Sequence[str], *, pattern: bool) -> str:
    if pattern:
        return f"({sql} LIKE {text(values[0])})"
    return f"({sql} IN ({', '.join(text(value) for value in values)}))"
