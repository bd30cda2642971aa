"""The tables and columns that a name can mean at a place of the query."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import schemas
from query import tree
from vo.adql.syntax import Identifier


class Field(NamedTuple):
    """A column that can be named: what it is, and how it is described."""

    expression: tree.Expression
    about: schemas.Column


class Rows:
    """A source of rows: finds a column by name.

    ``make`` turns a column's description into its expression.
    """

    def __init__(
        self, columns: Mapping[str, schemas.Column], make: Callable[[schemas.Column], tree.Expression]
    ) -> None:
        self._columns = columns
        self._make = make

    @classmethod
    def of(cls, alias: str, columns: Mapping[str, schemas.Column]) -> Rows:
        """Return the columns of one relation, by lower-case name."""
        return cls(columns, lambda about: tree.Column(alias, about.name, about.kind))

    def find(self, name: Identifier) -> Field | None:
        """Return the column of that name, if there is one; quoted names match in their case only."""
        about = self._columns.get(name.text.lower())
        if about is None or (name.quoted and about.name != name.text):
            return None
        return Field(self._make(about), about)

    def fields(self) -> Iterator[Field]:
        """Yield all columns in order."""
        for about in self._columns.values():
            yield Field(self._make(about), about)

    def without(self, names: Collection[str]) -> Rows:
        """Return these columns but some, given by lower-case name."""
        kept = {name: about for name, about in self._columns.items() if name not in names}
        return Rows(kept, self._make)


def merged(fields: Iterable[Field]) -> Rows:
    """Return columns that stand for two each, as USING and NATURAL make them."""
    found = list(fields)
    expressions = {f.about.name: f.expression for f in found}
    return Rows({f.about.name.lower(): f.about for f in found}, lambda about: expressions[about.name])


@dataclass(slots=True)
class Named:
    """A source of rows with the name that qualifies its columns: an alias, or the parts of a table name."""

    parts: tuple[Identifier, ...]
    alias: str
    rows: Rows
    table: str | None = None

    def is_called(self, qualifier: tuple[Identifier, ...]) -> bool:
        """Whether columns qualified like this belong here; ``obscore.x`` belongs to ``ivoa.obscore``."""
        if len(qualifier) > len(self.parts):
            return False
        own = self.parts[len(self.parts) - len(qualifier) :]
        return all(same_name(a, b) for a, b in zip(own, qualifier, strict=True))

    @property
    def shown(self) -> str:
        """The name as messages show it."""
        return ".".join(part.text for part in self.parts)


def same_name(a: Identifier, b: Identifier) -> bool:
    """Whether two names are the same; case counts when both are quoted."""
    if a.quoted and b.quoted:
        return a.text == b.text
    return a.text.lower() == b.text.lower()


@dataclass(slots=True)
class Scope:
    """What names can mean in one SELECT.

    ``visible`` is what ``*`` and unqualified names see, in order. ``broken`` says that a table was not
    found, so that a missing column is no news.
    """

    parent: Scope | None = None
    named: list[Named] = field(default_factory=list)
    visible: list[Rows] = field(default_factory=list)
    broken: bool = False

    def find(self, name: Identifier) -> list[Field]:
        """Return the columns of that unqualified name here; more than one means that it is ambiguous."""
        found = []
        for rows in self.visible:
            column = rows.find(name)
            if column is not None:
                found.append(column)
        return found

    def called(self, qualifier: tuple[Identifier, ...]) -> list[Named]:
        """Return the sources of that name here."""
        return [source for source in self.named if source.is_called(qualifier)]

    def outward(self) -> Iterator[Scope]:
        """Yield this scope and those around it."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent
