"""Read the headers of a FITS file and pass over its data (FITS 4.0, sections 3.3, 4.4.1 and 7)."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from indexer.errors import FileRefused
from indexer.streams import Expanded, Limits, RawFile
from indexer.sums import DataSum

BLOCK: Final = 2880
CARD: Final = 80
MAGIC: Final = b"SIMPLE  ="
"""How every FITS file begins."""
EXTENSION: Final = b"XTENSION"
"""How every unit but the first begins."""

_BITPIX: Final = frozenset({8, 16, 32, 64, -32, -64})
_STRUCTURE: Final = re.compile(r"(SIMPLE|XTENSION|BITPIX|NAXIS\d{0,3}|PCOUNT|GCOUNT|GROUPS|ZIMAGE)\Z")
_KEYWORD: Final = re.compile(rb"[\x20-\xff]{8}\Z")


@dataclass(frozen=True, slots=True)
class FitsFile:
    """What a file says of itself.

    Attributes
    ----------
    hdus : the cards of each header-data unit, 80 characters each, END left out.
    size : bytes of the file as it is stored.
    checksum : SHA-256 of these bytes, hexadecimal.
    encoding : gzip, compress or bzip2; None for a plain file.
    warnings : what is unusual and was tolerated.
    data_sums : for each unit whose header states a DATASUM that can be checked, that of the data found.
    """

    hdus: tuple[tuple[str, ...], ...]
    size: int
    checksum: str
    encoding: str | None
    warnings: tuple[str, ...] = ()
    data_sums: tuple[int | None, ...] = ()


@dataclass(slots=True)
class _Walk:
    stream: Expanded
    limits: Limits
    cards: int = 0
    hdus: list[tuple[str, ...]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    data_sums: list[int | None] = field(default_factory=list)


def read_fits(path: Path, limits: Limits | None = None, *, copy: BinaryIO | None = None) -> FitsFile:
    """Read a file's headers, size and checksum in one pass; memory does not grow with the data.

    Parameters
    ----------
    path : a FITS file, plain or compressed by gzip, compress or bzip2.
    limits : what the file may ask of us.
    copy : where its bytes are copied to as they are read.

    Raises
    ------
    FileRefused
        When it cannot be read, is no FITS file, is incomplete, or asks for more than the limits allow.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise FileRefused("unreadable", f"It cannot be opened: {error.strerror}.") from error
    before = os.fstat(descriptor)
    if not stat.S_ISREG(before.st_mode):
        os.close(descriptor)
        raise FileRefused("unreadable", "It is not a regular file.")
    with os.fdopen(descriptor, "rb", buffering=0) as source:
        found = _read(RawFile(source, copy), limits or Limits())
        after = os.fstat(descriptor)
    same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    if not same or found.size != after.st_size:
        raise FileRefused("changing", "It changed while it was read; try again when it is complete.")
    return found


def _read(raw: RawFile, limits: Limits) -> FitsFile:
    stream = Expanded(raw, limits)
    walk = _Walk(stream, limits)
    _walk(walk)
    if stream.encoding is not None:
        _drain(walk)
    checksum = raw.finish()
    return FitsFile(
        tuple(walk.hdus),
        raw.size,
        checksum,
        stream.encoding,
        tuple(walk.warnings),
        tuple(walk.data_sums),
    )


def _drain(walk: _Walk) -> None:
    # The checksum of compressed data stands at their end.
    while walk.stream.skip(1 << 24):
        pass


def _walk(walk: _Walk) -> None:
    block = walk.stream.read(BLOCK)
    _check_start(block)
    while True:
        cards = _header(walk, block)
        walk.hdus.append(cards)
        if len(walk.hdus) > walk.limits.hdus:
            raise FileRefused("too-large", f"It has more than {walk.limits.hdus} header-data units.")
        _pass_data(walk, data_size(cards, primary=len(walk.hdus) == 1))
        block = walk.stream.read(BLOCK)
        if not block.startswith(EXTENSION):
            break
    if block and EXTENSION.startswith(block):
        raise FileRefused("truncated", f"The file ends within header {len(walk.hdus) + 1}.")
    if block.strip(b"\0 "):
        walk.warnings.append(f"what follows the last of {len(walk.hdus)} header-data units is not FITS")


def _check_start(block: bytes) -> None:
    if not block:
        raise FileRefused("empty", "The file is empty.")
    if block.startswith(EXTENSION):
        raise FileRefused("not-fits", "It begins with an extension; its primary header is missing.")
    if not block.startswith(MAGIC):
        raise FileRefused("not-fits", "It is not a FITS file: it does not begin with SIMPLE.")
    if len(block) < BLOCK:
        raise FileRefused("truncated", "The file ends within its first header.")


def _header(walk: _Walk, block: bytes) -> tuple[str, ...]:
    number = len(walk.hdus) + 1
    blocks: list[bytes] = []
    while (end := _end_of(block)) is None:
        if len(block) < BLOCK:
            raise FileRefused("truncated", f"The file ends within header {number}, before its END card.")
        _check_text(block, number)
        blocks.append(block)
        walk.cards += BLOCK // CARD
        if walk.cards > walk.limits.cards:
            raise FileRefused("too-large", f"Its headers have more than {walk.limits.cards} cards.")
        block = walk.stream.read(BLOCK)
    if len(block) < BLOCK:
        walk.warnings.append(f"header {number} is not filled up to 2880 bytes")
    blocks.append(block[:end])
    text = b"".join(blocks).decode("latin-1")
    return tuple(text[start : start + CARD] for start in range(0, len(text), CARD))


