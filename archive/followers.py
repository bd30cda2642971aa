"""What followers say of themselves and of rows that the index does not take."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from threading import Event

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from archive.logs import get_logger
from store.database import FollowerState, FollowerStore, QuarantineStore, Refusal, in_words
from store.port import EngineAway, Maintainer, RefusedRow

FOLLOWER = "index"
"""Name under which the follower that leads says how far it is."""

NOT_INDEXED = "not-indexed"
"""Code in the quarantine of a row that the lake has and the index does not take."""

_BEAT_SECONDS = 2.0

_ALIVE = timedelta(seconds=15)
"""How old the newest word of a follower may be that is taken for running."""


def running(engine: Engine) -> FollowerState | None:
    """Return the last word of the follower that leads, or of one that says why none does."""
    now = datetime.now(UTC)
    found = (f for f in FollowerStore(engine).all() if f.name == FOLLOWER)
    return next((f for f in found if now - f.heartbeat < _ALIVE), None)


def beat(engine: Engine, maintainer: Maintainer, version: Callable[[], int | None], stop: Event) -> None:
    """Say every two seconds, until told to stop, how far the index is and why it does not go on, if so.

    Of several followers the one that leads does; when the engine is away none leads, and any says so.
    """
    store, holder, last = FollowerStore(engine), f"{socket.gethostname()}:{os.getpid()}", -1
    while True:
        try:
            if maintainer.leads or maintainer.reason:
                last = _known(version, last)
                store.beat(FOLLOWER, holder, last, maintainer.reason)
        except SQLAlchemyError as error:
            _warn("the follower's heartbeat could not be written", error)
        if stop.wait(_BEAT_SECONDS):
            break
    try:
        store.forget(FOLLOWER, holder)
    except SQLAlchemyError as error:
        _warn("the follower's last word could not be taken back", error)


def _warn(event: str, error: SQLAlchemyError) -> None:
    get_logger().warning(event, reason=in_words(error))


def _known(version: Callable[[], int | None], last: int) -> int:
    try:
        found = version()
    except EngineAway:
        return last
    return -1 if found is None else found


class Unindexed:
    """Keeps rows that the index does not take in the quarantine, one entry each, until they are replaced.

    What cannot be entered is in the log alone: the rest of the rows goes on.
    """

    def __init__(self, store: QuarantineStore) -> None:
        self._store = store

    def refused(self, rows: Sequence[RefusedRow]) -> None:
        """Enter rows with the reason."""
        for row in rows:
            get_logger().error("a row is not in the index", table=row.table, key=row.key, reason=row.reason)
        try:
            self._store.put(_refusal(row) for row in rows)
        except SQLAlchemyError as error:
            _warn("rows that the index does not take could not be quarantined", error)

    def settled(self, table: str, keys: Sequence[str] | None) -> None:
        """Forget rows that were replaced or withdrawn; all of a table when it is written anew."""
        try:
            if keys is None:
                entries = self._store.list(collection=table, code=NOT_INDEXED)
                self._store.clear(table, [entry.path for entry in entries])
            else:
                self._store.clear(table, map(_path, keys))
        except SQLAlchemyError as error:
            _warn("the quarantine could not be brought up to date", error)


def _refusal(row: RefusedRow) -> Refusal:
    return Refusal(
        collection=row.table,
        path=_path(row.key),
        root="",
        code=NOT_INDEXED,
        reason=f"the index does not take this row: {row.reason}; its table is answered from the lake",
        details={"row": _path(row.key), "version": row.version},
    )


def _path(key: str) -> str:
    """Return a key in print: the values of several columns are joined by a control character."""
    return key.replace("\x1f", " / ")
