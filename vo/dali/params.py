"""Parameters whose names have no case (DALI 1.1, section 3)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from vo.dali.faults import UsageFault


@dataclass(frozen=True, slots=True)
class PostedFile:
    """A file in a multipart form: its name and media type as the client says, and its bytes, from the start.

    Who took the request closes the file once it is answered.
    """

    name: str
    media_type: str
    file: BinaryIO


class Parameters:
    """The parameters of one request, from its query string and its body.

    Names have no case, but ``pairs`` keeps them as they were given.
    """

    def __init__(self, pairs: Iterable[tuple[str, str | PostedFile]]) -> None:
        self.pairs: Sequence[tuple[str, str | PostedFile]] = tuple(pairs)
        self._values: dict[str, list[str | PostedFile]] = {}
        for name, value in self.pairs:
            self._values.setdefault(name.upper(), []).append(value)

    def __contains__(self, name: str) -> bool:
        return name.upper() in self._values

    def many(self, name: str) -> list[str]:
        """Return all values of a parameter, in their order."""
        return [_text(name, value) for value in self._values.get(name.upper(), [])]

    def files(self, name: str) -> list[PostedFile]:
        """Return the files that were posted under a name, in their order."""
        return [value for value in self._values.get(name.upper(), []) if isinstance(value, PostedFile)]

    def one(self, name: str) -> str | None:
        """Return the value of a parameter that has at most one; an empty value counts as none.

        Raises
        ------
        UsageFault
            When it is given more than once.
        """
        values = self.many(name)
        if len(values) > 1:
            raise UsageFault(f"{name.upper()} is given {len(values)} times; it takes one value")
        return values[0] if values and values[0].strip() else None

    def required(self, name: str) -> str:
        """Return the value of a parameter that must be there.

        Raises
        ------
        UsageFault
            When it is missing, or given more than once.
        """
        value = self.one(name)
        if value is None:
            raise UsageFault(f"{name.upper()} is missing")
        return value

    def number(self, name: str) -> float:
        """Return a parameter that must be there as a finite number.

        Raises
        ------
        UsageFault
            When it is missing, repeated or no finite number.
        """
        text = self.required(name)
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or "_" in text or not text.isascii():
            raise UsageFault(f"{name.upper()} must be a number, not {text[:40]!r}")
        return value

    def choice(self, names: Iterable[str]) -> str | None:
        """Return the value of a parameter known under several names, such as RESPONSEFORMAT and FORMAT.

        The first name that is given wins: DALI's names are preferred to those of older standards.
        """
        for name in names:
            value = self.one(name)
            if value is not None:
                return value
        return None


def _text(name: str, value: str | PostedFile) -> str:
    if isinstance(value, PostedFile):
        raise UsageFault(f"{name.upper()} must be text, not a file")
    return value
