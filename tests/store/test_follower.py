"""What maintainers of all engines share."""

from __future__ import annotations

import threading

import pytest

from store.follower import awaited, step_until
from store.port import IndexStalled


class Stop(threading.Event):
    """Is set after so many waits, which it keeps."""

    def __init__(self, waits: int) -> None:
        super().__init__()
        self.waits = waits
        self.pauses: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.pauses.append(timeout)
        if len(self.pauses) == self.waits:
            self.set()
        return self.is_set()


class Maintainer:
    """Fails at its first step."""

    def __init__(self) -> None:
        self.steps = 0
        self.reason: str | None = None
        self.reasons: list[str | None] = []
        self.closed = False

    def step(self) -> int | None:
        self.steps += 1
        self.reasons.append(self.reason)
        if self.steps == 1:
            raise OSError("the disk is full")
        return None

    def close(self) -> None:
        self.closed = True


def test_it_steps_until_told_to_stop_and_waits_longer_after_a_failure() -> None:
    maintainer, stop = Maintainer(), Stop(3)
    step_until(stop, maintainer, poll=0.5, pause=7.0)
    assert stop.pauses == [7.0, 0.5, 0.5]
    assert (maintainer.steps, maintainer.closed) == (3, True)
    assert maintainer.reasons == [None, "the disk is full", None]


def test_what_is_stopped_before_it_begins_does_nothing_but_close() -> None:
    maintainer, stop = Maintainer(), threading.Event()
    stop.set()
    step_until(stop, maintainer, poll=0.5, pause=7.0)
    assert (maintainer.steps, maintainer.closed) == (0, True)


def test_it_waits_for_what_another_process_builds() -> None:
    told = [None, None, 7]
    assert awaited(lambda: told.pop(0), 60) == 7


def test_it_does_not_wait_forever() -> None:
    with pytest.raises(IndexStalled, match=r"0\.3 s"):
        awaited(lambda: None, 0.3)
