"""The embedded index: immutable generations on disk for any number of readers, plus a delta in memory."""

from store.duckdb.engine import Limits
from store.duckdb.follower import Follower, Policy
from store.duckdb.generation import build_generation
from store.duckdb.index import DuckIndex

__all__ = ["DuckIndex", "Follower", "Limits", "Policy", "build_generation"]
