"""Decode what the Unix tool ``compress`` wrote (``.Z``): LZW with codes of 9 to 16 bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

_CLEAR = 256
_BLOCK_MODE = 0x80
_BITS = 0x1F
_PIECE = 256
"""Longest text that one entry of the table keeps; longer ones continue an earlier entry, so that the
table stays below 20 MB whatever the bytes say."""

_Entry: TypeAlias = tuple[int, bytes]
"""The number of the entry that this one continues (-1 for none), and its own text."""


class LzwError(ValueError):
    """The bytes are no LZW stream."""


class LzwDecoder:
    """Decode a stream piece by piece.

    ``read`` gives the next compressed bytes, at most as many as asked for, and none at the end.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        header = read(3)
        if len(header) < 3 or header[:2] != b"\x1f\x9d":
            raise LzwError("it does not begin as a compressed file does")
        self._most_bits = header[2] & _BITS
        if not 9 <= self._most_bits <= 16:
            raise LzwError(f"it asks for codes of {self._most_bits} bits")
        self._block_mode = bool(header[2] & _BLOCK_MODE)
        self._table: list[_Entry] = []
        self._previous = -1
        self._bits = 9
        self._restart()

    def _restart(self) -> None:
        self._table = [(-1, bytes((value,))) for value in range(256)]
        if self._block_mode:
            self._table.append((-1, b""))
        self._previous = -1
        self._bits = 9

    def decode(self) -> bytes:
        """Return the bytes of the next group of codes, b"" at the end.

        ``compress`` writes codes in groups of eight, and pads the last group before the code size
        changes; so one group is the unit of decoding.

        Raises
        ------
        LzwError
            When a code refers to what was not written yet.
        """
        out: list[bytes] = []
        for _ in range(64):
            group = self._fill(self._bits)
            if not group:
                break
            self._decode_group(group, out)
        return b"".join(out)

    def _fill(self, size: int) -> bytes:
        found = self._read(size)
        while len(found) < size:
            more = self._read(size - len(found))
            if not more:
                break
            found += more
        return found

    def _decode_group(self, group: bytes, out: list[bytes]) -> None:
        bits = self._bits
        pending = int.from_bytes(group, "little")
        mask = (1 << bits) - 1
        for _ in range(len(group) * 8 // bits):
            code = pending & mask
            pending >>= bits
            if code == _CLEAR and self._block_mode:
                self._restart()
                return
            out.append(self._expand(code))
            # The encoder widens its codes when the table outgrows them.
            if len(self._table) > mask and bits < self._most_bits:
                self._bits = bits + 1
                return

    def _expand(self, code: int) -> bytes:
        table, previous = self._table, self._previous
        if code < len(table):
            text = self._text(code)
            if previous >= 0:
                self._add(previous, text[:1])
        elif code == len(table) and previous >= 0:
            self._add(previous, self._text(previous)[:1])
            text = self._text(code) if code < len(table) else b""
        else:
            raise LzwError("a code refers to what was not written yet")
        if not text:
            raise LzwError("a code refers to nothing")
        self._previous = code
        return text

    def _add(self, previous: int, letter: bytes) -> None:
        if len(self._table) >= 1 << self._most_bits:
            return
        base, text = self._table[previous]
        self._table.append((base, text + letter) if len(text) < _PIECE else (previous, letter))

    def _text(self, code: int) -> bytes:
        base, text = self._table[code]
        if base < 0:
            return text
        parts = [text]
        while base >= 0:
            base, text = self._table[base]
            parts.append(text)
        return b"".join(reversed(parts))
