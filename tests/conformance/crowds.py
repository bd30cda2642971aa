"""Random queries that an engine may answer whole: counts, groups, the first rows of an order, densities."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from typing_extensions import override

from tests.conformance import values_oracle as values
from tests.conformance.cells_oracle import cell_of
from tests.conformance.expressions import Chooser, Cond, Env, Expr
from tests.conformance.queries import Aggregate, Queries, Query, Source, group_by
from tests.conformance.row_sets import Rows, Tied, put_in_order
from tests.conformance.sky_conditions import SkyConditions
from tests.conformance.stored_conditions import StoredConditions
from tests.conformance.world import Row

GROUPS = ("site", "n", "flag", "x", "w", "f", "taken", "big", "s", "note", "rights", "since", "link", "id")
"""Columns to group by."""

EXACT_SUMS = ("n", "s", "x")
"""Columns whose sums are exact in whatever order they are made."""


class Crowds(Queries):
    """Draws such queries; ``limit`` is what the caller of the index allows, drawn with each."""

    def __init__(self, c: Chooser, tables: Mapping[str, Sequence[Row]]) -> None:
        super().__init__(c, tables)
        self._rows = tables["lab.frames"]

    @override
    def query(self) -> Query:
        shapes = [*[self.groups] * 3, *[self.first] * 3, self.listed, self.density]
        found = self.c.pick(shapes)()
        return replace(found, limit=self.c.pick([3, 40])) if self.c.chance(4) else found

    def where(self, source: Source) -> Cond | None:
        """Draw up to three conditions, most often all to hold."""
        stored = StoredConditions(self.c, source.fields, self._rows)
        kinds = SkyConditions(self.c, source.fields, self._around).kinds()

        def one() -> Cond:
            found = self.c.pick(kinds)(1) if self.c.chance(3) else stored.condition()
            if self.c.chance(6):
                return Cond(f"NOT ({found.text})", lambda e: values.opposite(found.of(e)))
            if self.c.chance(5):
                other = stored.condition()
                text = f"(({found.text}) OR ({other.text}))"
                return Cond(text, lambda e: values.either([found.of(e), other.of(e)]))
            return found

        parts = [one() for _ in range(self.c.pick([1, 0, 1, 2, 3]))]
        if not parts:
            return None
        text = " AND ".join(f"({part.text})" if self.c.chance(3) else part.text for part in parts)
        return Cond(text, lambda e: values.both([part.of(e) for part in parts]))

    def groups(self) -> Query:
        """Draw aggregates of all rows or of groups, perhaps the first of them in an order."""
        source = self.table("lab.frames")
        named = {field.name: field.expr for field in source.fields}
        keys = [named[self.c.pick(GROUPS)] for _ in range(self.c.pick([1, 0, 1, 2, 3]))]
        shown = [key for key in keys if not self.c.chance(6)]
        columns = [self._of_group(named) for _ in range(self.c.pick([1, 1, 2, 3]))]
        return self._grouped(source, keys, shown, columns)

    def _grouped(
        self, source: Source, keys: Sequence[Expr], shown: Sequence[Expr], columns: Sequence[Aggregate]
    ) -> Query:
        where = self.where(source)
        having = self._over(columns[0]) if keys and self.c.chance(4) else None
        items = [*shown, *(column for column, _ in columns)]
        text, rows = group_by(source, where, keys, shown, columns, having)
        return self._cut(items, text, rows)

    def _over(self, aggregate: Aggregate) -> tuple[str, Callable[[list[Env]], values.Truth]]:
        column, of = aggregate
        if column.kind not in ("int", "double") or not column.exact:
            return f"{column.text} IS NOT NULL", lambda group: of(group) is not None
        word, limit = self.c.pick([">", "<=", "=", "<>"]), self.c.pick([1, 2, 0, 10])
        return f"{column.text} {word} {limit}", lambda group: values.compare(word, of(group), limit)

    def _of_group(self, named: Mapping[str, Expr]) -> Aggregate:
        name = self.c.pick(["COUNT", "*", "MIN", "MAX", "COUNT", "SUM", "AVG"])
        if name == "*":
            return Expr("COUNT(*)", "int", lambda _: None), len
        value = named[self.c.pick(EXACT_SUMS if name in ("SUM", "AVG") else (*GROUPS, "ra", "dec"))]
        if value.kind == "bool" and name != "COUNT":
            name = "COUNT"
        distinct = self.c.chance(4)
        kind = {"COUNT": "int", "AVG": "double"}.get(name, value.kind)

        def of(group: list[Env]) -> Any:
            return values.aggregate(name, [value.of(row) for row in group], distinct=distinct)

        return Expr(f"{name}({'DISTINCT ' * distinct}{value.text})", kind, lambda _: None, name != "AVG"), of

    def first(self) -> Query:
        """Draw columns of rows in an order that may leave some of them equal."""
        source = self.table("lab.frames")
        usable = [field.expr for field in source.fields if field.kind != "region"]
        return self._selected(source, [self.c.pick(usable) for _ in range(1 + self.c.below(4))])

    def listed(self) -> Query:
        """Draw the different values of columns."""
        source = self.table("lab.frames")
        named = {field.name: field.expr for field in source.fields}
        items = [named[self.c.pick(GROUPS)] for _ in range(1 + self.c.below(2))]
        return self._selected(source, items, distinct=True)

    def _selected(self, source: Source, items: Sequence[Expr], *, distinct: bool = False) -> Query:
        where = self.where(source)
        text = f"FROM {source.text}" + (f" WHERE {where.text}" if where else "")

        def rows(env: Env) -> Rows:
            kept = (row for row in source.rows(env) if where is None or where.of(row) is True)
            found = [tuple(item.of(row) for item in items) for row in kept]
            return list(dict.fromkeys(found)) if distinct else found

        return self._cut(items, text, rows, distinct=distinct, ordered=not self.c.chance(5))

    def density(self) -> Query:
        """Draw how many rows there are in each cell of an order."""
        source = self.table("lab.frames")
        named = {field.name: field.expr for field in source.fields}
        order = self.c.pick([0, 1, 3, 6, 8, 29])
        ra, dec = named["ra"], named["dec"]
        cell = Expr(
            f"ivo_healpix_index({order}, {ra.text}, {dec.text})",
            "int",
            lambda e: cell_of(order, ra.of(e), dec.of(e)),
        )
        return self._grouped(source, [cell], [cell], [(Expr("COUNT(*)", "int", lambda _: None), len)])

    def _cut(
        self,
        items: Sequence[Expr],
        tail: str,
        rows: Callable[[Env], Rows],
        *,
        distinct: bool = False,
        ordered: bool | None = None,
    ) -> Query:
        """Put names to columns, and perhaps take the first rows of an order."""
        names = [f"o{self._alias()}" for _ in items]
        exact = [place for place, item in enumerate(items) if item.exact]
        ordered = self.c.chance(2) if ordered is None else ordered
        count = 1 + self.c.below(3) if ordered and exact else 0
        order = [(self.c.pick(exact), self.c.chance(2)) for _ in range(count)]
        top = None if self.c.chance(3) else self.c.pick([5, 1, 2, 30, 0, 399])
        offset = self.c.pick([1, 3, 100, 1000]) if order and self.c.chance(4) else 0
        listed = ", ".join(f"{item.text} AS {name}" for item, name in zip(items, names, strict=True))
        cut = f"TOP {top} " if top is not None else ""
        text = f"SELECT {'DISTINCT ' * distinct}{cut}{listed} {tail}"
        spelled = [
            self.c.pick([str(place + 1), names[place]]) + (" DESC" if down else "") for place, down in order
        ]
        text += f" ORDER BY {', '.join(spelled)}" if order else ""
        text += f" OFFSET {offset}" if offset else ""
        kinds, sure = [item.kind for item in items], [item.exact for item in items]
        tied = Tied(tuple(order), offset, top)
        return Query(text, kinds, names, lambda e: put_in_order(rows(e), order), exact=sure, tied=tied)
