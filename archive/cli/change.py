"""What commands that change the archive share: signals, counts, the wait until it is visible, exit codes."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import typer

from archive.cli.tell import counted, fail, note, say, say_json

if TYPE_CHECKING:
    from archive.ingestion import Ingestion
    from archive.settings import Settings
    from indexer import Summary
    from indexer.summary import Report

STRICT_EXIT = 3
"""Exit code of ``--strict`` when something was quarantined."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(SystemExit):
    """A signal ended the command; the exit code is 128 and its number."""


@dataclass(slots=True)
class Stop:
    """Whether a signal asked the command to end.

    ``gently`` lets it finish what it is at: the first signal sets ``event``, the second one raises. Otherwise
    the first one does: the lake takes unfinished work back.
    """

    gently: bool
    event: threading.Event = field(default_factory=threading.Event)
    code: int | None = None

    def ask(self, number: int, _: Any) -> None:
        """Take a signal."""
        again, self.code = self.code is not None, 128 + number
        self.event.set()
        if again or not self.gently:
            raise Interrupted(self.code)
        note("stopping after the batch in work; once more to stop now")


@contextmanager
def stop_on_signals(*, gently: bool = True) -> Iterator[Stop]:
    """Take Ctrl-C and SIGTERM for as long as the context lasts."""
    stop = Stop(gently)
    before = [signal.signal(number, stop.ask) for number in _SIGNALS]
    try:
        yield stop
    finally:
        for number, handler in zip(_SIGNALS, before, strict=True):
            signal.signal(number, handler)


@dataclass(frozen=True, slots=True)
class Work:
    """What a run is given: the archive, whom to tell how far it is, and when to stop."""

    archive: "Ingestion"
    progress: "Report | None"
    stop: threading.Event


def change(
    run: Callable[[Work], "Summary"],
    *,
    as_json: bool,
    no_wait: bool,
    strict: bool = False,
    gently: bool = True,
    endless: bool = False,
) -> None:
    """Carry out a run that changes the archive, and end the command as it went.

    The counts are always the last line, also of a run that fails or is interrupted: they say what is
    committed. ``endless`` runs end well when they are told to.
    """
    from archive import ingestion, progress
    from archive.settings import load_settings
    from indexer import IngestError, Summary

    settings, failure = load_settings(), None
    with stop_on_signals(gently=gently) as stop:
        try:
            with ingestion.opened(settings) as archive, progress.bar(quiet=as_json) as shown:
                summary = run(Work(archive, shown, stop.event))
        except IngestError as error:
            if error.summary is None:
                raise
            summary, failure = error.summary, error
        except Interrupted:
            summary = Summary()
    code = None if endless and failure is None else stop.code
    visible = None
    if not (no_wait or failure or code):
        visible = wait_and_tell(settings, summary.version)
    tell_counts(summary, visible, as_json=as_json, failure=failure)
    if code:
        raise Interrupted(code)
    if failure:
        raise fail(failure.message)
    if strict and summary.quarantined:
        raise typer.Exit(STRICT_EXIT)


def tell_counts(
    summary: "Summary", visible: bool | None, *, as_json: bool, failure: Exception | None = None
) -> None:
    """Print how a run ended."""
    counts = {
        "accepted": summary.accepted,
        "unchanged": summary.unchanged,
        "replaced": summary.replaced,
        "quarantined": summary.quarantined,
    }
    if as_json:
        error = {} if failure is None else {"error": str(failure)}
        said = {"version": summary.version, "visible": visible, "notes": list(summary.notes)}
        say_json({**counts, **said, **error})
        return
    for line in summary.notes:
        note(line)
    say(", ".join(f"{name} {number}" for name, number in counts.items()))


def wait_and_tell(settings: "Settings", version: int) -> bool | None:
    """Wait until running servers show a version and say so; None when no server runs."""
    from archive.presence import wait_visible

    seen = wait_visible(settings.run_root, version, settings.visible_seconds)
    if not seen.servers:
        return None
    if seen.reached:
        note("visible")
        return True
    note(f"not visible yet: {counted(seen.lag, 'version')} behind after {settings.visible_seconds:g} s")
    return False
