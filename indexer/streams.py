"""Read a file once: its checksum, a copy if wanted, and its bytes as they were before compression."""

from __future__ import annotations

import bz2
import hashlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Final, Protocol

from indexer.errors import FileRefused, IngestError
from indexer.lzw import LzwDecoder, LzwError

CHUNK: Final = 1 << 20
"""Bytes read at a time."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a file may ask of us.

    Attributes
    ----------
    expanded : bytes that a compressed file may become.
    ratio : how many times its size a compressed file may become, once it exceeds ``free``.
    free : bytes that any compressed file may become; masks of zeros compress a thousandfold.
    cards : header cards in one file.
    hdus : header-data units in one file.
    """

    expanded: int = 1 << 38
    ratio: int = 200
    free: int = 1 << 29
    cards: int = 400_000
    hdus: int = 20_000


class RawFile:
    """The stored bytes, hashed (and copied) while they are read."""

    def __init__(self, source: BinaryIO, copy: BinaryIO | None = None) -> None:
        self._source = source
        self._copy = copy
        self._hash = hashlib.sha256()
        self.size = 0

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes, none at the end."""
        try:
            found = self._source.read(size)
        except OSError as error:
            raise FileRefused("unreadable", f"Its bytes cannot be read: {error.strerror}.") from error
        self._hash.update(found)
        self.size += len(found)
        if self._copy is not None:
            self._write(self._copy, found)
        return found

    @staticmethod
    def _write(copy: BinaryIO, found: bytes) -> None:
        try:
            copy.write(found)
        except OSError as error:
            raise IngestError(
                "storage", f"The archive's file store cannot be written: {error.strerror}."
            ) from error

    def finish(self) -> str:
        """Read what is left and return the SHA-256 of all bytes as hexadecimal text."""
        while self.read(CHUNK):
            pass
        return self._hash.hexdigest()


class _Decoder(Protocol):
    def more(self) -> bytes:
        """Return some expanded bytes; none at the end."""
        ...


class _Plain:
    def __init__(self, raw: Callable[[int], bytes]) -> None:
        self._raw = raw

    def more(self) -> bytes:
        return self._raw(CHUNK)


class _Members:
    """Compressed members one after the other, as gzip and bzip2 allow."""

    def __init__(self, raw: Callable[[int], bytes], name: str) -> None:
        self._raw = raw
        self._name = name
        self._pending = b""
        self._decoder = self._new()

    def _new(self) -> zlib._Decompress | bz2.BZ2Decompressor:
        return bz2.BZ2Decompressor() if self._name == "bzip2" else zlib.decompressobj(wbits=31)

    def more(self) -> bytes:
        while True:
            if self._decoder.eof and not self._next_member():
                return b""
            needed = getattr(self._decoder, "needs_input", not self._pending)
            if needed and not self._pending:
                self._pending = self._raw(CHUNK)
                if not self._pending:
                    raise FileRefused(
                        "truncated", f"The {self._name} data end too early; the file is incomplete."
                    )
            found = self._expand()
            if found:
                return found

    def _expand(self) -> bytes:
        data, self._pending = self._pending, b""
        try:
            found = self._decoder.decompress(data, CHUNK)
        except (zlib.error, OSError, ValueError) as error:
            raise FileRefused("corrupt", f"The {self._name} data are damaged: {error}.") from error
        if not isinstance(self._decoder, bz2.BZ2Decompressor):
            self._pending = self._decoder.unconsumed_tail
        return found

    def _next_member(self) -> bool:
        rest = self._decoder.unused_data or self._pending or self._raw(CHUNK)
        magic = b"BZh" if self._name == "bzip2" else b"\x1f\x8b"
        # What follows the last member and is no member is padding.
        if not rest.startswith(magic):
            return False
        self._pending, self._decoder = rest, self._new()
        return True


class _Lzw:
    def __init__(self, raw: Callable[[int], bytes]) -> None:
        try:
            self._decoder = LzwDecoder(_Buffered(raw).read)
        except LzwError as error:
            raise FileRefused("corrupt", f"The compressed data are damaged: {error}.") from error

    def more(self) -> bytes:
        try:
            return self._decoder.decode()
        except LzwError as error:
            raise FileRefused("corrupt", f"The compressed data are damaged: {error}.") from error


class _Buffered:
    """Small reads from large ones."""

    def __init__(self, raw: Callable[[int], bytes]) -> None:
        self._raw = raw
        self._data = b""
        self._place = 0

    def read(self, size: int) -> bytes:
        if self._place >= len(self._data):
            self._data, self._place = self._raw(CHUNK), 0
        found = self._data[self._place : self._place + size]
        self._place += len(found)
        return found


ENCODINGS: Final = {b"\x1f\x8b": "gzip", b"\x1f\x9d": "compress", b"BZ": "bzip2"}
"""How the first two bytes of a file tell its compression."""


class Expanded:
    """The bytes of a file as they were before compression, within limits."""

    def __init__(self, raw: RawFile, limits: Limits) -> None:
        start = raw.read(CHUNK)
        self._raw = raw
        self._limits = limits
        self.encoding = ENCODINGS.get(start[:2])
        self._decoder = self._decode(_Rewound(start, raw.read).read)
        self._data = memoryview(b"")
        self.total = 0

    def _decode(self, raw: Callable[[int], bytes]) -> _Decoder:
        if self.encoding is None:
            return _Plain(raw)
        return _Lzw(raw) if self.encoding == "compress" else _Members(raw, self.encoding)

    def _more(self) -> bool:
        found = self._decoder.more()
        self._data = memoryview(found)
        self.total += len(found)
        if self.encoding is not None:
            self._check()
        return bool(found)

    def _check(self) -> None:
        limits = self._limits
        if self.total > limits.expanded or (
            self.total > limits.free and self.total > limits.ratio * self._raw.size
        ):
            raise FileRefused(
                "expands-too-far",
                f"Decompressed it is more than {self.total >> 20} MB, from {self._raw.size >> 10} kB.",
            )

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes, fewer only at the end."""
        parts: list[bytes] = []
        missing = size
        while missing and (self._data or self._more()):
            part = bytes(self._data[:missing])
            self._data = self._data[len(part) :]
            missing -= len(part)
            parts.append(part)
        return b"".join(parts)

    def skip(self, size: int, seen: Callable[[memoryview], None] | None = None) -> int:
        """Pass over ``size`` bytes, show them to ``seen`` piece by piece, and return how many there were."""
        missing = size
        while missing and (self._data or self._more()):
            step = min(missing, len(self._data))
            if seen is not None:
                seen(self._data[:step])
            self._data = self._data[step:]
            missing -= step
        return size - missing


class _Rewound:
    """What was read already, then the rest."""

    def __init__(self, start: bytes, rest: Callable[[int], bytes]) -> None:
        self._start = start
        self._rest = rest

    def read(self, size: int) -> bytes:
        if not self._start:
            return self._rest(size)
        found, self._start = self._start[:size], self._start[size:]
        return found
