"""Transactions: what changes row by row and is no part of the record, in a relational database."""

from store.database.engine import DatabaseError, in_words, migrate, open_database, open_to_read
from store.database.followers import FollowerState, FollowerStore
from store.database.jobs import JobStore, Load, new_job_id
from store.database.packages import PackageStore, StoredPackage, new_package_id
from store.database.quarantine import Quarantined, QuarantineStore, Refusal

__all__ = [
    "DatabaseError",
    "FollowerState",
    "FollowerStore",
    "JobStore",
    "Load",
    "PackageStore",
    "QuarantineStore",
    "Quarantined",
    "Refusal",
    "StoredPackage",
    "in_words",
    "migrate",
    "new_job_id",
    "new_package_id",
    "open_database",
    "open_to_read",
]
