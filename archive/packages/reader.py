"""Reading a package from any byte to any other, file after file, with an eye on what changed meanwhile."""

from __future__ import annotations

import errno
import os
import zlib
from collections.abc import Callable, Generator, Mapping

from archive.files.ranges import Span
from archive.packages.layout import Entry, Layout
from archive.problems import Problem

CHUNK = 1 << 20
"""Bytes handed out at once, of several small files or of a part of a large one."""


class Reader:
    """Reads one package.

    Parameters
    ----------
    layout
        Where its bytes are.
    open_file
        Opens the file of an entry, as it was recorded, and returns the descriptor.
    known
        CRC-32s by SHA-256; those of others are computed on the way, or by reading these files once more.
    learn
        Takes CRC-32s that were computed.
    """

    def __init__(
        self,
        layout: Layout,
        open_file: Callable[[Entry], int],
        *,
        known: Callable[[], Mapping[str, int]] = dict,
        learn: Callable[[Mapping[str, int]], None] = lambda _: None,
    ) -> None:
        self._layout = layout
        self._open = open_file
        self._load = known
        self._learn = learn
        self._crcs: dict[str, int] = {}
        self._fresh: dict[str, int] = {}

    def read(self, span: Span) -> Generator[bytes]:
        """Yield the bytes of a span in chunks of about ``CHUNK``.

        Raises
        ------
        OSError
            When a file is not, or no longer while it is read, what was recorded.
        """
        if self._layout.form.has_crcs:
            self._crcs.update(self._load())
        held: list[bytes] = []
        size = 0
        try:
            for piece in self._pieces(span.first, span.last + 1):
                if size and size + len(piece) > CHUNK:
                    yield b"".join(held)
                    held, size = [], 0
                held.append(piece)
                size += len(piece)
            if held:
                yield b"".join(held)
        finally:
            self._learn(self._fresh)

    def _pieces(self, first: int, end: int) -> Generator[bytes]:
        layout, form = self._layout, self._layout.form
        for number in range(layout.at(first), len(layout.entries)):
            start, content, entry = layout.starts[number], layout.content(number), layout.entries[number]
            after = content + entry.size
            if start >= end:
                return
            if first < content:
                yield form.head(entry)[max(first - start, 0) : end - start]
            if first < after and content < end:
                yield from self._content(entry, max(first - content, 0), min(end - content, entry.size))
            if after < end and first < layout.starts[number + 1]:
                yield form.tail(entry, self._crc(entry))[max(first - after, 0) : end - after]
        start = layout.starts[-1]
        if start < end:
            yield form.end(layout.entries, layout.starts, self._crc)[max(first - start, 0) : end - start]

    def _content(self, entry: Entry, first: int, end: int) -> Generator[bytes]:
        if entry.content is not None:
            yield entry.content[first:end]
            return
        wanted = self._layout.form.has_crcs and end - first == entry.size and entry.checksum not in self._crcs
        crc = 0
        for piece in self._of_file(entry, first, end):
            if wanted:
                crc = zlib.crc32(piece, crc)
            yield piece
        if wanted:
            self._keep(entry, crc)

    def _of_file(self, entry: Entry, first: int, end: int) -> Generator[bytes]:
        descriptor = self._opened(entry)
        try:
            before = _mark(descriptor)
            while first < end:
                piece = os.pread(descriptor, min(CHUNK, end - first), first)
                first += len(piece)
                # Before the last bytes go out: whoever has them all is to have what was recorded.
                if not piece or (first == end and _mark(descriptor) != before):
                    raise OSError(errno.EIO, f"{entry.name} changed while it was read")
                yield piece
        finally:
            os.close(descriptor)

    def _opened(self, entry: Entry) -> int:
        try:
            return self._open(entry)
        except Problem as problem:
            raise OSError(errno.EIO, f"{entry.name} cannot be sent: {problem.detail}") from problem

    def _crc(self, entry: Entry) -> int:
        if not self._layout.form.has_crcs:
            return 0
        if entry.content is not None:
            return zlib.crc32(entry.content)
        if entry.checksum not in self._crcs:
            crc = 0
            for piece in self._of_file(entry, 0, entry.size):
                crc = zlib.crc32(piece, crc)
            self._keep(entry, crc)
        return self._crcs[entry.checksum]

    def _keep(self, entry: Entry, crc: int) -> None:
        self._crcs[entry.checksum] = self._fresh[entry.checksum] = crc


def _mark(descriptor: int) -> tuple[int, int]:
    found = os.fstat(descriptor)
    return found.st_size, found.st_mtime_ns
