"""Headers of a FITS file, read-only and typed, built from card texts.

Cards are found by name at once and read when asked for: a mapping looks at some forty of four hundred.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TypeVar, cast

from typing_extensions import override

from instruments.cards import (
    BadCardError,
    Parsed,
    Value,
    is_commentary,
    keyword,
    parse_long,
    plain,
    unit_of,
)

Answer = TypeVar("Answer")

_MOST_DIMENSIONS = 999
"""Axes that FITS allows."""

_NO_VALUE = Parsed(None, "")

_COORDINATE_KEY = re.compile(
    r"Z?NAXIS\d*|WCSAXES|C(?:TYPE|RVAL|RPIX|DELT|UNIT|ROTA|NAME)\d{1,2}|(?:CD|PC)\d{1,2}_\d{1,2}"
    r"|P[VS]\d{1,2}_\d+|PC0\d\d0\d\d|PROJP\d|CPDIS\d|CQDIS\d|D2IMDIS\d"
    r"|LONPOLE|LATPOLE|RADESYS|RADECSYS|EQUINOX|EPOCH|MJD-OBS|DATE-OBS|MJDREF[IF]?|TIMESYS"
    r"|RESTFRQ|RESTFREQ|RESTWAV|SPECSYS|VELREF|DC-FLAG|[AB]P?_(?:\d_\d|ORDER)"
)


_SIZES = {"WCSAXES": 32, "A_ORDER": 9, "B_ORDER": 9, "AP_ORDER": 9, "BP_ORDER": 9}
"""Cards that say how large a WCS is, and the most that they may: an absurd one takes minutes to build."""


@lru_cache(maxsize=5000)
def _name(key: str) -> str:
    name = " ".join(key.upper().split())
    return name.removeprefix("HIERARCH ")


class Header(Mapping[str, Value]):
    """The cards of one HDU by keyword, case-insensitive; ``HIERARCH`` may be written or left out.

    Of a repeated keyword the first card that says something counts. A card that cannot be read has no
    value; asking for it leaves a word in :attr:`warnings`.
    """

    def __init__(self, cards: Iterable[str]) -> None:
        self._cards = tuple(cards)
        self._where: dict[str, list[int]] = {}
        self._read: dict[str, Parsed] = {}
        self.warnings: list[str] = []
        for number, card in enumerate(self._cards):
            self._where.setdefault(keyword(card), []).append(number)

    @property
    def cards(self) -> tuple[str, ...]:
        """The card texts as they were given."""
        return self._cards

    @override
    def __getitem__(self, key: str) -> Value:
        value = self._parsed(key).value
        if value is None:
            raise KeyError(key)
        return value

    @override
    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._parsed(key).value is not None

    @override
    def __iter__(self) -> Iterator[str]:
        return (name for name in self._where if self._parsed(name).value is not None)

    @override
    def __len__(self) -> int:
        return sum(1 for _ in self)

    def comment(self, key: str) -> str:
        """Return the comment of a keyword's card; empty when there is none."""
        return self._parsed(key).comment

    def unit(self, key: str) -> str | None:
        """Return the unit that the comment begins with, as in ``/ [s] exposure``."""
        return unit_of(self.comment(key))

    def all(self, key: str) -> list[Value]:
        """Return the values of every card of that keyword, in their order."""
        found = (self._try(number)[0].value for number in self._where.get(_name(key), []))
        return [value for value in found if value is not None]

    def names(self, prefix: str = "") -> list[str]:
        """Return the keywords that begin with a text, whether or not their cards can be read."""
        start = _name(prefix) if prefix else ""
        return [name for name in self._where if name.startswith(start)]

    def _parsed(self, key: str) -> Parsed:
        name = _name(key)
        known = self._read.get(name)
        if known is None:
            known = self._read[name] = self._first(name)
        return known

    def _first(self, name: str) -> Parsed:
        problem = ""
        first = _NO_VALUE
        for number in self._where.get(name, ()):
            parsed, bad = self._try(number)
            if parsed.value is not None and parsed.value != "":
                return parsed
            first = parsed if first is _NO_VALUE else first
            problem = problem or bad
        if problem:
            self.warnings.append(f"{name}: {problem}")
        return first

    def _try(self, number: int) -> tuple[Parsed, str]:
        card = self._cards[number]
        if is_commentary(card):
            return _NO_VALUE, ""
        more: list[str] = []
        for card_after in self._cards[number + 1 :] if "&'" in card else ():
            if not card_after.startswith("CONTINUE"):
                break
            more.append(card_after)
        try:
            parsed = parse_long(card, more)
        except BadCardError as error:
            return _NO_VALUE, plain(str(error))
        if isinstance(parsed.value, str):
            return Parsed(plain(parsed.value), plain(parsed.comment)), ""
        return parsed, ""


