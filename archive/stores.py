"""Where the archive's record and its transactions are; opened without starting any engine."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Engine

from archive.settings import Settings
from schemas import Schemas, load_schemas
from store.database import migrate, open_database, open_to_read
from store.lake import Lake

DEFAULT_AUTHORITY = "onedfs.example"
"""The naming authority of an archive that was not given one."""


class AuthorityMismatch(Exception):  # noqa: N818 - names the condition
    """The archive was first started under another naming authority."""


class NotWritable(Exception):  # noqa: N818 - names the condition
    """The data folder cannot be written."""


def _may_write(settings: Settings) -> bool:
    folder = settings.root
    while not folder.exists():
        folder = folder.parent
    return os.access(folder, os.W_OK | os.X_OK)


def require_writable(settings: Settings) -> None:
    """Refuse what would change the archive where that cannot be.

    Raises
    ------
    NotWritable
        When this user may not write the data folder, or its file system is read-only.
    """
    if not _may_write(settings):
        raise NotWritable(
            f"the data folder {settings.root} cannot be written; make it writable for this user, "
            "or choose another one with ONEDFS_DATA"
        )


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
    if not path.exists() and not _may_write(settings):
        return wanted
    settings.root.mkdir(parents=True, exist_ok=True)
    fixed = written_once(path, (wanted + "\n").encode(), 0o644).decode().strip()
    if settings.authority and fixed != settings.authority:
        raise AuthorityMismatch(
            f"ONEDFS_AUTHORITY is {settings.authority}, but this archive was started as {fixed}; "
            f"unset it, or run: onedfs migrate --authority {settings.authority}"
        )
    return fixed


def change_authority(settings: Settings, new: str) -> None:
    """Put the archive under another naming authority; identifiers are formed when served."""
    require_writable(settings)
    path = settings.root / "authority"
    settings.root.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"authority.{os.getpid()}")
    temporary.write_text(new + "\n", encoding="ascii")
    temporary.replace(path)


def written_once(path: Path, content: bytes, mode: int) -> bytes:
    """Return what a file holds; the first of all processes writes it."""
    if not path.exists():
        temporary = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(content)
        with suppress(FileExistsError):
            os.link(temporary, path)
        temporary.unlink()
    return path.read_bytes()


def open_tables(settings: Settings) -> Engine:
    """Open the database, its tables brought up to date."""
    require_writable(settings)
    settings.root.mkdir(parents=True, exist_ok=True)
    password = settings.database_password
    engine = open_database(
        settings.database, password=None if password is None else password.get_secret_value()
    )
    migrate(engine)
    return engine


def open_tables_to_read(settings: Settings) -> Engine:
    """Open the database for commands that change nothing: they work on a read-only data folder too."""
    if settings.database_url is None and not _may_write(settings):
        return open_to_read(settings.root / "onedfs.sqlite")
    return open_tables(settings)


def prepare_database(settings: Settings) -> None:
    """Bring the database's tables up to date."""
    open_tables(settings).dispose()
