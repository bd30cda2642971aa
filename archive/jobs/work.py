"""Puts a worker together."""

from __future__ import annotations

from threading import Event

from archive.jobs.files import JobFiles
from archive.jobs.worker import Worker
from archive.settings import Settings
from archive.stores import open_tables
from store.database import JobStore


def run(settings: Settings, stop: Event, *, slots: int | None = None) -> None:
    """Run jobs that wait until told to stop."""
    database = open_tables(settings)
    worker = Worker(
        JobStore(database),
        JobFiles(settings.jobs_root),
        slots=settings.job_slots if slots is None else slots,
        megabytes=settings.job_megabytes,
    )
    try:
        worker.run_forever(stop)
    finally:
        database.dispose()
