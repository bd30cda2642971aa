"""What maintainers of all engines share: stepping until told to stop, and waiting for another process."""

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
