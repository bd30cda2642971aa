"""Keeping the lake small without taking anything from servers and followers."""

from __future__ import annotations

from datetime import timedelta

from archive import factory, presence, stores
from archive.settings import Settings
from store.lake import upkeep


def compact(settings: Settings) -> int:
    """Merge small files; returns the lake's version."""
    stores.require_writable(settings)
    return upkeep.compact(stores.open_lake(settings))


def vacuum(settings: Settings, keep_hours: float) -> int:
    """Remove files that no version in use needs; returns how many.

    In use is every version of the last ``keep_hours``, that of the newest generation of the index, and
    what running servers show.
    """
    stores.require_writable(settings)
    lake = stores.open_lake(settings)
    shown = [server.version for server in presence.servers(settings.run_root)]
    pinned = [version for version in (*shown, factory.newest_generation(settings)) if version is not None]
    floor = upkeep.floor_for(lake, timedelta(hours=keep_hours), pinned)
    return upkeep.vacuum(lake, floor) + upkeep.clean_logs(lake, floor)
