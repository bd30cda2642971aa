"""Packages as tar files: POSIX.1-2001 pax, plain ustar where names are short and files below 8 GiB."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from archive.packages.layout import Entry

_BLOCK = 512
_RECORD = 10_240
"""Tar files are read, and filled up with zeros, in records of 20 blocks."""


@dataclass(frozen=True, slots=True)
class Tar:
    """Entries as ``tar`` reads them."""

    suffix: str = "tar"
    media_type: str = "application/x-tar"
    has_crcs: bool = False

    def head(self, entry: Entry) -> bytes:
        """Return the header, before it the extended one if the entry needs that."""
        info = tarfile.TarInfo(entry.name)
        info.size, info.mtime, info.mode = entry.size, entry.mtime, 0o644
        return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")

    def tail(self, entry: Entry, crc: int) -> bytes:
        """Fill up the last block."""
        del crc
        return bytes(-entry.size % _BLOCK)

    def end(self, entries: Sequence[Entry], starts: Sequence[int], crc: Callable[[Entry], int]) -> bytes:
        """Return two empty blocks and what fills up the last record."""
        del entries, crc
        return bytes(2 * _BLOCK + -(starts[-1] + 2 * _BLOCK) % _RECORD)
