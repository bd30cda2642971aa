"""Puts the parts of a process together; the only place that names an engine."""

from __future__ import annotations

import os
import secrets
import time
from contextlib import suppress
from pathlib import Path
from threading import Event

from sqlalchemy import Engine

from archive.access import AccessPolicy
from archive.api.cursor import Cursors
from archive.process import Process
from archive.settings import Settings
from schemas import Schemas, load_schemas
from store.database import migrate, open_database
from store.duckdb import DuckIndex, Follower, Limits
from store.duckdb.generation import newest
from store.duckdb.wanted import ask_for_generation
from store.lake import Lake
from store.port import Index, Site

DEFAULT_AUTHORITY = "onedfs.example"
"""The naming authority of an archive that was not given one."""

_REBUILD_SECONDS = 600.0


class AuthorityMismatch(Exception):  # noqa: N818 - names the condition
    """The archive was first started under another naming authority."""


def declared(settings: Settings) -> Schemas:
    """Read the declarations, those of the site included."""
    folders = [settings.site / "schemas"] if settings.site else []
    return load_schemas(folders)


def open_lake(settings: Settings) -> Lake:
    """Open the record; nothing is written before the first batch."""
    return Lake(settings.lake_root, declared(settings))


def authority(settings: Settings) -> str:
    """Return the archive's naming authority; the first call fixes it.

    Raises
    ------
    AuthorityMismatch
        When the setting asks for another one than the archive was started with.
    """
    path = settings.root / "authority"
    wanted = settings.authority or DEFAULT_AUTHORITY
    settings.root.mkdir(parents=True, exist_ok=True)
    fixed = _written_once(path, (wanted + "\n").encode(), 0o644).decode().strip()
    if settings.authority and fixed != settings.authority:
        raise AuthorityMismatch(
            f"ONEDFS_AUTHORITY is {settings.authority}, but this archive was started as {fixed}; "
            f"unset it, or run: onedfs migrate --authority {settings.authority}"
        )
    return fixed


def change_authority(settings: Settings, new: str) -> None:
    """Put the archive under another naming authority; identifiers are formed when served."""
    path = settings.root / "authority"
    settings.root.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"authority.{os.getpid()}")
    temporary.write_text(new + "\n", encoding="ascii")
    temporary.replace(path)


def _written_once(path: Path, content: bytes, mode: int) -> bytes:
    """Return what a file holds; the first of all processes writes it."""
    if not path.exists():
        temporary = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(content)
        with suppress(FileExistsError):
            os.link(temporary, path)
        temporary.unlink()
    return path.read_bytes()


def _secret(settings: Settings) -> bytes:
    return _written_once(settings.root / "secret", secrets.token_bytes(32), 0o600)


def open_tables(settings: Settings) -> Engine:
    """Open the database, its tables brought up to date."""
    settings.root.mkdir(parents=True, exist_ok=True)
    engine = open_database(settings.database)
    migrate(engine)
    return engine


def prepare_database(settings: Settings) -> None:
    """Bring the database's tables up to date."""
    open_tables(settings).dispose()


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
    return DuckIndex(lake, settings.index_root, site(settings), limits=limits, poll=pause)


def open_process(settings: Settings) -> Process:
    """Open everything that a serving process needs."""
    lake = open_lake(settings)
    return build_process(settings, open_index(settings, lake), lake)


def follow(settings: Settings, stop: Event) -> None:
    """Write generations of the index as they become due, until told to stop."""
    follower = Follower(open_lake(settings), settings.index_root)
    follower.run_forever(stop, poll=settings.poll_seconds)


def rebuild_index(settings: Settings) -> int:
    """Write a generation of the lake's newest version, or have the running follower do it.

    Returns its version.

    Raises
    ------
    IndexStalled
        When the running follower does not answer in time.
    """
    lake = open_lake(settings)
    follower = Follower(lake, settings.index_root)
    try:
        return follower.rebuild()
    except RuntimeError:
        return _asked_of_follower(settings, lake.version())
    finally:
        follower.close()


class IndexStalled(Exception):  # noqa: N818 - names the condition
    """The follower did not write a generation in time."""


def _asked_of_follower(settings: Settings, version: int) -> int:
    ask_for_generation(settings.index_root)
    end = time.monotonic() + _REBUILD_SECONDS
    while time.monotonic() < end:
        found = newest(settings.index_root)
        if found and found[0] >= version:
            return found[0]
        time.sleep(0.2)
    raise IndexStalled(f"the running follower wrote no generation in {_REBUILD_SECONDS:g} s; see its log")


def newest_generation(settings: Settings) -> int | None:
    """Return the version of the newest generation on disk."""
    found = newest(settings.index_root)
    return found[0] if found else None


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
