"""Packages as zip files (APPNOTE 6.3): stored, with data descriptors, ZIP64 where it is needed."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from archive.packages.layout import Entry

_FULL = 0xFFFFFFFF
_MANY = 0xFFFF
_FLAGS = 0x0808
"""Names are UTF-8; CRC and sizes follow the content."""

_UNIX_FILE = 0o100644 << 16
_BY_UNIX = 3 << 8 | 45
_FIRST_YEAR, _LAST_YEAR = 1980, 2107


@dataclass(frozen=True, slots=True)
class Zip:
    """Entries as ``unzip`` reads them."""

    suffix: str = "zip"
    media_type: str = "application/zip"
    has_crcs: bool = True

    def head(self, entry: Entry) -> bytes:
        """Return the local header (section 4.3.7)."""
        name, large = entry.name.encode(), entry.size >= _FULL
        shown = _FULL if large else 0
        extra = struct.pack("<HHQQ", 1, 16, entry.size, entry.size) if large else b""
        fields = (0x04034B50, _version(large=large), _FLAGS, 0, *_moment(entry.mtime), 0, shown, shown)
        return struct.pack("<IHHHHHIIIHH", *fields, len(name), len(extra)) + name + extra

    def tail(self, entry: Entry, crc: int) -> bytes:
        """Return the data descriptor (section 4.3.9)."""
        sizes = "QQ" if entry.size >= _FULL else "II"
        return struct.pack(f"<II{sizes}", 0x08074B50, crc, entry.size, entry.size)

    def end(self, entries: Sequence[Entry], starts: Sequence[int], crc: Callable[[Entry], int]) -> bytes:
        """Return the central directory and its end (sections 4.3.12 to 4.3.16)."""
        records = [_central(entry, start, crc(entry)) for entry, start in zip(entries, starts, strict=False)]
        directory, place, count = b"".join(records), starts[-1], len(entries)
        end = b""
        if count >= _MANY or place >= _FULL or len(directory) >= _FULL:
            end = struct.pack(
                "<IQHHIIQQQQ", 0x06064B50, 44, _BY_UNIX, 45, 0, 0, count, count, len(directory), place
            ) + struct.pack("<IIQI", 0x07064B50, 0, place + len(directory), 1)
        few, size, begin = min(count, _MANY), min(len(directory), _FULL), min(place, _FULL)
        return directory + end + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, few, few, size, begin, 0)


def _central(entry: Entry, start: int, crc: int) -> bytes:
    name, large, far = entry.name.encode(), entry.size >= _FULL, start >= _FULL
    numbers = ((entry.size, entry.size) if large else ()) + ((start,) if far else ())
    extra = struct.pack(f"<HH{len(numbers)}Q", 1, 8 * len(numbers), *numbers) if numbers else b""
    shown = _FULL if large else entry.size
    fields = (
        0x02014B50,
        _BY_UNIX,
        _version(large=large or far),
        _FLAGS,
        0,
        *_moment(entry.mtime),
        crc,
        shown,
    )
    rest = (shown, len(name), len(extra), 0, 0, 0, _UNIX_FILE, _FULL if far else start)
    return struct.pack("<IHHHHHHIIIHHHHHII", *fields, *rest) + name + extra


def _version(*, large: bool) -> int:
    return 45 if large else 20


def _moment(seconds: int) -> tuple[int, int]:
    """Return time and date of MS-DOS, in UTC."""
    at = datetime.fromtimestamp(seconds, UTC)
    if at.year < _FIRST_YEAR:
        at = datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC)
    elif at.year > _LAST_YEAR:
        at = datetime(_LAST_YEAR, 12, 31, 23, 59, 58, tzinfo=UTC)
    return (
        at.hour << 11 | at.minute << 5 | at.second // 2,
        (at.year - _FIRST_YEAR) << 9 | at.month << 5 | at.day,
    )
