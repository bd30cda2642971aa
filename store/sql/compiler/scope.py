"""What the names of a query mean in the SQL that is being written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import schemas
from query import tree
from store.port import QueryRejected


@dataclass(frozen=True)
class Named:
    """A relation in FROM: its SQL alias, the SQL names of its columns, and the table it is, if any."""

    sql: str
    columns: Mapping[str, str]
    table: schemas.Table | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    """The SQL of columns that are more than a name."""

    def column(self, name: str) -> str:
        """Return the SQL of a column."""
        found = self.columns.get(name) or self.columns.get(name.lower())
        if found is None:
            raise QueryRejected(f"there is no column {name}")
        return self.values.get(found) or f"{self.sql}.{found}"


class Scope:
    """All relations of a query by their alias, which is unique in it."""

    def __init__(self, nodes: Sequence[Any], stored: Callable[[schemas.Table], Mapping[str, str]]) -> None:
        named = {name: part for node in nodes if isinstance(node, tree.With) for name, part in node.named}
        self.queries: Mapping[str, str] = {name: f"q{number}" for number, name in enumerate(named)}
        self.references: Counter[str] = Counter()
        """How often each query of WITH is named."""
        self.used: dict[str, set[str]] = {}
        self._relations: dict[str, Named] = {}
        for node in nodes:
            sql = f"a{len(self._relations)}"
            match node:
                case tree.TableRef():
                    self._relations[node.alias] = Named(sql, stored(node.table), node.table)
                case tree.Derived():
                    self._relations[node.alias] = Named(sql, outputs(node.query))
                case tree.CteRef():
                    self.references[node.name] += 1
                    self._relations[node.alias] = Named(sql, outputs(named[node.name]))
                case tree.Column():
                    self.used.setdefault(node.alias, set()).add(node.name.lower())
        self.tables = {alias: r.table for alias, r in self._relations.items() if r.table is not None}

    @property
    def aliases(self) -> Mapping[str, str]:
        """The SQL alias of each relation."""
        return {alias: relation.sql for alias, relation in self._relations.items()}

    def show(self, alias: str, values: Mapping[str, str]) -> None:
        """Say how columns of a relation are written from now on."""
        self._relations[alias] = replace(self._relations[alias], values=values)

    def relation(self, alias: str) -> Named:
        """Return the relation of that alias."""
        return self._relations[alias]

    def column(self, column: tree.Column) -> str:
        """Return the SQL of a column reference; alias '' names an output of a set operation."""
        if not column.alias:
            raise QueryRejected(f"{column.name} can stand only in ORDER BY here")
        return self._relations[column.alias].column(column.name)


def outputs(query: tree.Query) -> Mapping[str, str]:
    """Name the columns of a sub-query."""
    return {column.name: f"o{place}" for place, column in enumerate(query.columns)}
