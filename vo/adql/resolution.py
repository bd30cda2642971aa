"""What all parts of the resolver share: the place in the query, and the errors found so far."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NoReturn, TypeVar

import schemas
from query import tree
from vo.adql import syntax
from vo.adql.errors import AdqlError, Code, Source
from vo.adql.scope import Scope
from vo.adql.stream import MAX_DEPTH

MOST_ERRORS = 100
"""Errors after which no more are looked for."""

T = TypeVar("T")
S = TypeVar("S")


class Failed(Exception):  # noqa: N818 - not an error of its own: the error is noted already
    """Something below could not be resolved; the error is noted already."""


class Ended(Exception):  # noqa: N818 - not an error of its own: the errors are noted already
    """The query is too large, or so wrong that there is no point in looking for more errors."""


@dataclass(slots=True)
class Level:
    """One SELECT on its way: its names, the clause being read, and what was seen of it."""

    scope: Scope
    clause: str = "SELECT"
    in_aggregate: bool = False
    aggregates: bool = False
    seen: list[tuple[tree.Column, int, str]] = field(default_factory=list)


class Resolution(ABC):
    """Turns syntax into the query tree, and notes all errors that it can find on the way."""

    def __init__(self, source: Source, declared: schemas.Schemas) -> None:
        self.source = source
        self.declared = declared
        self.errors: list[AdqlError] = []
        self.level = Level(Scope())
        self.about: dict[tree.Expression, schemas.Column] = {}
        self.failures = 0
        self._depth = 0

    @abstractmethod
    def value(self, node: syntax.Value, *, whole: bool = False) -> tree.Expression:
        """Resolve a value; ``whole`` allows a column that is an array."""

    @abstractmethod
    def condition(self, node: syntax.Condition) -> tree.Predicate:
        """Resolve a condition."""

    @abstractmethod
    def query(self, node: syntax.QueryNode, parent: Scope | None) -> tree.Query:
        """Resolve a query; ``parent`` is what its names can mean besides its own tables."""

    @abstractmethod
    def geometry(self, node: syntax.Value) -> tree.Expression:
        """Resolve a value that shall be a geometry."""

    @abstractmethod
    def describe(self, expression: tree.Expression, name: str = "x") -> schemas.Column:
        """Return how an output of this expression is described."""

    def fail(self, code: Code, at: int, message: str, suggestions: Iterable[str] = ()) -> NoReturn:
        """Refuse the query because of what stands at an offset."""
        raise self.source.error(code, at, message, suggestions)

    def end(self, code: Code, at: int, message: str) -> NoReturn:
        """Refuse the query for its size; that error alone is told."""
        self.errors = [self.source.error(code, at, message)]
        raise Ended

    def attempt(self, act: Callable[[S], T], item: S) -> T | None:
        """Resolve something; when that fails, note the error and return None."""
        try:
            return act(item)
        except AdqlError as error:
            self.errors.append(error)
        except Failed:
            pass
        self.failures += 1
        if len(self.errors) >= MOST_ERRORS:
            raise Ended
        return None

    def each(self, act: Callable[[S], T], items: Iterable[S]) -> list[T]:
        """Resolve several things, all of them before an error stops the rest.

        Raises
        ------
        Failed
            When one of them could not be resolved; its error is noted.
        """
        found: list[T] = []
        failed = False
        for item in items:
            result = self.attempt(act, item)
            if result is None:
                failed = True
            else:
                found.append(result)
        if failed:
            raise Failed
        return found

    @contextmanager
    def deeper(self, at: int) -> Iterator[None]:
        """Count a level of the tree, which would otherwise exhaust the stack of who walks it."""
        self.source.time.check()
        self._depth += 1
        try:
            if self._depth > MAX_DEPTH:
                self.end("syntax", at, "the query is nested, or chained, too deeply")
            yield
        finally:
            self._depth -= 1
