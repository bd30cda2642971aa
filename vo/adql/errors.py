"""What can be wrong with a query, and where."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Literal, TypeAlias

from typing_extensions import override

from store.limits import TimeLimit

Code: TypeAlias = Literal[
    "syntax", "unknown-table", "unknown-column", "unknown-function", "type", "unsupported"
]
"""The kinds of error, as the JSON API names them."""


class AdqlError(Exception):
    """A query is refused.

    ``line`` and ``column`` count from 1 and point at the word that is wrong; ``suggestions`` are names or
    forms that may have been meant, best first.
    """

    def __init__(
        self, code: Code, message: str, *, line: int = 1, column: int = 1, suggestions: Iterable[str] = ()
    ) -> None:
        super().__init__(message)
        self.code: Code = code
        self.message = message
        self.line = line
        self.column = column
        self.suggestions = tuple(suggestions)

    @override
    def __str__(self) -> str:
        hint = f" (did you mean {' or '.join(self.suggestions)}?)" if self.suggestions else ""
        return f"line {self.line}, column {self.column}: {self.message}{hint}"


class Source:
    """A query's text, which knows where an offset is, and how long it may take to read."""

    def __init__(self, text: str, time: TimeLimit | None = None) -> None:
        self.text = text
        self.time = time or TimeLimit()

    def error(self, code: Code, at: int, message: str, suggestions: Iterable[str] = ()) -> AdqlError:
        """Return the error at an offset into the text."""
        before = self.text[:at].replace("\r\n", "\n").replace("\r", "\n")
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        return AdqlError(code, message, line=line, column=column, suggestions=suggestions)


def similar(name: str, known: Iterable[str]) -> tuple[str, ...]:
    """Return up to three known names that resemble one, best first; case is not looked at."""
    by_lower: dict[str, str] = {}
    for candidate in known:
        by_lower.setdefault(candidate.lower(), candidate)
    found = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.6)
    return tuple(by_lower[match] for match in found)
