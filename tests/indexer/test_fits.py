from __future__ import annotations

import bz2
import gzip
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.errors import FileRefused
from indexer.fits import FitsFile, image_cards, read_fits
from indexer.streams import Limits


def written(folder: Path, content: bytes, name: str = "x.fits") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def refusal(path: Path, **limits: int) -> FileRefused:
    with pytest.raises(FileRefused) as caught:
        read_fits(path, Limits(**limits))
    return caught.value


def table(made: Any, *, rows: int, heap: int = 0, **cards: object) -> bytes:
    keys = {
        "XTENSION": "BINTABLE",
        "BITPIX": 8,
        "NAXIS": 2,
        "NAXIS1": 8,
        "NAXIS2": rows,
        "PCOUNT": heap,
        "GCOUNT": 1,
        "TFIELDS": 1,
        **cards,
    }
    data = bytes(8 * rows + heap)
    return bytes(made.header(keys)) + data + bytes(-len(data) % 2880)


def test_reads_the_cards_of_all_units_size_and_checksum(tmp_path: Path, made: Any) -> None:
    content = made.image(OBJECT="NGC 1") + table(made, rows=1000, heap=77, EXTNAME="T")
    found = read_fits(written(tmp_path, content))
    assert len(found.hdus) == 2
    assert found.hdus[0][-1].startswith("OBJECT  = 'NGC 1'")
    assert found.hdus[1][-1].startswith("EXTNAME = 'T'")
    assert all(len(card) == 80 for cards in found.hdus for card in cards)
    assert (found.size, found.checksum) == (len(content), hashlib.sha256(content).hexdigest())
    assert found.warnings == ()


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
def test_reads_what_is_compressed_and_hashes_what_is_stored(tmp_path: Path, made: Any, compress: Any) -> None:
    plain = made.image((50, 50)) + table(made, rows=3)
    stored = compress(plain)
    found = read_fits(written(tmp_path, stored))
    assert found.hdus == read_fits(written(tmp_path, plain, "plain.fits")).hdus
    assert found.checksum == hashlib.sha256(stored).hexdigest()


def test_reads_gzip_in_several_members(tmp_path: Path, made: Any) -> None:
    plain = made.image((50, 50))
    found = read_fits(written(tmp_path, gzip.compress(plain[:1000]) + gzip.compress(plain[1000:])))
    assert len(found.hdus) == 1


def test_random_groups_have_their_own_size(tmp_path: Path, made: Any) -> None:
    keys = {"SIMPLE": True, "BITPIX": -32, "NAXIS": 2, "NAXIS1": 0, "NAXIS2": 3, "GROUPS": True, "PCOUNT": 5}
    head = made.header({**keys, "GCOUNT": 100})
    data = bytes(4 * 100 * (5 + 3))
    assert read_fits(written(tmp_path, head + data + bytes(-len(data) % 2880))).warnings == ()
    assert refusal(written(tmp_path, head + data[:-1])).code == "truncated"


def test_a_hundred_thousand_cards_are_read(tmp_path: Path, made: Any) -> None:
    cards = b"".join(made.card(f"K{number}", number) for number in range(100_000))
    head = made.image()[: 5 * 80] + cards + b"END".ljust(80)
    content = head + b" " * (-len(head) % 2880) + bytes(2880)
    assert len(read_fits(written(tmp_path, content)).hdus[0]) == 100_005
    assert refusal(written(tmp_path, content), cards=50_000).code == "too-large"


def test_truncation_is_found_wherever_it_happens(tmp_path: Path, made: Any) -> None:
    content = made.image((100, 100)) + table(made, rows=1000)
    whole_first = len(made.image((100, 100)))
    for end in range(1, len(content), 997):
        path = written(tmp_path, content[:end])
        if end < 9:
            assert refusal(path).code == "not-fits"
        elif whole_first - 2880 < end <= whole_first and end > 2880 + 20_000:
            assert len(read_fits(path).hdus) == 1
        elif end >= whole_first + 2880 + 8000:
            assert len(read_fits(path).hdus) == 2
        else:
            assert refusal(path).code == "truncated", end


def test_truncated_compressed_data_are_refused(tmp_path: Path, made: Any) -> None:
    stored = gzip.compress(made.image((100, 100), bitpix=8) + os.urandom(0))
    for end in (11, len(stored) // 2, len(stored) - 9, len(stored) - 1):
        assert refusal(written(tmp_path, stored[:end])).code == "truncated", end


def test_damaged_compressed_data_are_refused(tmp_path: Path, made: Any) -> None:
    stored = bytearray(gzip.compress(made.image((100, 100))))
    stored[-6] ^= 0xFF
    assert refusal(written(tmp_path, bytes(stored))).code == "corrupt"
    stored = bytearray(bz2.compress(made.image((100, 100))))
    stored[len(stored) // 2] ^= 0xFF
    assert refusal(written(tmp_path, bytes(stored))).code == "corrupt"


def test_a_bomb_is_refused_early(tmp_path: Path, made: Any) -> None:
    head = made.header({"SIMPLE": True, "BITPIX": 8, "NAXIS": 1, "NAXIS1": 1 << 30})
    packed = gzip.compress(head + bytes(1 << 24))
    error = refusal(written(tmp_path, packed), free=1 << 20, ratio=100)
    assert error.code == "expands-too-far"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"\0" * 10_000, "not-fits"),
        (b"XTENSION= 'IMAGE   '".ljust(2880), "not-fits"),
        (b"<?xml version='1.0'?><VOTABLE/>", "not-fits"),
        (b"SIMPLE  =                    T".ljust(80) + os.urandom(5000), "no-end"),
        (b"SIMPLE  =                    T".ljust(2880), "truncated"),
        (b"\x1f\x9dnothing", "corrupt"),
    ],
)
def test_what_is_no_fits_file_is_refused_with_a_reason(tmp_path: Path, content: bytes, code: str) -> None:
    error = refusal(written(tmp_path, content))
    assert error.code == code
    assert error.message.endswith(".")


