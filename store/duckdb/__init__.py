"""The embedded index: immutable generations on disk for any number of readers, plus a delta in memory."""

from store.duckdb.follower import Follower, Policy
from store.duckdb.generation import build_generation
from store.duckdb.index import DuckIndex
from store.duckdb.layout import generations
from store.sql.instance import Limits

__all__ = [
    "DuckIndex",
    "Follower",
    "Limits",
    "Policy",
    "build_generation",
    "generations",
]
