"""A progress bar on standard error, where a person looks at it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from indexer.summary import Progress, Report


@contextmanager
def bar(*, quiet: bool) -> Iterator[Report | None]:
    """Yield what a run reports to; None when nobody would see it."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("reading", total=None)

        def report(progress: Progress) -> None:
            description = progress.what[-40:] or "reading"
            shown.update(task, completed=progress.done, total=progress.found, description=description)

        yield report