@pytest.mark.parametrize(
    "change",
    [{"BITPIX": 7}, {"BITPIX": "x"}, {"NAXIS1": -4}, {"NAXIS": -1}, {"NAXIS1": 1.5}],
)
def test_senseless_sizes_are_refused(tmp_path: Path, made: Any, change: dict[str, object]) -> None:
    keys: dict[str, object] = {"SIMPLE": True, "BITPIX": 8, "NAXIS": 1, "NAXIS1": 4, **change}
    assert refusal(written(tmp_path, made.header(keys) + bytes(2880))).code == "bad-structure"


def test_absurd_sizes_need_no_memory(tmp_path: Path, made: Any) -> None:
    keys = {"SIMPLE": True, "BITPIX": 64, "NAXIS": 2, "NAXIS1": 10**18, "NAXIS2": 10**18}
    assert refusal(written(tmp_path, made.header(keys))).code == "truncated"


def test_garbage_after_the_last_unit_is_tolerated_with_a_warning(tmp_path: Path, made: Any) -> None:
    found = read_fits(written(tmp_path, made.image() + b"garbage" * 1000))
    assert len(found.hdus) == 1
    assert "not FITS" in found.warnings[0]


def test_what_is_not_a_file_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path).code == "unreadable"
    assert refusal(tmp_path / "absent").code == "unreadable"
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert refusal(fifo).code == "unreadable"


def test_a_compressed_image_reads_like_the_image_that_it_holds(made: Any) -> None:
    keys = {
        "XTENSION": "BINTABLE",
        "BITPIX": 8,
        "NAXIS": 2,
        "NAXIS1": 8,
        "NAXIS2": 40,
        "PCOUNT": 99,
        "GCOUNT": 1,
        "TFIELDS": 1,
        "ZIMAGE": True,
        "ZBITPIX": -32,
        "ZNAXIS": 2,
        "ZNAXIS1": 300,
        "ZNAXIS2": 40,
        "OBJECT": "M 1",
    }
    text = made.header(keys).decode()
    cards = tuple(text[i : i + 80] for i in range(0, 80 * len(keys), 80))
    restored = {card[:8].strip(): card[10:].strip() for card in image_cards(cards)}
    assert restored == {
        "XTENSION": "'IMAGE   '",
        "BITPIX": "-32",
        "NAXIS": "2",
        "NAXIS1": "300",
        "NAXIS2": "40",
        "OBJECT": "'M 1'",
    }


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cuts=st.lists(st.tuples(st.integers(0, 20_000), st.binary(max_size=40)), max_size=5),
    packed=st.sampled_from([bytes, gzip.compress, bz2.compress]),
    after=st.booleans(),
)
def test_whatever_the_bytes_are_reading_ends_in_headers_or_a_reason(
    tmp_path: Path, made: Any, cuts: list[tuple[int, bytes]], packed: Any, *, after: bool
) -> None:
    content = made.image((30, 30)) + table(made, rows=10)
    content = packed(content) if after else content
    for number, piece in cuts:
        place = number % (len(content) + 1)
        content = content[:place] + piece + content[place + len(piece) // 2 :]
    content = content if after else packed(content)
    result = outcome(written(tmp_path, content))
    if isinstance(result, FileRefused):
        assert result.message.endswith(".")
    else:
        assert result.checksum == hashlib.sha256(content).hexdigest()
        assert result.hdus


@pytest.mark.parametrize("left", range(1, 9))
def test_a_file_that_ends_within_the_first_word_of_a_unit_is_incomplete(
    tmp_path: Path, made: Any, left: int
) -> None:
    content = made.image((4, 4)) + b"XTENSION"[:left]
    result = outcome(written(tmp_path, content))
    assert isinstance(result, FileRefused)
    assert result.code == "truncated"


def test_the_data_of_units_with_a_datasum_are_summed(tmp_path: Path, made: Any) -> None:
    stated = made.image((4, 4), DATASUM="'0'").replace(bytes(4), b"\x00\x00\x01\x02", 1)
    found = read_fits(written(tmp_path, stated))
    assert found.data_sums == (0x0102,)
    assert read_fits(written(tmp_path, made.image((4, 4)))).data_sums == (None,)


def outcome(path: Path) -> FitsFile | FileRefused:
    try:
        return read_fits(path)
    except FileRefused as error:
        return error
