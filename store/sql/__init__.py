"""Analytic SQL for every engine: queries written as SQL, and run on columns by locked DuckDB instances."""
