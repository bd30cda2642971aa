"""Puts the parts of a process together; the only place that names an engine."""

from __future__ import annotations

import os
import secrets
import socket
from threading import Event, Thread
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from archive.access import AccessPolicy
from archive.api.cursor import Cursors
from archive.logs import get_logger
from archive.process import Process
from archive.settings import Settings
from archive.stores import authority, open_lake, open_tables, require_writable, written_once
from store.database import FollowerStore
from store.duckdb import DuckIndex, Follower, generations
from store.lake import Lake
from store.port import EngineAway, Index, Maintainer, Site
from store.sql.instance import Limits

if TYPE_CHECKING:
    from store.elastic import Cluster

FOLLOWER = "index"
"""Name under which the follower says how far it is."""

_BEAT_SECONDS = 2.0


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
        spill_folder=settings.run_root / f"spill-{os.getpid()}",
    )
    pause = settings.poll_seconds if poll else None
    if settings.elasticsearch_hosts:
        from store.elastic import ElasticIndex  # noqa: PLC0415 - its client takes long to import

        return ElasticIndex(lake, _cluster(settings), site(settings), limits=limits, poll=pause)
    return DuckIndex(lake, settings.index_root, site(settings), limits=limits, poll=pause)


def open_maintainer(settings: Settings, lake: Lake) -> Maintainer:
    """Return what brings the index up to date."""
    if settings.elasticsearch_hosts:
        from store.elastic import ElasticFollower  # noqa: PLC0415

        return ElasticFollower(lake, _cluster(settings))
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
    )


def open_process(settings: Settings) -> Process:
    """Open everything that a serving process needs."""
    lake = open_lake(settings)
    return build_process(settings, open_index(settings, lake), lake)


def follow(settings: Settings, stop: Event) -> None:
    """Write generations of the index as they become due, and say so, until told to stop."""
    # Folding may take minutes; whoever answers requests beside it goes first.
    os.nice(5)
    beats = Thread(target=_beat, args=(settings, stop), name="heartbeat", daemon=True)
    beats.start()
    open_maintainer(settings, open_lake(settings)).run_forever(stop, poll=settings.poll_seconds)
    beats.join()


def _beat(settings: Settings, stop: Event) -> None:
    engine = open_tables(settings)
    store, holder = FollowerStore(engine), f"{socket.gethostname()}:{os.getpid()}"
    while True:
        try:
            version = built_version(settings)
            store.beat(FOLLOWER, holder, -1 if version is None else version)
        except EngineAway as error:
            get_logger().warning("the follower's heartbeat is left out", reason=str(error))
        except SQLAlchemyError:
            get_logger().exception("the follower's heartbeat could not be written")
        if stop.wait(_BEAT_SECONDS):
            break
    store.forget(FOLLOWER, holder)
    engine.dispose()


def rebuild_index(settings: Settings) -> int:
    """Build the index of the lake's newest version, or have the running follower do it.

    Returns its version.

    Raises
    ------
    IndexStalled
        When the running follower does not answer in time.
    """
    require_writable(settings)
    maintainer = open_maintainer(settings, open_lake(settings))
    try:
        return maintainer.rebuild()
    finally:
        maintainer.close()


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
        started_at=lake.version(),
    )
