"""Locked in-memory instances of DuckDB, and what they say when they fail."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from store.limits import TimeLimit
from store.port import QueryError, QueryRejected, QueryTooLarge
from store.sql import udf

LATE_ROWS = 5_000
"""Rows up to which the first of an order are found by its columns alone, and the others read for them only.
More rows stand in so many places that reading all is as quick."""


@dataclass(frozen=True)
class Limits:
    """What an engine may use: threads, memory in the engine's words, and where and how much it may spill."""

    threads: int = 2
    memory: str = "2GB"
    spill_folder: Path | None = None
    spill: str = "8GB"


def open_instance(limits: Limits, *setup: str) -> duckdb.DuckDBPyConnection:
    """Start an instance that knows the functions of the sky, run ``setup`` on it, and close every other door.

    Queries run on cursors of it. What it may use, all of them share.

    Raises
    ------
    duckdb.Error
        When a statement of ``setup`` fails.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": limits.threads,
        "memory_limit": limits.memory,
        "python_enable_replacements": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "temp_directory": "" if limits.spill_folder is None else str(limits.spill_folder),
        "max_temp_directory_size": limits.spill,
        # Set on one connection these would not hold for its cursors.
        "error_on_division_by_zero": False,
        "ieee_floating_point_ops": True,
        "default_null_order": "nulls_last",
        # It takes an outer join with a side it knows to be empty for empty, and the LIMIT above for needless.
        "disabled_optimizers": "statistics_propagation",
        "late_materialization_max_rows": LATE_ROWS,
    }
    instance = duckdb.connect(":memory:", config=config)
    try:
        for statement in setup:
            instance.execute(statement)
        udf.register(instance)
        instance.execute("SET GLOBAL enable_external_access = false")
        instance.execute("SET GLOBAL lock_configuration = true")
    except duckdb.Error:
        instance.close()
        raise
    return instance


_PLAIN = {
    "Out of Range Error": "a number is out of range",
    "Conversion Error": "a value cannot be converted",
}


def failure(error: Exception, passed: TimeLimit | None) -> QueryError:
    """Turn what the engine raised into words for the user; ``passed`` is the limit of a query out of time."""
    message = str(error).strip()
    if passed is not None and "INTERRUPT" in message.upper():
        return passed.passed()
    if isinstance(error, duckdb.OutOfMemoryException) or "Out of Memory Error" in message:
        return QueryTooLarge("the query needs more memory than allowed")
    if "max_temp_directory_size" in message or "No space left" in message:
        return QueryTooLarge("the query needs more disk than allowed")
    for word, plain in _PLAIN.items():
        if message.startswith(word):
            detail = message.removeprefix(word).lstrip(": ").splitlines()[0]
            return QueryRejected(f"{plain}: {detail}")
    if isinstance(error, duckdb.InterruptException):
        return QueryError("the query was stopped")
    return QueryError(f"the query failed: {message.splitlines()[0] if message else type(error).__name__}")
