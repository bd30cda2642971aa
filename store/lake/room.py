"""Whether the disk has room: a batch that would not fit is refused before it is begun."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from store.lake.errors import LakeError

RESERVE: Final = 1 << 20
"""Bytes that stay free, for the ledger and the database."""


def require_room(folder: Path, size: int) -> None:
    """Refuse to write rows of ``size`` bytes in memory where they would fill the disk.

    On disk they are smaller; a quarter is what is asked for.

    Raises
    ------
    LakeError
        When there is no room.
    """
    while not folder.exists():
        folder = folder.parent
    if shutil.disk_usage(folder).free < RESERVE + size // 4:
        raise LakeError("No space left on device")