@dataclass(frozen=True)
class Hdu:
    """One header and data unit, without its data; ``data_sum`` is their checksum as found, if it is known."""

    header: Header
    number: int = 0
    data_sum: int | None = None

    def integer(self, key: str, default: int = 0) -> int:
        """Return an integer card; ``default`` when it says something else or nothing."""
        value = self.header.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else default

    @cached_property
    def coordinates(self) -> Mapping[str, Value]:
        """The cards that describe coordinates, so that the other hundreds need not be read."""
        header = self.header
        for name, most in _SIZES.items():
            said = header.get(name)
            if said is not None and not (isinstance(said, int) and 0 <= said <= most):
                header.warnings.append(f"WCS: {name} {said!r} is not between 0 and {most}")
                return {}
        names = [name for name in header.names() if len(name) <= 8 and _COORDINATE_KEY.fullmatch(name)]
        return {name: header[name] for name in names if name in header}

    @cached_property
    def is_compressed(self) -> bool:
        """Whether a tiled-compressed image stands in this table (FITS 4.0, section 10.1)."""
        return self.header.get("ZIMAGE") is True

    @cached_property
    def is_table(self) -> bool:
        """Whether the data are an ASCII or binary table."""
        kind = str(self.header.get("XTENSION", "")).strip().upper()
        return kind in {"BINTABLE", "TABLE", "A3DTABLE", "3DTABLE"} and not self.is_compressed

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes in FITS order, NAXIS1 first; those of the image when it is compressed."""
        letter = "Z" if self.is_compressed else ""
        count = self.integer(f"{letter}NAXIS")
        if not 0 <= count <= _MOST_DIMENSIONS:
            return ()
        return tuple(max(0, self.integer(f"{letter}NAXIS{axis}")) for axis in range(1, count + 1))

    @property
    def has_data(self) -> bool:
        """Whether any data follow the header; random groups have NAXIS1 = 0."""
        lengths = self.shape[1:] if self.header.get("GROUPS") is True else self.shape
        return bool(lengths) and all(lengths)

    @property
    def is_image(self) -> bool:
        """Whether the data are an array of pixels."""
        return self.has_data and not self.is_table and self.header.get("GROUPS") is not True


@dataclass(frozen=True)
class FileHeaders:
    """All headers of a file.

    ``file_name`` is the file's own name, ``path`` its path below the ingest root, ``size`` its bytes.
    """

    hdus: tuple[Hdu, ...]
    file_name: str = ""
    path: str = ""
    size: int = 0
    warnings: list[str] = field(default_factory=list, compare=False)
    placeholders: dict[str, list[str | float]] = field(default_factory=dict, compare=False)
    answers: dict[str, object] = field(default_factory=dict, compare=False)

    @classmethod
    def from_cards(
        cls,
        hdus: Sequence[Iterable[str]],
        *,
        file_name: str,
        path: str | None = None,
        size: int = 0,
        data_sums: Sequence[int | None] = (),
    ) -> FileHeaders:
        """Build from one list of card texts per HDU, and the checksums of their data as far as known."""
        built = tuple(
            Hdu(Header(cards), number, data_sums[number] if number < len(data_sums) else None)
            for number, cards in enumerate(hdus)
        )
        return cls(built, file_name, file_name if path is None else path, size)

    @property
    def primary(self) -> Header:
        """The first header; an empty one for a file without any."""
        return self.hdus[0].header if self.hdus else Header(())

    def get(self, *keys: str) -> Value | None:
        """Return the first of these keywords that says something: in the primary header, else the next ones.

        Text that is empty or a word for "not known" says nothing, nor does a known placeholder.
        """
        for key in keys:
            held = self.placeholders.get(key) if self.placeholders else None
            for header in self._holders.get(_name(key), ()):
                value = header.get(key)
                if value is None or (isinstance(value, str) and says_nothing(value)):
                    continue
                if held is None or not any(same_value(value, placeholder) for placeholder in held):
                    return value.strip() if isinstance(value, str) else value
        return None

    def ignore(self, key: str, placeholder: str | float) -> None:
        """Take a value of a keyword as saying nothing from now on."""
        held = self.placeholders.setdefault(key, [])
        if placeholder not in held:
            held.append(placeholder)

    def text(self, *keys: str) -> str | None:
        """Return the first of these keywords as text."""
        value = self.get(*keys)
        if value is None or isinstance(value, bool):
            return None
        return str(value)

    def number(self, *keys: str) -> float | None:
        """Return the first of these keywords as a number; text that spells a number counts."""
        for key in keys:
            value = as_number(self.get(key))
            if value is not None:
                return value
        return None

    @cached_property
    def _holders(self) -> dict[str, list[Header]]:
        """Headers by the keywords in them, in the file's order."""
        found: dict[str, list[Header]] = {}
        for hdu in self.hdus:
            for name in hdu.header.names():
                found.setdefault(name, []).append(hdu.header)
        return found

    def comment(self, key: str) -> str:
        """Return the comment of the first card of a keyword."""
        return next((header.comment(key) for header in self._holders.get(_name(key), ())), "")

    def remember(self, name: str, compute: Callable[[FileHeaders], Answer]) -> Answer:
        """Return what a question about this file was answered with before, or compute it."""
        if name not in self.answers:
            self.answers[name] = compute(self)
        return cast("Answer", self.answers[name])

    def image_hdus(self) -> list[Hdu]:
        """Return the HDUs that hold pixels."""
        return [hdu for hdu in self.hdus if hdu.is_image]

    def has(self, prefix: str) -> bool:
        """Tell whether any keyword of any header begins with a text."""
        return any(name.startswith(prefix) for name in self._holders)

    def warn(self, text: str) -> None:
        """Leave a word about something that was not used."""
        if text not in self.warnings:
            self.warnings.append(text)

    def all_warnings(self) -> tuple[str, ...]:
        """Return what was found wrong while reading, each once."""
        found = dict.fromkeys(text for hdu in self.hdus for text in hdu.header.warnings)
        found.update(dict.fromkeys(self.warnings))
        return tuple(found)


NOT_KNOWN = frozenset(
    {
        "",
        "UNKNOWN",
        "UNDEFINED",
        "UNDEF",
        "NULL",
        "NONE",
        "N/A",
        "TBD",
        "INDEF",
        "NOT SET",
        "NAN",
        "-",
        "--",
        "?",
    }
)
"""Words that stand for "not known" in headers, upper case."""


def says_nothing(text: str) -> bool:
    """Tell whether a text is empty or a word for "not known"."""
    return text.strip().upper() in NOT_KNOWN


def as_number(value: Value | None) -> float | None:
    """Return a card's value as a finite number, None when it is none."""
    if value is None or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if -1e300 < number < 1e300 else None


def same_value(said: Value | None, placeholder: str | float) -> bool:
    """Tell whether a card says just what a placeholder is."""
    if isinstance(placeholder, str):
        return isinstance(said, str) and said.strip() == placeholder
    return as_number(said) == float(placeholder)
