"""Random queries: each an ADQL text together with a function that computes its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from typing_extensions import override

from tests.conformance import values_oracle as values
from tests.conformance.crowd_rows import CROWD_KINDS
from tests.conformance.expressions import Chooser, Cond, Conditions, Env, Expr, Field, compared
from tests.conformance.row_sets import (
    Rows,
    Tied,
    except_all,
    except_rows,
    intersect_all,
    intersect_rows,
    order_text,
    put_in_order,
    union_all,
    union_rows,
)
from tests.conformance.sky_conditions import SkyConditions
from tests.conformance.world import Row

TABLES: Mapping[str, Mapping[str, str]] = {
    "lab.obs": {
        "id": "text", "ra": "double", "dec": "double", "footprint": "region", "name": "text", "n": "int",
        "s": "int", "big": "int", "x": "double", "w": "double", "f": "float", "taken": "time", "flag": "bool",
    },
    "lab.stars": {
        "star": "int", "ra": "double", "dec": "double", "radius": "double", "name": "text", "n": "int",
    },
    "lab.marks": {"id": "text", "k": "int", "star": "int", "v": "double", "name": "text"},
    "lab.frames": CROWD_KINDS,
}  # fmt: skip
"""Columns of each table, by what can be done with them."""


@dataclass(frozen=True)
class Source:
    """FROM: what is in scope, and the rows of it in an environment."""

    text: str
    fields: list[Field]
    rows: Callable[[Env], Iterator[Env]]
    size: int = 300
    """About how many rows there are; sub-queries are not asked for each of very many."""


Aggregate: TypeAlias = tuple[Expr, Callable[[list[Env]], Any]]
"""A column of groups, and its value for one of them."""


def group_by(  # noqa: PLR0917 - the parts of a query
    source: Source,
    where: Cond | None,
    keys: Sequence[Expr],
    shown: Sequence[Expr],
    columns: Sequence[Aggregate],
    having: tuple[str, Callable[[list[Env]], values.Truth]] | None,
) -> tuple[str, Callable[[Env], Rows]]:
    """Return the text from FROM on, and the rows: those of ``keys`` that are ``shown``, then ``columns``."""
    text = f"FROM {source.text}" + (f" WHERE {where.text}" if where else "")
    text += f" GROUP BY {', '.join(key.text for key in keys)}" if keys else ""
    text += f" HAVING {having[0]}" if having else ""

    def rows(env: Env) -> Rows:
        groups: dict[tuple[Any, ...], list[Env]] = {} if keys else {(): []}
        for row in source.rows(env):
            if where is None or where.of(row) is True:
                groups.setdefault(tuple(key.of(row) for key in keys), []).append(row)
        return [
            (*(key.of(group[0]) for key in shown), *(of(group) for _, of in columns))
            for group in groups.values()
            if having is None or having[1](group) is True
        ]

    return text, rows


@dataclass(frozen=True)
class Query:
    """A query.

    ``ordered`` when its rows come in one order, ``top`` where they have none; with ``tied`` they are all the
    rows in an order that may leave some equal, before they are cut. ``limit`` is asked of the index.
    """

    text: str
    kinds: list[str]
    names: list[str]
    rows: Callable[[Env], Rows]
    ordered: bool = False
    top: int | None = None
    exact: list[bool] = field(default_factory=list)
    size: int = 300
    tied: Tied | None = None
    limit: int | None = None


class Queries:
    """Draws queries over the tables of the world."""

    def __init__(self, c: Chooser, tables: Mapping[str, Sequence[Row]]) -> None:
        self.c = c
        self._tables = tables
        self._around = [
            (row["ra"], row["dec"])
            for name in ("lab.obs", "lab.stars", "lab.frames")
            for row in tables[name][:60]
            if row["ra"] is not None
        ]
        self._count = 0
        self._common: list[tuple[str, Query]] = []

    def query(self) -> Query:
        """Draw a whole query."""
        shape = self.c.below(10)
        if shape < 5:
            return self.select()
        if shape < 7:
            return self.grouped()
        if shape == 7:
            return self.combined()
        inner = self.c.pick([self.select, self.grouped])(plain=True)
        if shape == 8:
            name = self._alias()
            self._common.append((name, inner))
            body = self.select()
            return _changed(body, f"WITH {name} AS ({inner.text}) {body.text}")
        return self.select(self._derived(inner))

    def _alias(self) -> str:
        self._count += 1
        return f"r{self._count}"

    def table(self, name: str | None = None) -> Source:
        name = name or self.c.pick(["lab.obs", "lab.obs", "lab.stars", "lab.marks", "lab.frames"])
        alias, listed = self._alias(), self._tables[name]
        fields = [Field(alias, column, kind) for column, kind in TABLES[name].items()]
        return Source(
            f"{name} AS {alias}", fields, lambda env: ({**env, alias: row} for row in listed), len(listed)
        )

    def _derived(self, query: Query, common: str | None = None) -> Source:
        alias = self._alias()
        fields = [Field(alias, name, kind) for name, kind in zip(query.names, query.kinds, strict=True)]

        def rows(env: Env) -> Iterator[Env]:
            for row in query.rows({}):
                yield {**env, alias: dict(zip(query.names, row, strict=True))}

        return Source(f"{common or f'({query.text})'} AS {alias}", fields, rows, query.size)

    def _leaf(self) -> Source:
        if self._common and self.c.below(2) == 0:
            name, query = self.c.pick(self._common)
            return self._derived(query, name)
        return self.table()

    def source(self) -> Source:
        """Draw FROM: one relation, or two joined."""
        if self.c.below(3):
            return self._leaf()
        return self.c.pick([self._joined, self._joined, self._merged])()

    def _joined(self) -> Source:
        left = self._leaf()
        if left.size > 400:
            return left
        right = self.table(self.c.pick(["lab.stars", "lab.marks"]))
        how = self.c.pick(
            ["JOIN", "LEFT JOIN", ",", "RIGHT OUTER JOIN", "FULL JOIN", "INNER JOIN", "CROSS JOIN"]
        )
        fields, size = [*left.fields, *right.fields], left.size * right.size
        if how in (",", "CROSS JOIN"):
            return Source(
                f"{left.text} {how} {right.text}",
                fields,
                lambda env: (pair for one in left.rows(env) for pair in right.rows(one)),
                size,
            )
        on = self._on(left, right)
        return Source(
            f"{left.text} {how} {right.text} ON {on.text}", fields, _outer(left, right, how, on), size
        )

    def _on(self, left: Source, right: Source) -> Cond:
        """Draw a condition that compares the two sides."""
        pairs = [
            (a, b)
            for a in left.fields
            for b in right.fields
            if a.kind == b.kind and a.kind in ("text", "int")
        ]
        sky = SkyConditions(self.c, [*left.fields, *right.fields], self._around)
        options: list[Callable[[], Cond]] = (
            [lambda: compared("=", *(f.expr for f in self.c.pick(pairs)))] if pairs else []
        )
        if len(sky.placed) > 1:
            options += [lambda: sky._near(0)] * 2
        if not options:
            options.append(lambda: self._conditions([*left.fields, *right.fields], nested=False).condition(1))
        found = self.c.pick(options)()
        if self.c.chance(2):
            other = self._conditions([*left.fields, *right.fields], nested=False).condition(1)
            return Cond(
                f"({found.text}) AND ({other.text})", lambda e: values.both([found.of(e), other.of(e)])
            )
        return found

    def _merged(self) -> Source:
        """Draw a join by USING or NATURAL."""
        left, right, names = self.c.pick(
            [
                ("lab.obs", "lab.marks", ("id",)),
                ("lab.obs", "lab.stars", ("n",)),
                ("lab.marks", "lab.stars", ("star",)),
                ("lab.marks", "lab.stars", ("star", "name")),
                ("lab.obs", "lab.marks", ("id", "name")),
            ]
        )
        one, other = self.table(left), self.table(right)
        how = self.c.pick(["JOIN", "LEFT JOIN", "INNER JOIN", "FULL JOIN", "RIGHT JOIN"])
        a, b = one.fields[0].alias, other.fields[0].alias
        tests = [compared("=", Field(a, name, "").expr, Field(b, name, "").expr) for name in names]
        on = Cond("", lambda e: values.both(test.of(e) for test in tests))
        natural = len(names) == 2
        text = f"{one.text} {'NATURAL ' * natural}{how} {other.text}"
        merged = [_merged_field(name, a, b, TABLES[left][name]) for name in names]
        rest = [f for f in (*one.fields, *other.fields) if f.name not in names]
        fields = [*merged, *rest]
        return Source(
            text if natural else f"{text} USING ({', '.join(names)})",
            fields,
            _outer(one, other, how, on),
            1000,
        )

    def _conditions(self, fields: Sequence[Field], *, nested: bool = True) -> Conditions:
        drawn = Conditions(self.c, fields)
        sky = SkyConditions(self.c, fields, self._around).kinds()
        drawn.more = [*sky, *((lambda _: self._nested(fields),) if nested else ())]
        return drawn

    def _nested(self, fields: Sequence[Field]) -> Cond:
        """Draw a condition with a sub-query, perhaps one that looks at the row outside."""
        inner = self.table(self.c.pick(["lab.marks", "lab.stars"]))
        outside = [f for f in fields if f.kind in ("int", "text")]
        where = self._conditions(inner.fields, nested=False).condition(1)
        if outside and self.c.below(2):
            there = self.c.pick(outside)
            own = [f for f in inner.fields if f.kind == there.kind]
            link = compared("=", self.c.pick(own).expr, there.expr)
            where = _and(where, link)
        shape = self.c.below(3)
        tail = f"FROM {inner.text} WHERE {where.text}"

        def kept(env: Env) -> Iterator[Env]:
            return (row for row in inner.rows(env) if where.of(row) is True)

        if shape == 0:
            word = self.c.pick(["", "NOT "])
            return Cond(
                f"{word}EXISTS (SELECT 1 {tail})", lambda e: (next(kept(e), None) is None) == bool(word)
            )
        kind = self.c.pick(["int", "text"])
        value = self.c.pick([f for f in inner.fields if f.kind == kind]).expr
        drawn = Conditions(self.c, fields)
        operand = drawn.whole(1) if kind == "int" else drawn.text(1)
        if shape == 1:
            negated = self.c.chance(2)

            def among(env: Env) -> values.Truth:
                found = values.among(operand.of(env), [value.of(row) for row in kept(env)])
                return values.opposite(found) if negated else found

            return Cond(f"{operand.text} {'NOT ' * negated}IN (SELECT {value.text} {tail})", among)
        name = self.c.pick(["MIN", "MAX"])
        operator = self.c.pick(["=", "<", ">=", "<>"])

        def of(env: Env) -> values.Truth:
            found = values.aggregate(name, [value.of(row) for row in kept(env)], distinct=False)
            return values.compare(operator, operand.of(env), found)

        return Cond(f"{operand.text} {operator} (SELECT {name}({value.text}) {tail})", of)

    def select(self, source: Source | None = None, *, plain: bool = False) -> Query:
        """Draw a SELECT without groups; a plain one can be used where its order does not matter."""
        source = source or self.source()
        drawn = self._conditions(source.fields, nested=source.size <= 400)
        where = drawn.condition() if self.c.below(6) else None
        distinct, way = self.c.chance(5), self.c.below(3)
        ordered = way == 0
        items = [drawn.any() for _ in range(1 + self.c.below(3))]
        if plain or distinct or ordered:
            items = [item if item.exact else source_column(drawn) for item in items]
        keys = [f.expr for f in source.fields if f.name in ("id", "star", "k")]
        items += keys[: 1 + self.c.below(2)]
        names = [f"o{self._alias()}" for _ in items]
        listed = ", ".join(f"{item.text} AS {name}" for item, name in zip(items, names, strict=True))
        top = self.c.pick([5, 1, 50, 0]) if self.c.chance(3) and (ordered or not plain) else None
        cut = f"TOP {top} " if top is not None else ""
        text = f"SELECT {'DISTINCT ' * distinct}{cut}{listed} FROM {source.text}"
        text += f" WHERE {where.text}" if where else ""
        order = self._order(len(items)) if ordered else []
        offset = self.c.pick([3, 0, 1000]) if ordered and self.c.chance(2) else 0
        text += order_text(order) + (f" OFFSET {offset}" if offset else "")

        def rows(env: Env) -> Rows:
            kept = (row for row in source.rows(env) if where is None or where.of(row) is True)
            found = [tuple(item.of(row) for item in items) for row in kept]
            found = list(dict.fromkeys(found)) if distinct else found
            if not ordered:
                return found
            return put_in_order(found, order)[offset:][: top if top is not None else None]

        loose = None if ordered else top
        return Query(
            text, [i.kind for i in items], names, rows, ordered, loose, [i.exact for i in items], source.size
        )

    def _order(self, count: int) -> list[tuple[int, bool]]:
        first = [(self.c.below(count), self.c.chance(2)) for _ in range(1 + self.c.below(2))]
        return [*first, *((place, False) for place in range(count) if place not in dict(first))]

    def grouped(self, source: Source | None = None, *, plain: bool = False) -> Query:
        """Draw a SELECT with aggregates, with or without GROUP BY and HAVING."""
        source = source or self.source()
        drawn = self._conditions(source.fields, nested=source.size <= 400)
        where = drawn.condition() if self.c.below(2) else None
        usable = [
            f.expr for f in source.fields if f.kind in ("int", "text", "bool", "time", "double", "float")
        ]
        keys = [self.c.pick(usable) for _ in range(self.c.below(3))]
        if keys and self.c.chance(4):
            keys.append(drawn.counted())
        columns = [self._aggregate(drawn, plain=plain) for _ in range(1 + self.c.below(2))]
        having = self._having(drawn) if keys and self.c.chance(3) else None
        items = [*keys, *(column for column, _ in columns)]
        names = [f"o{self._alias()}" for _ in items]
        listed = ", ".join(f"{item.text} AS {name}" for item, name in zip(items, names, strict=True))
        text, rows = group_by(source, where, keys, keys, columns, having)
        text = f"SELECT {listed} {text}"
        return Query(text, [i.kind for i in items], names, rows, exact=[i.exact for i in items])

    def _aggregate(self, drawn: Conditions, *, plain: bool) -> tuple[Expr, Callable[[list[Env]], Any]]:
        if self.c.below(4) == 0:
            return Expr("COUNT(*)", "int", lambda _: None), len
        name = self.c.pick(["COUNT", "MIN", "MAX", "SUM", "AVG"])
        if plain and name == "AVG":
            name = "SUM"
        if name in ("SUM", "AVG"):
            small = [f.expr for f in drawn.fields if f.name in ("x", "v", "s", "k", "star", "radius", "n")]
            value = self.c.pick(small) if small else Expr("2", "int", lambda _: 2)
        else:
            value = self.c.pick(
                [f.expr for f in drawn.fields if f.kind in ("int", "text", "time", "double", "float")]
            )
        distinct = self.c.chance(3)
        kind = {"COUNT": "int", "AVG": "double"}.get(
            name, "double" if name == "SUM" and value.kind == "float" else value.kind
        )

        def of(group: list[Env]) -> Any:
            return values.aggregate(name, [value.of(row) for row in group], distinct=distinct)

        return Expr(f"{name}({'DISTINCT ' * distinct}{value.text})", kind, lambda _: None, name != "AVG"), of

    def _having(self, drawn: Conditions) -> tuple[str, Callable[[list[Env]], values.Truth]]:
        aggregate, of = self._aggregate(drawn, plain=True)
        if aggregate.kind not in ("int", "double"):
            return f"{aggregate.text} IS NOT NULL", lambda group: of(group) is not None
        operator, limit = self.c.pick([">", "<=", "=", "<>"]), self.c.pick([1, 2, 0, 10])
        return f"{aggregate.text} {operator} {limit}", lambda group: values.compare(
            operator, of(group), limit
        )

    def combined(self) -> Query:
        """Draw a set operation over one or two columns."""
        kinds = [self.c.pick(["int", "text", "double"]) for _ in range(1 + self.c.below(2))]
        left, right = self._side(kinds), self._side(kinds)
        word, combine = self.c.pick(
            [
                ("UNION", union_rows),
                ("UNION ALL", union_all),
                ("EXCEPT", except_rows),
                ("EXCEPT ALL", except_all),
                ("INTERSECT", intersect_rows),
                ("INTERSECT ALL", intersect_all),
            ]
        )
        order = self._order(len(kinds)) if self.c.chance(2) else []

        def rows(env: Env) -> Rows:
            found = combine(left.rows(env), right.rows(env))
            return put_in_order(found, order) if order else found

        text = f"{left.text} {word} {right.text}{order_text(order)}"
        return Query(text, kinds, left.names, rows, bool(order), None, [True] * len(kinds))

    def _side(self, kinds: Sequence[str]) -> Query:
        source = self._leaf()
        drawn = self._conditions(source.fields, nested=source.size <= 400)
        where = drawn.condition(1)
        items = [self._of_kind(drawn, kind) for kind in kinds]
        names = [f"o{self._alias()}" for _ in items]
        listed = ", ".join(f"{item.text} AS {name}" for item, name in zip(items, names, strict=True))
        wide = [kind == "double" for kind in kinds]

        def rows(env: Env) -> Rows:
            return [
                tuple(_widened(item.of(row), real=real) for item, real in zip(items, wide, strict=True))
                for row in source.rows(env)
                if where.of(row) is True
            ]

        return Query(f"SELECT {listed} FROM {source.text} WHERE {where.text}", list(kinds), names, rows)

    def _of_kind(self, drawn: Conditions, kind: str) -> Expr:
        found = {"int": drawn.whole, "text": drawn.text, "double": drawn.real}[kind](1)
        if not found.exact:
            return Expr("0.5", "double", lambda _: 0.5)
        return found


def source_column(drawn: Conditions) -> Expr:
    """Return a plain column, whose values are exact."""
    return drawn.c.pick([f for f in drawn.fields if f.kind != "region"]).expr


def _changed(query: Query, text: str) -> Query:
    return Query(
        text, query.kinds, query.names, query.rows, query.ordered, query.top, query.exact, query.size
    )


def _and(one: Cond, other: Cond) -> Cond:
    return Cond(f"({one.text}) AND {other.text}", lambda e: values.both([one.of(e), other.of(e)]))


def _widened(value: Any, *, real: bool) -> Any:
    return float(value) if real and value is not None else value


def _merged_field(name: str, a: str, b: str, kind: str) -> Field:
    return _Merged(a, name, kind, b)


@dataclass(frozen=True)
class _Merged(Field):
    """A column that USING or NATURAL made of two."""

    other: str = ""

    @property
    @override
    def expr(self) -> Expr:
        one, two = Field(self.alias, self.name, self.kind).expr, Field(self.other, self.name, self.kind).expr

        def of(env: Env) -> Any:
            found = one.of(env)
            return two.of(env) if found is None else found

        return Expr(self.name, self.kind, of)


def _outer(left: Source, right: Source, how: str, on: Cond) -> Callable[[Env], Iterator[Env]]:
    """Return the rows of a join, with NULLs for what is alone on the kept sides."""
    keeps_left, keeps_right = how.startswith(("LEFT", "FULL")), how.startswith(("RIGHT", "FULL"))
    left_none = {f.alias: None for f in left.fields}
    right_none = {f.alias: None for f in right.fields}

    def rows(env: Env) -> Iterator[Env]:
        others = list(right.rows(env))
        joined: set[int] = set()
        for one in left.rows(env):
            alone = True
            for number, other in enumerate(others):
                pair = {**one, **{alias: other[alias] for alias in right_none}}
                if on.of(pair) is True:
                    joined.add(number)
                    alone = False
                    yield pair
            if alone and keeps_left:
                yield {**one, **right_none}
        if keeps_right:
            yield from ({**other, **left_none} for number, other in enumerate(others) if number not in joined)

    return rows
