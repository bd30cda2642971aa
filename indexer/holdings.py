"""The archive's own file store: content-addressed, never half a file.

``<root>/<first two hex digits>/<sha256>``. Readers copy into ``<root>/.incoming/<run>/``; the file is
renamed to its place before the batch that names it is committed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from pathlib import Path
from typing import BinaryIO, Final, Self

from indexer.errors import IngestError

_INCOMING: Final = ".incoming"
_LOCK: Final = ".lock"


def location_of(checksum: str) -> str:
    """Return where content is kept, below the root of the file store."""
    return f"{checksum[:2]}/{checksum}"


class Incoming:
    """A run's folder for copies that are not settled yet; removed at the end, by the next run if need be."""

    def __init__(self, files_root: Path) -> None:
        self._root = files_root
        self.folder = files_root / _INCOMING / uuid.uuid4().hex
        self._lock: BinaryIO | None = None

    def __enter__(self) -> Self:
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            self._lock = _lock_of(self.folder).open("wb")
            # Locked before the folder is there, so that no other run ever sees it without its owner.
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            self.folder.mkdir()
        except OSError as error:
            raise storage_error(error) from error
        self._remove_abandoned()
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._lock is not None:
            _lock_of(self.folder).unlink(missing_ok=True)
            self._lock.close()

    def _remove_abandoned(self) -> None:
        for folder in (self._root / _INCOMING).iterdir():
            if folder.suffix != _LOCK and folder != self.folder:
                _remove_if_abandoned(folder)

    def holds(self, checksum: str) -> bool:
        """Whether the file store has this content already."""
        return (self._root / location_of(checksum)).is_file()

    def settle(self, copies: dict[str, Path]) -> None:
        """Rename copies to their places and make that durable; ``copies`` are by checksum.

        Raises
        ------
        IngestError
            When the file store cannot be written.
        """
        try:
            folders = {self._put(checksum, copy) for checksum, copy in copies.items()}
            for folder in folders:
                _sync_folder(folder)
        except OSError as error:
            raise storage_error(error) from error

    def _put(self, checksum: str, copy: Path) -> Path:
        place = self._root / location_of(checksum)
        if not place.parent.is_dir():
            place.parent.mkdir(parents=True, exist_ok=True)
            _sync_folder(self._root)
        copy.replace(place)
        return place.parent


def _lock_of(folder: Path) -> Path:
    return folder.with_suffix(_LOCK)


def _remove_if_abandoned(folder: Path) -> None:
    """Remove the folder of a run that is gone: then nobody holds its lock."""
    try:
        with _lock_of(folder).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
            _lock_of(folder).unlink(missing_ok=True)
    except OSError:
        # Held by a run that goes on, or just being removed by another one.
        return


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def storage_error(error: OSError) -> IngestError:
    """Return what stops a run when the file store cannot be written."""
    return IngestError("storage", f"The archive's file store cannot be written: {error.strerror}.")
