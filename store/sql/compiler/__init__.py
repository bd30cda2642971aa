"""From the query tree to the engine's SQL; only names and forms made here appear in it."""

from store.sql.compiler.queries import Compiled, compile_numbers, compile_query, rows_needed

__all__ = ["Compiled", "compile_numbers", "compile_query", "rows_needed"]