def _end_of(block: bytes) -> int | None:
    place = block.find(b"END")
    while place >= 0:
        if place % CARD == 0 and not block[place + 3 : place + CARD].strip(b" \0"):
            return place
        place = block.find(b"END", place + 1)
    return None


def _check_text(block: bytes, number: int) -> None:
    # Control characters where keywords belong are pixels: the END card is missing.
    for start in range(0, BLOCK, CARD):
        if not _KEYWORD.match(block[start : start + 8]):
            raise FileRefused(
                "no-end", f"Header {number} has no END card before something that is no header."
            )


def _pass_data(walk: _Walk, size: int) -> None:
    number = len(walk.hdus)
    total = DataSum() if _states_sum(walk.hdus[-1]) else None
    found = walk.stream.skip(size, None if total is None else total.add)
    if found < size:
        raise FileRefused(
            "truncated",
            f"The file is incomplete: the data of unit {number} end after {found} of {size} bytes.",
        )
    padding = -size % BLOCK
    if walk.stream.skip(padding, None if total is None else total.add) < padding:
        walk.warnings.append(f"the data of header-data unit {number} are not filled up to 2880 bytes")
    walk.data_sums.append(None if total is None else total.value)


def _states_sum(cards: Sequence[str]) -> bool:
    """Tell whether DATASUM can be checked; that of a compressed image may be of the image or of its table."""
    return any(card.startswith("DATASUM ") for card in cards) and structure(cards).get("ZIMAGE") != "T"


def data_size(cards: Sequence[str], *, primary: bool) -> int:
    """Return the bytes of a unit's data without padding (FITS 4.0, equations 1, 2 and 4).

    Raises
    ------
    FileRefused
        When the cards that tell the size are missing or senseless.
    """
    keys = structure(cards)
    bitpix = _whole(keys, "BITPIX")
    if bitpix not in _BITPIX:
        raise FileRefused("bad-structure", f"BITPIX is {bitpix}, which FITS does not know.")
    axes = [_whole(keys, f"NAXIS{axis}") for axis in range(1, min(_whole(keys, "NAXIS"), 1000) + 1)]
    if not axes:
        return 0
    groups = primary and axes[0] == 0 and keys.get("GROUPS") == "T"
    if primary and not groups:
        return abs(bitpix) // 8 * _product(axes)
    elements = _product(axes[1:] if groups else axes)
    return abs(bitpix) // 8 * _whole(keys, "GCOUNT", 1) * (_whole(keys, "PCOUNT", 0) + elements)


def _product(axes: Sequence[int]) -> int:
    total = 1
    for axis in axes:
        total *= axis
    return total


def structure(cards: Sequence[str]) -> Mapping[str, str]:
    """Return the values of the cards that tell a unit's size, as written; the first of each counts."""
    found: dict[str, str] = {}
    for card in cards:
        if card[8:10] != "= ":
            continue
        key = card[:8].rstrip()
        if key not in found and _STRUCTURE.match(key):
            found[key] = card[10:].split("/", 1)[0].strip()
    return found


def _whole(keys: Mapping[str, str], key: str, default: int | None = None) -> int:
    text = keys.get(key)
    if text is None and default is not None:
        return default
    if text is None:
        raise FileRefused("bad-structure", f"{key} is missing, so the size of the data is unknown.")
    try:
        value = int(text[:20])
    except ValueError:
        raise FileRefused("bad-structure", f"{key} is {text[:20]!r}, which is no whole number.") from None
    if value < 0 and key != "BITPIX":
        raise FileRefused("bad-structure", f"{key} is negative.")
    return value


_TABLE_KEY: Final = re.compile(
    r"(TFIELDS|THEAP|TTYPE\d+|TFORM\d+|TUNIT\d+|TDIM\d+|PCOUNT|GCOUNT|BITPIX|NAXIS\d*|XTENSION)\s*\Z"
)
_TILE_KEY: Final = re.compile(
    r"(ZIMAGE|ZCMPTYPE|ZTILE\d+|ZNAME\d+|ZVAL\d+|ZMASKCMP|ZQUANTIZ|ZDITHER0|ZSCALE|ZZERO|ZBLANK|ZHECKSUM|ZDATASUM)\s*\Z"
)
_IMAGE_KEYS: Final = {"ZBITPIX": "BITPIX", "ZNAXIS": "NAXIS", "ZPCOUNT": "PCOUNT", "ZGCOUNT": "GCOUNT"}


def image_cards(cards: tuple[str, ...]) -> tuple[str, ...]:
    """Return the header of the image that a tile-compressed table holds (FITS 4.0, section 10.1).

    Other headers are returned as they are.
    """
    if structure(cards).get("ZIMAGE") != "T":
        return cards
    first = "XTENSION= 'IMAGE   '".ljust(CARD)
    return (first, *_restored(cards))


def _restored(cards: tuple[str, ...]) -> Iterator[str]:
    for card in cards:
        key = card[:8].rstrip()
        if key in _IMAGE_KEYS:
            yield _IMAGE_KEYS[key].ljust(8) + card[8:]
        elif re.match(r"ZNAXIS\d+\Z", key):
            yield key[1:].ljust(8) + card[8:]
        elif (
            not _TABLE_KEY.match(key)
            and not _TILE_KEY.match(key)
            and key not in ("ZSIMPLE", "ZTENSION", "ZEXTEND")
        ):
            yield card
