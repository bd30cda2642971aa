"""The embedded index: immutable generations on disk for any number of readers, plus a delta in memory."""

from store.duckdb.engine import Limits
from store.duckdb.follower import Follower, Policy
from store.duckdb.generation import build_generation
from store.duckdb.index import DuckIndex
from store.duckdb.layout import generations
from store.duckdb.wanted import ask_for_generation, refuse

__all__ = [
    "DuckIndex",
    "Follower",
    "Limits",
    "Policy",
    "ask_for_generation",
    "build_generation",
    "generations",
    "refuse",
]
