"""Reading tokens one after the other, and saying what was expected instead."""

from __future__ import annotations

from typing import NoReturn

from vo.adql.errors import Source
from vo.adql.lexer import Token, tokens
from vo.adql.syntax import Identifier

MAX_DEPTH = 64
"""How deep parentheses, functions and sub-queries may be nested; a sub-query counts for several.

Every level costs the resolver and the engines up to ten frames of Python's stack.
"""

_FOREIGN = {
    "LIMIT": "ADQL has no LIMIT; write SELECT TOP n",
    "CASE": "ADQL has no CASE",
    "TRUE": "ADQL has no TRUE; compare with 1",
    "FALSE": "ADQL has no FALSE; compare with 0",
    "ESCAPE": "LIKE of ADQL has no ESCAPE",
    "REGEXP": "ADQL has no REGEXP; use LIKE or ILIKE",
    "SIMILAR": "ADQL has no SIMILAR TO; use LIKE or ILIKE",
    "WITH": "WITH can only stand at the start of the whole query",
}


_STRUCTURE = frozenset(
    {
        "AND",
        "AS",
        "ASC",
        "BY",
        "DESC",
        "EXCEPT",
        "FROM",
        "FULL",
        "GROUP",
        "HAVING",
        "INNER",
        "INTERSECT",
        "INTO",
        "IS",
        "JOIN",
        "LEFT",
        "NATURAL",
        "NOT",
        "ON",
        "OR",
        "ORDER",
        "RIGHT",
        "SELECT",
        "UNION",
        "USING",
        "WHERE",
    }
)
"""Reserved words that nobody means as a name."""


class TokenStream:
    """The tokens of a query and the place that is being read."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._tokens = tokens(source)
        self._next = 0
        self._depth = 0

    @property
    def token(self) -> Token:
        """The token to be read next."""
        return self._tokens[self._next]

    @property
    def ends(self) -> bool:
        """Whether all tokens have been read."""
        return self.token.cls == "end"

    def ahead(self, count: int = 1) -> Token:
        """Return a token after the next; the end when there are no more."""
        return self._tokens[min(self._next + count, len(self._tokens) - 1)]

    def advance(self) -> Token:
        """Read a token."""
        token = self._tokens[self._next]
        if token.cls != "end":
            self._next += 1
        return token

    def at(self, *values: str) -> bool:
        """Whether the next token is one of these words or signs."""
        token = self._tokens[self._next]
        return token.value in values and token.cls in ("word", "sign")

    def accept(self, *values: str) -> Token | None:
        """Read the next token if it is one of these words or signs."""
        return self.advance() if self.at(*values) else None

    def expect(self, value: str) -> Token:
        """Read this word or sign."""
        return self.accept(value) or self.unexpected(value if value.isalpha() else f"'{value}'")

    def unexpected(self, wanted: str) -> NoReturn:
        """Refuse the next token, and say what could stand there."""
        token = self.token
        raise self.source.error("syntax", token.at, f"{wanted} is expected here, not {self.shown(token)}")

    def refuse_foreign(self) -> None:
        """Refuse what other SQL knows and ADQL does not, by name."""
        token = self.token
        if token.cls in ("word", "name"):
            message = _FOREIGN.get(token.value.upper())
            if message:
                raise self.source.error("syntax", token.at, message)

    def shown(self, token: Token) -> str:
        """Return a token as a message shows it."""
        if token.cls == "end":
            return "the end of the query"
        if token.cls in ("string", "quoted"):
            return f"{token.value!r}" if len(token.value) < 40 else f"{token.value[:40]!r}..."
        return self.written(token) if token.cls != "sign" else f"'{token.value}'"

    def written(self, token: Token) -> str:
        """Return a word as it stands in the text."""
        return self.source.text[token.at : token.at + len(token.value)]

    def identifier(self, what: str) -> Identifier:
        """Read a name."""
        token = self.token
        if token.cls in ("name", "quoted"):
            self.advance()
            return Identifier(token.at, token.value, token.cls == "quoted")
        if token.cls == "word" and token.value not in _STRUCTURE:
            name = self.written(token)
            raise self.source.error(
                "syntax",
                token.at,
                f"{what} is expected here; {name} is a reserved word and needs double quotes",
                [f'"{name}"'],
            )
        return self.unexpected(what)

    def whole_number(self, what: str) -> int:
        """Read an unsigned whole number."""
        token = self.token
        if token.cls != "integer" or len(token.value) > 18:
            self.unexpected(what)
        self.advance()
        return int(token.value)

    def enter(self, levels: int = 1) -> None:
        """Note that the text goes deeper, while there is time; ``leave`` undoes it."""
        self.source.time.check()
        self._depth += levels
        if self._depth > MAX_DEPTH:
            raise self.source.error("syntax", self.token.at, "the query is nested too deeply")

    def leave(self, levels: int = 1) -> None:
        """Note that the text comes back from ``enter``."""
        self._depth -= levels

    def starts_query(self) -> bool:
        """Whether the parenthesis to be read next holds a query, perhaps in more parentheses.

        ``((SELECT …) UNION (SELECT …))`` does; ``((SELECT …) + 1)`` and ``((SELECT …) AS a JOIN …)`` do not.
        """
        opened = []
        index = self._next
        while self._tokens[index].value == "(" and self._tokens[index].cls == "sign":
            opened.append(index)
            index += 1
            if len(opened) > MAX_DEPTH:
                return False
        if self._tokens[index].cls != "word" or self._tokens[index].value not in ("SELECT", "WITH"):
            return False
        return all(self._tokens[self._closing(start) + 1].value in _AFTER_QUERY for start in opened[1:])

    def _closing(self, start: int) -> int:
        depth = 0
        for index in range(start, len(self._tokens) - 1):
            token = self._tokens[index]
            if token.cls == "sign":
                depth += (token.value == "(") - (token.value == ")")
                if depth == 0:
                    return index
        raise self.source.error("syntax", self._tokens[start].at, "this parenthesis is not closed")


_AFTER_QUERY = frozenset({")", "UNION", "EXCEPT", "INTERSECT", "ORDER", "OFFSET"})
