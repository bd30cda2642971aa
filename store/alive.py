"""Files that a process keeps locked for as long as it lives, so that others know whether it does."""

from __future__ import annotations

import fcntl
from pathlib import Path


def removed_if_dead(path: Path) -> bool:
    """Remove the file of a process that is gone; tell whether there is none any more.

    Raises
    ------
    OSError
        When the file is there and cannot be opened or removed.
    """
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
    except BlockingIOError:
        return False
    except FileNotFoundError:
        return True
    return True
