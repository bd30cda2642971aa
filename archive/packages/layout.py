"""Where each byte of a package is: known from names and sizes, before any file is read.

A package is a row of entries, each with a head, its content and a tail, and an end. All lengths follow from
the entries, so that the package has a size and an entity tag before it is sent, and may be sent from any
byte on. Only CRCs, where a form has them, depend on contents; what names them has the same length always.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a package: its path there, its size in bytes, its time in seconds since 1970, its SHA-256.

    ``content`` has the bytes of what is made for the package; None for a file of the archive.
    """

    name: str
    size: int
    mtime: int
    checksum: str
    content: bytes | None = None


class Form(Protocol):
    """A way to put entries one after the other."""

    @property
    def suffix(self) -> str:
        """What names of such files end with, without a dot."""

    @property
    def media_type(self) -> str:
        """The media type."""

    @property
    def has_crcs(self) -> bool:
        """Whether tails and end hold CRC-32s of contents."""

    def head(self, entry: Entry) -> bytes:
        """Return what stands before the content."""

    def tail(self, entry: Entry, crc: int) -> bytes:
        """Return what stands after the content."""

    def end(self, entries: Sequence[Entry], starts: Sequence[int], crc: Callable[[Entry], int]) -> bytes:
        """Return what stands after all entries; ``starts`` has the offsets of their heads."""


class Layout:
    """The places of all entries of a package in one form.

    Attributes
    ----------
    entries, form
        What the package is made of.
    starts
        Offset of the head of each entry, and of the end.
    size
        Bytes of the whole.
    tag
        Changes with any byte of the whole: a digest of all that it is made of.
    """

    def __init__(self, entries: Sequence[Entry], form: Form) -> None:
        self.entries, self.form = entries, form
        self.starts, self._contents = array("Q"), array("Q")
        digest, place = blake2b(digest_size=16), 0
        for entry in entries:
            head, tail = form.head(entry), form.tail(entry, 0)
            self.starts.append(place)
            self._contents.append(place + len(head))
            place += len(head) + entry.size + len(tail)
            digest.update(head + entry.checksum.encode() + tail)
        self.starts.append(place)
        end = form.end(entries, self.starts, lambda _: 0)
        digest.update(end)
        self.size = place + len(end)
        self.tag = digest.hexdigest()

    def at(self, place: int) -> int:
        """Return the number of the entry that has the byte at an offset; that of the end is one more."""
        return bisect_right(self.starts, place) - 1

    def content(self, number: int) -> int:
        """Return the offset of the content of an entry."""
        return self._contents[number]
