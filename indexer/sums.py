"""The checksum of a unit's data, while they pass by (FITS 4.0, section 4.4.2.7 and appendix J)."""

from __future__ import annotations

from typing import Final

import numpy as np

_WORD: Final = 4
_CARRY: Final = 32
_ALL_ONES: Final = 0xFFFFFFFF


class DataSum:
    """The ones' complement sum of 32-bit words, most significant byte first, of bytes given in pieces."""

    def __init__(self) -> None:
        self._sum = 0
        self._rest = b""

    def add(self, data: bytes | memoryview) -> None:
        """Add the bytes that follow."""
        if self._rest:
            missing = _WORD - len(self._rest)
            self._rest, data = self._rest + bytes(data[:missing]), data[missing:]
            if len(self._rest) < _WORD:
                return
            self._sum += int.from_bytes(self._rest, "big")
        whole = len(data) - len(data) % _WORD
        self._sum += int(np.frombuffer(data[:whole], ">u4").sum(dtype=np.uint64))
        self._rest = bytes(data[whole:])

    @property
    def value(self) -> int:
        """The sum so far; bytes missing from the last word count as zeros."""
        total = self._sum + int.from_bytes(self._rest.ljust(_WORD, b"\0"), "big")
        while total > _ALL_ONES:
            total = (total & _ALL_ONES) + (total >> _CARRY)
        return total
