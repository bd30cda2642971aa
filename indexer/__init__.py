"""From files and tables to rows in the lake."""

from indexer.catalogue import publish, unpublish
from indexer.demo import demo
from indexer.errors import FileRefused, IndexerError, IngestError, RowRefused
from indexer.ingest import ingest
from indexer.load import load
from indexer.summary import Outcome, Progress, Reason, Summary

__all__ = [
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
    "unpublish",
]
