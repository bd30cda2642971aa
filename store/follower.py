"""What all engines share over time: looking again and again, stepping, waiting for another process."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from store.port import IndexStalled

LOG = logging.getLogger(__name__)


class Stepping(Protocol):
    """The part of a :class:`store.port.Maintainer` that is done again and again."""

    reason: str | None

    def step(self) -> int | None:
        """Do what is due now."""
        ...

    def close(self) -> None:
        """Let another process maintain the index."""
        ...


class Polling:
    """Looks every ``seconds``, in a thread of its own, until it is closed; None: never.

    A look that fails is logged: a thread that died of it would freeze the archive at its version.
    """

    def __init__(self, look: Callable[[], object], seconds: float | None) -> None:
        self._look = look
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        if seconds is not None:
            self._thread = threading.Thread(target=self._run, args=(seconds,), name="index-poll", daemon=True)
            self._thread.start()

    def _run(self, seconds: float) -> None:
        while not self._stop.wait(seconds):
            try:
                self._look()
            except Exception:
                LOG.exception("looking for a new version failed")

    def close(self) -> None:
        """Look no more; a look that has begun is waited for."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()


def step_until(stop: threading.Event, maintainer: Stepping, *, poll: float, pause: float) -> None:
    """Step every ``poll`` seconds until told to stop, then close.

    A failure is logged, told as the maintainer's ``reason``, and tried again after ``pause`` seconds.
    """
    while not stop.is_set():
        wait = poll
        try:
            maintainer.step()
            maintainer.reason = None
        except Exception as error:
            LOG.exception("bringing the index up to date failed; trying again in %.0f s", pause)
            maintainer.reason = str(error) or type(error).__name__
            wait = pause
        stop.wait(wait)
    maintainer.close()


def awaited(built: Callable[[], int | None], patience: float) -> int:
    """Wait until another process has built what was asked of it; return the version that ``built`` tells.

    Raises
    ------
    IndexStalled
        When it tells none within ``patience`` seconds.
    """
    end = time.monotonic() + patience
    while (version := built()) is None:
        if time.monotonic() >= end:
            raise IndexStalled(
                f"the process that maintains the index did not build it in {patience:g} s; see its log"
            )
        time.sleep(0.2)
    return version
