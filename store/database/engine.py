"""Opening the database and bringing its tables up to date."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

BUSY_SECONDS = 30
"""How long a process waits for another one's transaction."""

CONNECT_SECONDS = 10
"""How long a server of PostgreSQL may take to answer."""

_POSTGRESQL = frozenset({"postgresql", "postgres", "postgresql+psycopg"})

HEAD = "0005"
"""The newest of the migrations."""

MIGRATION_LOCK = 7_362_511
"""Number of PostgreSQL's advisory lock under which tables are changed."""


class DatabaseError(Exception):
    """The database cannot be opened or brought up to date; the message is for the operator."""


def in_words(error: Exception) -> str:
    """Return what went wrong in the words of the database, without statements and addresses of manuals."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return " ".join(str(cause).partition("(Background on this error at")[0].split())


def open_database(url: str, *, password: str | None = None) -> Engine:
    """Return an engine for a database URL, ``sqlite:///FILE`` or ``postgresql://USER@HOST/NAME``.

    ``password`` is used when the URL has none. SQLite keeps a write-ahead log, so that readers and a writer
    do not wait for each other, and its transactions take the write lock with their first change. Engines do
    not survive a fork.

    Raises
    ------
    DatabaseError
        When the URL is not one, or names another kind of database.
    """
    try:
        parts = make_url(url)
        if parts.drivername in _POSTGRESQL:
            return _open_postgresql(parts, password)
        if parts.get_backend_name() != "sqlite":
            raise DatabaseError(
                f"cannot open the database: it is {parts.get_backend_name()}; "
                "expected sqlite:///FILE or postgresql://USER@HOST/NAME"
            )
        if parts.database:
            Path(parts.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(parts, connect_args={"timeout": BUSY_SECONDS, "isolation_level": "IMMEDIATE"})
    except (SQLAlchemyError, ImportError, OSError) as error:
        raise DatabaseError(f"cannot open the database: {in_words(error)}") from error
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _open_postgresql(parts: URL, password: str | None) -> Engine:
    parts = parts.set(drivername="postgresql+psycopg", password=parts.password or password)
    return create_engine(
        parts,
        # A connection may have been cut since it was used last, by a restart of the server.
        pool_pre_ping=True,
        connect_args={"connect_timeout": CONNECT_SECONDS, "application_name": "onedfs"},
    )


def open_to_read(path: Path) -> Engine:
    """Return an engine for a SQLite file in a folder that cannot be written; nobody else may write it.

    Without the file it is an empty database with our tables.

    Raises
    ------
    DatabaseError
        As ``migrate``, for the empty one.
    """
    if path.exists():
        return create_engine(f"sqlite:///file:{quote(str(path))}?mode=ro&immutable=1&uri=true")
    engine = create_engine("sqlite://")
    migrate(engine)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = NORMAL")
    end = time.monotonic() + BUSY_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone()[0] == "delete":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            # SQLite does not wait for this lock by itself when several processes open a new file.
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def migrate(engine: Engine) -> None:
    """Create the tables or bring them up to date; processes that start together do it once.

    It happens in one transaction: a process killed in the middle leaves the tables as they were.

    Raises
    ------
    DatabaseError
        When the database was made by a newer release, or a table cannot be changed.
    """
    try:
        with engine.connect() as connection:
            if _revision(connection) == HEAD:
                return
            connection.rollback()
            _lock(connection)
            _upgrade(connection)
            connection.commit()
    except SQLAlchemyError as error:
        raise DatabaseError(f"cannot bring the database's tables up to date: {in_words(error)}") from error


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _upgrade(connection: Connection) -> None:
    from store.database.upgrade import CommandError, upgrade  # noqa: PLC0415 - once for each release

    try:
        upgrade(connection, HEAD)
    except CommandError as error:
        raise DatabaseError(f"cannot bring the database's tables up to date: {error}") from error


def _lock(connection: Connection) -> None:
    """Keep other processes from changing tables until this transaction ends."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    elif connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
