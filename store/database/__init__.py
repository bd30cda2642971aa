"""Transactions: what changes row by row and is no part of the record, in a relational database."""

from store.database.engine import DatabaseError, migrate, open_database
from store.database.followers import FollowerState, FollowerStore
from store.database.quarantine import Quarantined, QuarantineStore, Refusal

__all__ = [
    "DatabaseError",
    "FollowerState",
    "FollowerStore",
    "QuarantineStore",
    "Quarantined",
    "Refusal",
    "migrate",
    "open_database",
]
