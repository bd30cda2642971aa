"""The words of ADQL 2.1 that cannot name a table or column unless quoted (section 2.1.2)."""

from __future__ import annotations

from schemas.words import ADQL, RESERVED

__all__ = ["AGGREGATES", "FUNCTION_WORDS", "RESERVED"]

AGGREGATES = frozenset({"AVG", "COUNT", "MAX", "MIN", "SUM"})
"""Names of the functions of a group's rows."""

FUNCTION_WORDS = (
    AGGREGATES
    | frozenset(ADQL.split()) - {"BIGINT", "ILIKE", "OFFSET", "TOP"}
    | {
        "COALESCE",
        "LOWER",
        "UPPER",
    }
)
"""Reserved words that are called like functions."""
