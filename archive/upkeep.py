"""Keeping the lake small without taking anything from servers and followers."""

from __future__ import annotations

import time
from datetime import timedelta

from archive import checks, factory, presence, stores
from archive.settings import Settings
from store.lake import Lake, upkeep


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
    pinned = [version for version in (*shown, factory.built_version(settings)) if version is not None]
    floor = upkeep.floor_for(lake, timedelta(hours=keep_hours), pinned)
    removed = upkeep.vacuum(lake, floor) + upkeep.clean_logs(lake, floor)
    return removed + _remove_unused(settings, lake, time.time() - keep_hours * 3600)


def _remove_unused(settings: Settings, lake: Lake, before: float) -> int:
    """Remove bytes of replaced revisions that were copied before a time, in seconds since 1970."""
    removed = 0
    # Under the lease nobody is between putting a copy in its place and naming it.
    with lake.writer("vacuum") as writer:
        named = set(lake.read("archive.files", writer.version, ["location"])["location"].to_pylist())
        for location in list(checks.unnamed(settings.files_root, named)):
            path = settings.files_root / location
            if checks.CONTENT.fullmatch(location) and path.stat().st_mtime < before:
                path.unlink()
                removed += 1
    return removed
