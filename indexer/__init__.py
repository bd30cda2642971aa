"""From files and tables to rows in the lake."""

from indexer.catalogue import publish, unpublish
from indexer.demonstration import demo
from indexer.errors import FileRefused, IndexerError, IngestError, RowRefused
from indexer.ingestion import ingest, retry
from indexer.loading import load
from indexer.summary import Outcome, Progress, Reason, Summary
from indexer.upkeep import Changed, set_release, withdraw

__all__ = [
    "Changed",
    "FileRefused",
    "IndexerError",
    "IngestError",
    "Outcome",
    "Progress",
    "Reason",
    "RowRefused",
    "Summary",
    "demo",
    "ingest",
    "load",
    "publish",
    "retry",
    "set_release",
    "unpublish",
    "withdraw",
]
