"""Puts the parts of a process together; the only place that names an engine."""

from __future__ import annotations

import os
import secrets
from threading import Event, Thread
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from archive.access import AccessPolicy
from archive.api.cursor import Cursors
from archive.followers import Unindexed, beat, running
from archive.jobs.files import JobFiles
from archive.jobs.keeper import JobKeeper
from archive.process import Process
from archive.settings import Settings
from archive.spill import spill_folder
from archive.stores import (
    authority,
    open_lake,
    open_tables,
    open_tables_to_read,
    require_writable,
    written_once,
)
from store.database import JobStore, PackageStore, QuarantineStore
from store.duckdb import DuckIndex, Follower, generations
from store.lake import Lake
from store.port import Index, Maintainer, Site
from store.sql.instance import Limits
from vo.jobs import JobLimits

if TYPE_CHECKING:
    from store.elastic import Cluster


def _secret(settings: Settings) -> bytes:
    return written_once(settings.root / "secret", secrets.token_bytes(32), 0o600)


def site(settings: Settings) -> Site:
    """Return what served values are made of."""
    return Site(authority(settings), settings.public_url)


def open_index(settings: Settings, lake: Lake, *, poll: bool = True) -> Index:
    """Open the index; with ``poll`` it keeps up with the lake by itself."""
    usual = Limits()
    limits = Limits(
        threads=settings.threads or usual.threads,
        memory=f"{settings.memory_megabytes}MB" if settings.memory_megabytes else usual.memory,
        spill_folder=spill_folder(settings.run_root),
    )
    pause = settings.poll_seconds if poll else None
    if settings.elasticsearch_hosts:
        from store.elastic import ElasticIndex  # noqa: PLC0415 - its client takes long to import

        return ElasticIndex(lake, _cluster(settings), site(settings), limits=limits, poll=pause)
    return DuckIndex(lake, settings.index_root, site(settings), limits=limits, poll=pause)


def open_maintainer(settings: Settings, lake: Lake, database: Engine) -> Maintainer:
    """Return what brings the index up to date; rows that it does not take go into the quarantine."""
    if settings.elasticsearch_hosts:
        from store.elastic import ElasticFollower  # noqa: PLC0415

        unindexed = Unindexed(QuarantineStore(database))
        return ElasticFollower(lake, _cluster(settings), refused=unindexed.refused, settled=unindexed.settled)
    return Follower(lake, settings.index_root)


def _cluster(settings: Settings) -> Cluster:
    """Return the cluster that holds the index."""
    from store.elastic import Cluster  # noqa: PLC0415

    key = settings.elasticsearch_api_key
    return Cluster(
        settings.elasticsearch_hosts,
        api_key=None if key is None else key.get_secret_value(),
        ca_file=settings.elasticsearch_ca_file,
        prefix=settings.elasticsearch_prefix,
        replicas=settings.elasticsearch_replicas,
        rows_per_shard=settings.elasticsearch_rows_per_shard,
    )


def open_process(settings: Settings) -> Process:
    """Open everything that a serving process needs."""
    lake = open_lake(settings)
    return build_process(settings, open_index(settings, lake), lake)


def follow(settings: Settings, stop: Event) -> None:
    """Bring the index up to date as it becomes due, and say so, until told to stop."""
    # Folding may take minutes; whoever answers requests beside it goes first.
    os.nice(5)
    database = open_tables(settings)
    maintainer = open_maintainer(settings, open_lake(settings), database)
    beats = Thread(
        target=beat,
        args=(database, maintainer, lambda: built_version(settings), stop),
        name="heartbeat",
        daemon=True,
    )
    beats.start()
    maintainer.run_forever(stop, poll=settings.poll_seconds)
    beats.join()
    database.dispose()


def rebuild_index(settings: Settings) -> int:
    """Build the index of the lake's newest version, or have the running follower do it.

    Returns its version.

    Raises
    ------
    IndexStalled
        When the running follower does not answer in time.
    """
    require_writable(settings)
    database = open_tables(settings)
    maintainer = open_maintainer(settings, open_lake(settings), database)
    try:
        return maintainer.rebuild()
    finally:
        maintainer.close()
        database.dispose()


def built_version(settings: Settings) -> int | None:
    """Return the version that the index was built for last, which readers may start from; None without one.

    Raises
    ------
    EngineAway
        When the cluster that knows it does not say so.
    """
    if settings.elasticsearch_hosts:
        from store.elastic import version_in  # noqa: PLC0415

        return version_in(_cluster(settings))
    found = generations(settings.index_root)
    return found[-1][0] if found else None


def index_advice(settings: Settings) -> list[str]:
    """Say what an operator should do about the index in a cluster, one line each."""
    from store.elastic import advice_on  # noqa: PLC0415

    return advice_on(_cluster(settings))


def build_process(settings: Settings, index: Index, lake: Lake) -> Process:
    """Put the parts together around an index."""
    place = site(settings)
    return Process(
        settings=settings,
        site=place,
        lake=lake,
        index=index,
        policy=AccessPolicy(realm=place.authority),
        cursors=Cursors(_secret(settings), settings.cursor_hours * 3600),
        jobs=_jobs(settings),
        packages=PackageStore(open_tables(settings)),
        secret=_secret(settings),
        started_at=lake.version(),
        waits_for=lambda: _reason(settings),
    )


def _jobs(settings: Settings) -> JobKeeper:
    day = 86_400.0
    limits = JobLimits(
        default_seconds=min(settings.job_seconds, settings.job_most_seconds),
        hard_seconds=settings.job_most_seconds,
        default_keep=min(settings.job_days, settings.job_most_days) * day,
        hard_keep=settings.job_most_days * day,
        wait_seconds=settings.wait_seconds,
    )
    return JobKeeper(
        JobStore(open_tables(settings)),
        JobFiles(settings.jobs_root),
        limits,
        most=settings.jobs_of_all,
        most_own=settings.jobs_of_one,
        secret=_secret(settings),
    )


def _reason(settings: Settings) -> str | None:
    """Return why the follower does not go on, if it says so."""
    database = open_tables_to_read(settings)
    try:
        said = running(database)
    finally:
        database.dispose()
    return None if said is None else said.reason
