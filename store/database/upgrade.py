"""Changing the tables with Alembic; loaded only where there is something to change."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection

__all__ = ["CommandError", "configuration", "upgrade"]

MIGRATIONS = Path(__file__).with_name("migrations")
"""Folder of the Alembic environment."""


def configuration() -> Config:
    """Return where Alembic finds the migrations."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def upgrade(connection: Connection, revision: str) -> None:
    """Bring the tables to a revision, in the transaction of a connection.

    Raises
    ------
    alembic.util.CommandError
        When the database is at a revision that is unknown here.
    """
    config = configuration()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
