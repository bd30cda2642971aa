"""What a batch wrote reaches the disk before the ledger names it, and its ledger row before its end is told.

Otherwise a machine that loses power may keep the ledger's row and lose rows of the tables it speaks of.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final

from store.lake.errors import told_as_lake_errors
from store.lake.holdings import Holdings
from store.lake.ledger import Entry

AT_ONCE: Final = 8
"""Files flushed side by side; file systems then share their work between them."""


def enter(lake: Holdings, entry: Entry, base: Entry, *, merge: bool = False) -> None:
    """Enter a batch in the ledger, on top of ``base``; ``merge`` has the ledger's rows put into one file.

    Raises
    ------
    LakeError
        When it cannot be entered, or a disk does not take it.
    """
    with told_as_lake_errors("flushing the batch to disk"):
        flush(_written(lake, entry, base), up_to=lake.root)
    ledger = lake.ledger
    with told_as_lake_errors("entering the batch in the ledger"):
        before = ledger.log.tip()
        (ledger.rewrite if merge else ledger.enter)(entry)
    with told_as_lake_errors("flushing the ledger to disk"):
        flush(ledger.log.written(before, ledger.log.tip()), up_to=lake.root)


def flush(files: Iterable[Path], *, up_to: Path) -> None:
    """Return once files, and the names of what is new on the way to them from a folder, are on disk.

    Raises
    ------
    OSError
        When the disk does not take one.
    """
    chosen = list(files)
    folders = {folder for file in chosen for folder in file.parents if folder.is_relative_to(up_to)}
    if not chosen:
        return
    with ThreadPoolExecutor(min(AT_ONCE, len(chosen))) as pool:
        # Names last: whoever finds one finds what it names.
        for paths in (chosen, folders):
            list(pool.map(_flush, paths))


def _written(lake: Holdings, entry: Entry, base: Entry) -> Iterator[Path]:
    """Yield the files that tables gained from one entry to a later one."""
    for name, pin in entry.tables.items():
        old = base.tables.get(name)
        if old != pin:
            before = old.version if old is not None and old.path == pin.path else -1
            yield from lake.table_at(pin.path).written(before, pin.version)


def _flush(path: Path) -> None:
    # What a dead writer left, and repair takes back, need not be whole.
    with suppress(FileNotFoundError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
