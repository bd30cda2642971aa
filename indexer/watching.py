"""Folders that are looked at again and again: what is new in them, once it is complete."""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from indexer.discovery import Discovered, Found, NotRead, discover

OLD_SECONDS: Final = 60.0
"""A file that nobody wrote to for so long is complete."""

_Key: TypeAlias = tuple[Path, str]
_State: TypeAlias = tuple[object, ...]


class Watched:
    """Remembers what was found before.

    A file is complete when its size and time did not change from one look to the next, or when it was
    written long ago. Nothing is returned twice unless it changed.

    Parameters
    ----------
    paths : files, folders and globs; a glob may match nothing for now.
    settle_seconds : how long a young file must stay as it is.

    Raises
    ------
    IngestError
        When a path does not exist.
    """

    def __init__(self, paths: Sequence[str | Path], settle_seconds: float) -> None:
        self._paths = paths
        self._settle = settle_seconds
        self._taken: dict[_Key, _State] = {}
        self._waiting: dict[_Key, tuple[_State, float]] = {}
        discover(path for path in paths if not glob.has_magic(os.fspath(path)))

    def look(self) -> list[Discovered]:
        """Return what is new or changed, and complete."""
        found = {(item.root, item.relative): item for item in discover(self._paths, must_exist=False)}
        # What is gone may come again.
        self._taken = {key: state for key, state in self._taken.items() if key in found}
        self._waiting = {key: state for key, state in self._waiting.items() if key in found}
        return list(self._complete(found.items()))

    def _complete(self, found: Iterable[tuple[_Key, Discovered]]) -> Iterable[Discovered]:
        for key, item in found:
            state = _state(item)
            if self._taken.get(key) == state:
                continue
            if isinstance(item, Found) and not self._is_complete(key, item, state):
                continue
            self._waiting.pop(key, None)
            self._taken[key] = state
            yield item

    def _is_complete(self, key: _Key, item: Found, state: _State) -> bool:
        if time.time() - item.mtime / 1e9 > OLD_SECONDS:
            return True
        now = time.monotonic()
        before, since = self._waiting.get(key, (None, now))
        if before != state:
            self._waiting[key] = (state, now)
            return False
        return now - since >= self._settle


def _state(item: Discovered) -> _State:
    if isinstance(item, Found):
        return (item.size, item.mtime)
    return (item.code,) if isinstance(item, NotRead) else ()
