"""The record: Delta tables, a ledger that makes one version of them, and their change feed."""

from store.lake.errors import FeedIncomplete, Incompatible, LakeError, LeaseTimeout, VersionGone
from store.lake.feed import Change, Step
from store.lake.lake import Lake
from store.lake.ledger import Entry
from store.lake.upkeep import clean_logs, compact, floor_for, vacuum
from store.lake.writer import Writer

__all__ = [
    "Change",
    "Entry",
    "FeedIncomplete",
    "Incompatible",
    "Lake",
    "LakeError",
    "LeaseTimeout",
    "Step",
    "VersionGone",
    "Writer",
    "clean_logs",
    "compact",
    "floor_for",
    "vacuum",
]
