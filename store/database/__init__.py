"""Transactions: what changes row by row and is no part of the record, in a relational database."""

from store.database.engine import DatabaseError, in_words, migrate, open_database, open_to_read
from store.database.followers import FollowerState, FollowerStore
from store.database.quarantine import Quarantined, QuarantineStore, Refusal

__all__ = [
    "DatabaseError",
    "FollowerState",
    "FollowerStore",
    "QuarantineStore",
    "Quarantined",
    "Refusal",
    "in_words",
    "migrate",
    "open_database",
    "open_to_read",
]
