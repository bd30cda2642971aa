"""What ``onedfs status`` says: how much there is, and how far each part is behind."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import Engine

from archive import followers, presence, stores
from archive.settings import Settings
from store.database import FollowerStore, QuarantineStore
from store.lake import Lake


def index_status(settings: Settings) -> dict[str, Any]:
    """Say how far the index on disk and the running servers are, and what somebody should do about it."""
    engine = stores.open_tables_to_read(settings)
    try:
        found = _index_status(settings, stores.open_lake(settings), engine)
    finally:
        engine.dispose()
    return {**found, "advice": _advice(settings)}


def _advice(settings: Settings) -> list[str]:
    if not settings.elasticsearch_hosts:
        return []
    from archive import factory  # noqa: PLC0415 - engines take long to import

    return factory.index_advice(settings)


def _index_status(settings: Settings, lake: Lake, engine: Engine) -> dict[str, Any]:
    version = lake.version()
    alive = presence.servers(settings.run_root)
    known, said = FollowerStore(engine).all(), followers.running(engine)
    return {
        "engine": settings.engine,
        "lake_version": version,
        "follower": None if said is None else said.holder,
        "waits_for": None if said is None else said.reason,
        "generation": max((f.version for f in known if f.version >= 0), default=None),
        "servers": [asdict(server) for server in alive],
        "lag": max((version - (server.version or 0) for server in alive), default=None),
    }


def status(settings: Settings) -> dict[str, Any]:
    """Say what the archive holds."""
    lake = stores.open_lake(settings)
    engine = stores.open_tables_to_read(settings)
    try:
        refused = QuarantineStore(engine).counts()
        index = _index_status(settings, lake, engine)
    finally:
        engine.dispose()
    return {
        "data": str(settings.root),
        "authority": stores.authority(settings),
        **index,
        "quarantined": sum(refused.values()),
        "quarantine_reasons": refused,
        "tables": {t.name: lake.row_count(t.name) for t in lake.schemas() if not t.virtual},
    }
