"""Rows that SQL reads from one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """Rows of one ``source``, called ``alias``: the SQL of columns by name, and what rows must fulfil."""

    source: str
    alias: str
    values: Mapping[str, str]
    conditions: Sequence[str]

    def select(self) -> str:
        """Return the SQL of a query for the columns."""
        columns = (f"{sql} AS {name}" for name, sql in self.values.items())
        where = f" WHERE {' AND '.join(self.conditions)}" if self.conditions else ""
        return f"SELECT {', '.join(columns) or '1'} FROM {self.source} AS {self.alias}{where}"
