"""``compress`` is not everywhere, so the tests bring an encoder; gzip reads the format and is the judge."""

from __future__ import annotations

import contextlib
import io
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.errors import FileRefused
from indexer.fits import read_fits
from indexer.lzw import LzwDecoder, LzwError


class Encoder:
    """LZW as ``compress`` writes it: groups of eight codes, padded where their size changes."""

    def __init__(self, most_bits: int) -> None:
        self.out = bytearray((0x1F, 0x9D, 0x80 | most_bits))
        self.most_bits = most_bits
        self.bits = 9
        self.group: list[int] = []

    def encode(self, data: bytes) -> bytes:
        table = {bytes((value,)): value for value in range(256)}
        number, text = 257, b""
        for value in data:
            longer = text + bytes((value,))
            if longer in table:
                text = longer
                continue
            self.emit(table[text])
            if number < 1 << self.most_bits:
                table[longer] = number
                number += 1
                if number > 1 << self.bits and self.bits < self.most_bits:
                    self.flush(padded=True)
                    self.bits += 1
            text = bytes((value,))
        if text:
            self.emit(table[text])
        self.flush(padded=False)
        return bytes(self.out)

    def emit(self, code: int) -> None:
        self.group.append(code)
        if len(self.group) == 8:
            self.flush(padded=True)

    def flush(self, *, padded: bool) -> None:
        packed = sum(code << (place * self.bits) for place, code in enumerate(self.group))
        used = (len(self.group) * self.bits + 7) // 8
        self.out += packed.to_bytes(self.bits, "little")[: self.bits if padded and self.group else used]
        self.group = []


def decoded(data: bytes) -> bytes:
    decoder = LzwDecoder(io.BytesIO(data).read)
    parts = []
    while part := decoder.decode():
        parts.append(part)
    return b"".join(parts)


@given(
    st.lists(st.tuples(st.binary(min_size=1, max_size=20), st.integers(1, 300)), max_size=20),
    st.integers(9, 16),
)
def test_decodes_what_was_encoded(pieces: list[tuple[bytes, int]], most_bits: int) -> None:
    data = b"".join(piece * times for piece, times in pieces)
    assert decoded(Encoder(most_bits).encode(data)) == data


def test_the_encoder_of_these_tests_writes_what_others_read() -> None:
    data = bytes(range(256)) * 50 + b"abc" * 5000
    stored = Encoder(16).encode(data)
    assert subprocess.run(["gzip", "-dc"], input=stored, capture_output=True, check=True).stdout == data


def repeats(times: int) -> bytes:
    """Encode zeros: every code is the entry that it makes itself."""
    encoder = Encoder(16)
    for number in range(258, 258 + times):
        encoder.emit(0 if number == 258 else number - 2)
        if number > 1 << encoder.bits and encoder.bits < 16:
            encoder.flush(padded=True)
            encoder.bits += 1
    encoder.flush(padded=False)
    return bytes(encoder.out)


def test_very_long_repeats_need_little_memory() -> None:
    decoder = LzwDecoder(io.BytesIO(repeats(8000)).read)
    total = 0
    while part := decoder.decode():
        total += len(part)
    assert total == 8000 * 8001 // 2
    assert sum(len(text) for _, text in decoder._table) < 8000 * 256


@given(st.binary(max_size=2000))
def test_any_bytes_end_in_text_or_an_error(tail: bytes) -> None:
    with contextlib.suppress(LzwError):
        assert len(decoded(b"\x1f\x9d\x90" + tail)) >= len(tail) * 8 // 16 - 64


def test_a_compressed_fits_file_is_read(tmp_path: Path, made: Any) -> None:
    plain = made.image((200, 100), OBJECT="NGC 253")
    path = tmp_path / "x.fits.Z"
    path.write_bytes(stored := Encoder(16).encode(plain))
    found = read_fits(path)
    assert (found.encoding, found.hdus[0][-1][:19]) == ("compress", "OBJECT  = 'NGC 253'")
    path.write_bytes(stored[: len(stored) // 3])
    with pytest.raises(FileRefused, match=r"incomplete|ends within"):
        read_fits(path)
