import numpy as np
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from indexer.sums import DataSum


@given(st.binary(max_size=600), st.lists(st.integers(0, 50), max_size=20))
def test_pieces_sum_up_to_what_astropy_computes(data: bytes, pieces: list[int]) -> None:
    data += bytes(-len(data) % 2880)
    total, rest = DataSum(), memoryview(data)
    for size in pieces:
        total.add(rest[:size])
        rest = rest[size:]
    total.add(rest)
    expected = fits.PrimaryHDU()._compute_checksum(np.frombuffer(data, np.uint8)) if data else 0
    assert total.value == int(expected)


def test_carries_come_back_at_the_low_end() -> None:
    total = DataSum()
    total.add(b"\xff\xff\xff\xff\x00\x00\x00\x02")
    assert total.value == 2


def test_an_incomplete_word_counts_as_filled_up_with_zeros() -> None:
    total = DataSum()
    total.add(b"\x01")
    assert total.value == 0x01000000
