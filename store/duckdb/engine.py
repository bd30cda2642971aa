"""One in-memory engine over one generation, locked down; and what it says when it fails.

Every process has its own. The generation is attached read-only; the delta lives in the engine's memory.
"""

from __future__ import annotations

import fcntl
import heapq
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import duckdb

from store.duckdb import udf
from store.duckdb.compiler.literals import text
from store.duckdb.layout import DATABASE, IN_USE, BadGenerationError, Manifest
from store.port import QueryError, QueryRejected, QueryTimeout, QueryTooLarge

BASE = "g"
"""The name under which the generation is attached."""


@dataclass(frozen=True)
class Limits:
    """What an engine may use: threads, memory in the engine's words, and where and how much it may spill."""

    threads: int = 2
    memory: str = "2GB"
    spill_folder: Path | None = None
    spill: str = "8GB"


def open_engine(generation: Path, limits: Limits) -> duckdb.DuckDBPyConnection:
    """Start an engine, attach a generation, and close every other door.

    Raises
    ------
    BadGenerationError
        When the generation's database cannot be read.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": limits.threads,
        "memory_limit": limits.memory,
        "python_enable_replacements": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "temp_directory": "" if limits.spill_folder is None else str(limits.spill_folder),
        "max_temp_directory_size": limits.spill,
        # Set on one connection these would not hold for its cursors.
        "error_on_division_by_zero": False,
        "ieee_floating_point_ops": True,
        "default_null_order": "nulls_last",
        # It takes an outer join with a side it knows to be empty for empty, and the LIMIT above for needless.
        "disabled_optimizers": "statistics_propagation",
    }
    engine = duckdb.connect(":memory:", config=config)
    try:
        engine.execute(f"ATTACH {text(str(generation / DATABASE))} AS {BASE} (READ_ONLY)")
        udf.register(engine)
        engine.execute("SET GLOBAL enable_external_access = false")
        engine.execute("SET GLOBAL lock_configuration = true")
    except duckdb.Error as error:
        engine.close()
        raise BadGenerationError(f"{generation.name}: {error}") from error
    return engine


class Hold:
    """A generation's folder kept from removal for as long as this is open."""

    def __init__(self, folder: Path) -> None:
        try:
            self._file = (folder / IN_USE).open("rb")
        except OSError as error:
            raise BadGenerationError(f"{folder.name}: {error}") from error
        fcntl.flock(self._file, fcntl.LOCK_SH)
        # Between finding the folder and locking it the follower may have taken it away.
        try:
            there = (folder / IN_USE).stat().st_ino == os.fstat(self._file.fileno()).st_ino
        except OSError:
            there = False
        if not there:
            self._file.close()
            raise BadGenerationError(f"{folder.name} was removed")
        self.folder = folder

    def manifest(self) -> Manifest:
        """Read what the generation holds."""
        return Manifest.read(self.folder)

    def close(self) -> None:
        """Let it go."""
        self._file.close()


_PLAIN = {
    "Out of Range Error": "a number is out of range",
    "Conversion Error": "a value cannot be converted",
}


def failure(error: Exception, *, timed_out: bool) -> QueryError:
    """Turn what the engine raised into words for the user."""
    message = str(error).strip()
    if timed_out and "INTERRUPT" in message.upper():
        return QueryTimeout("the query ran longer than allowed")
    if isinstance(error, duckdb.OutOfMemoryException) or "Out of Memory Error" in message:
        return QueryTooLarge("the query needs more memory than allowed")
    if "max_temp_directory_size" in message or "No space left" in message:
        return QueryTooLarge("the query needs more disk than allowed")
    for word, plain in _PLAIN.items():
        if message.startswith(word):
            detail = message.removeprefix(word).lstrip(": ").splitlines()[0]
            return QueryRejected(f"{plain}: {detail}")
    if isinstance(error, duckdb.InterruptException):
        return QueryError("the query was stopped")
    return QueryError(f"the query failed: {message.splitlines()[0] if message else type(error).__name__}")


_AGAIN = 0.1
"""Seconds after which a query that is still there is interrupted again: the engine forgets an interruption
that comes before it runs, while it reads or plans a statement."""


class Watchdog:
    """Interrupts queries at their deadlines, with one thread for all of them."""

    def __init__(self) -> None:
        self._wake = threading.Condition()
        self._deadlines: list[tuple[float, int, Deadline]] = []
        self._thread: threading.Thread | None = None

    def watch(self, connection: duckdb.DuckDBPyConnection, seconds: float | None) -> Deadline:
        """Interrupt the connection after so many seconds, unless the deadline is cancelled before."""
        deadline = Deadline(connection)
        if seconds is not None:
            self._add(time.monotonic() + seconds, deadline)
        return deadline

    def _add(self, when: float, deadline: Deadline) -> None:
        with self._wake:
            heapq.heappush(self._deadlines, (when, id(deadline), deadline))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="query-watchdog", daemon=True)
                self._thread.start()
            if self._deadlines[0][2] is deadline:
                self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._deadlines:
                    self._wake.wait()
                pause = self._deadlines[0][0] - time.monotonic()
                if pause > 0:
                    self._wake.wait(pause)
                    continue
                _, _, deadline = heapq.heappop(self._deadlines)
            if deadline.fire():
                self._add(time.monotonic() + _AGAIN, deadline)


class Deadline:
    """One query's deadline."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection: duckdb.DuckDBPyConnection | None = connection
        self._lock = threading.Lock()
        self.passed = False

    def fire(self) -> bool:
        """Interrupt the query, if it still runs; tell whether it did."""
        with self._lock:
            if self._connection is None:
                return False
            self.passed = True
            self._connection.interrupt()
            return True

    def cancel(self) -> None:
        """Leave the query alone from now on."""
        with self._lock:
            self._connection = None
