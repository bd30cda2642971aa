"""Random values and conditions: each an ADQL text together with a function that computes it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias, TypeVar

import numpy as np

from tests.conformance import values_oracle as values
from tests.conformance.values_oracle import Truth, Value
from tests.conformance.world import INTS, LONGS, NAMES

T = TypeVar("T")

Env: TypeAlias = Mapping[str, Mapping[str, Any] | None]
"""The row of each relation in scope; None on the empty side of an outer join."""

COMPARISONS = ("=", "<>", "<", "<=", ">", ">=", "!=")


class Chooser:
    """Makes choices with the numbers that it is handed: below ``n``, 0 being the simplest."""

    def __init__(self, below: Callable[[int], int]) -> None:
        self.below = below

    def pick(self, items: Sequence[T]) -> T:
        return items[self.below(len(items))]

    def chance(self, of: int) -> bool:
        """Be true once in so many times."""
        return self.below(of) == of - 1


@dataclass(frozen=True)
class Expr:
    """A value: ``exact`` unless engines may differ in its last digits, ``plain`` when it is a constant."""

    text: str
    kind: str
    of: Callable[[Env], Value]
    exact: bool = True
    plain: bool = False


@dataclass(frozen=True)
class Cond:
    """A condition."""

    text: str
    of: Callable[[Env], Truth]


@dataclass(frozen=True)
class Field:
    """A column in scope."""

    alias: str
    name: str
    kind: str

    @property
    def expr(self) -> Expr:
        alias, name = self.alias, self.name

        def of(env: Env) -> Value:
            row = env[alias]
            return None if row is None else row[name]

        return Expr(f"{alias}.{name}", self.kind, of)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def number(value: float) -> str:
    return f"({value!r})" if value < 0 else repr(value)


def constant(value: Value, kind: str) -> Expr:
    text = quoted(value) if kind == "text" else number(value)
    return Expr(text, kind, lambda _: value, plain=True)


def moment_text(micro: int, c: Chooser) -> tuple[str, int]:
    """Spell a moment, perhaps shortened, and return what the text then means."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micro)
    whole = moment.replace(tzinfo=None).isoformat(timespec="microseconds")
    text = whole[: c.pick([26, 19, 16, 10, 7, 4])]
    parts = [int(part) for part in text.replace("T", "-").replace(":", "-").replace(".", "-").split("-")]
    given = [*parts, *[1970, 1, 1, 0, 0, 0, 0][len(parts) :]]
    year, month, day, hour, minute, second, fraction = given
    then = datetime(year, month, day, hour, minute, second, fraction, tzinfo=UTC)
    meant = (then - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return text + ("Z" if "T" in text and c.chance(4) else ""), meant


class Values:
    """Draws values over the columns in scope."""

    def __init__(self, c: Chooser, fields: Sequence[Field]) -> None:
        self.c = c
        self.fields = fields

    def column(self, *kinds: str) -> Expr | None:
        found = [field for field in self.fields if field.kind in kinds]
        return self.c.pick(found).expr if found else None

    def whole(self, depth: int = 2) -> Expr:  # noqa: PLR0911 - one for each shape
        """Draw a whole number."""
        shape = self.c.below(9) if depth else self.c.below(3)
        column = self.column("int")
        if shape < 2 and column is not None:
            return column
        if shape < 4:
            return constant(self.c.pick([v for v in [*INTS, *INTS, *LONGS[:8]] if v is not None]), "int")
        if shape == 4:
            name = self.c.pick(["ABS", "-", "COALESCE"])
            a = self.whole(depth - 1)
            if name == "COALESCE":
                b = self.whole(depth - 1)
                return Expr(f"COALESCE({a.text}, {b.text})", "int", lambda e: _first(a.of(e), b.of(e)))
            if name == "ABS":
                return Expr(
                    f"ABS({a.text})", "int", lambda e: _apply(lambda v: values.whole(abs(v)), a.of(e))
                )
            return Expr(f"(- {a.text})", "int", lambda e: _apply(lambda v: values.whole(-v), a.of(e)))
        if shape == 8:
            return self._cut()
        a, b = self.whole(depth - 1), self.whole(depth - 1)
        if shape == 5:
            return Expr(f"MOD({a.text}, {b.text})", "int", lambda e: values.remainder(a.of(e), b.of(e)))
        operator = self.c.pick("+-*/")
        return Expr(
            f"({a.text} {operator} {b.text})", "int", lambda e: values.arithmetic(operator, a.of(e), b.of(e))
        )

    def _cut(self) -> Expr:
        name, bits = self.c.pick([("SMALLINT", 16), ("INTEGER", 32), ("BIGINT", 64)])
        text = self.column("text")
        a = text if text is not None and self.c.chance(2) else self.real(0)
        return Expr(f"CAST({a.text} AS {name})", "int", lambda e: values.as_whole(a.of(e), bits))

    def counted(self) -> Expr:
        """Draw a whole number that is no constant."""
        column = self.column("int") or self.c.pick(self.fields).expr
        if column.kind != "int":
            return column
        return Expr(f"(1 - {column.text})", "int", lambda e: values.arithmetic("-", 1, column.of(e)))

    def real(self, depth: int = 2) -> Expr:
        """Draw a decimal number."""
        shape = self.c.below(9) if depth else self.c.below(3)
        column = self.column("double", "float")
        if shape < 2 and column is not None:
            return column
        if shape < 4:
            return constant(
                self.c.pick([0.5, 0.0, -1.5, 2.5, 0.1, 1e3, 1e300, 0.125, 4611686018427387904.5]), "double"
            )
        if shape == 4:
            return self._function(depth)
        if shape == 5:
            return self._places(depth)
        a = self.real(depth - 1)
        b = self.whole(depth - 1) if shape == 6 else self.real(depth - 1)
        operator = self.c.pick("+-*/")
        return Expr(
            f"({a.text} {operator} {b.text})",
            "double",
            lambda e: values.arithmetic(operator, _float(a.of(e)), _float(b.of(e))),
            a.exact and b.exact,
        )

    def _function(self, depth: int) -> Expr:
        name = self.c.pick(list(_FUNCTIONS))
        function, exact = _FUNCTIONS[name]
        # Of a whole number it is a whole number.
        a = self.real(depth - 1) if name == "ABS" or self.c.chance(2) else self.whole(depth - 1)
        return Expr(f"{name}({a.text})", "double", lambda e: function(a.of(e)), exact and a.exact)

    def _places(self, depth: int) -> Expr:
        name, function = self.c.pick([("ROUND", values.rounded), ("TRUNCATE", values.truncated)])
        a, places = self.real(depth - 1), self.c.pick([0, 1, 2, -1, -2, 3])
        return Expr(
            f"{name}({a.text}, {places})",
            "double",
            lambda e: values.real(function)(a.of(e), places),
            exact=False,
        )

    def numeric(self, depth: int = 2) -> Expr:
        return self.whole(depth) if self.c.below(2) == 0 else self.real(depth)

    def text(self, depth: int = 2) -> Expr:  # noqa: PLR0911 - one for each shape
        """Draw a text."""
        shape = self.c.below(8) if depth else self.c.below(3)
        column = self.column("text")
        if shape < 2 and column is not None:
            return column
        if shape < 3:
            return constant(self.c.pick([name for name in NAMES if name is not None]), "text")
        a = self.text(depth - 1)
        if shape == 3:
            name, function = self.c.pick([("LOWER", values.lower), ("UPPER", values.upper)])
            return Expr(f"{name}({a.text})", "text", lambda e: _apply(function, a.of(e)))
        if shape == 4:
            n = self.whole(0)
            return Expr(f"CAST({n.text} AS VARCHAR)", "text", lambda e: _apply(str, n.of(e)))
        if shape == 5:
            size = self.c.pick([1, 2, 4])
            return Expr(
                f"CAST({a.text} AS VARCHAR({size}))", "text", lambda e: _apply(lambda v: v[:size], a.of(e))
            )
        b = self.text(depth - 1)
        if shape == 6:
            return Expr(f"COALESCE({a.text}, {b.text})", "text", lambda e: _first(a.of(e), b.of(e)))
        return Expr(
            f"({a.text} || {b.text})",
            "text",
            lambda e: None if None in (a.of(e), b.of(e)) else a.of(e) + b.of(e),
        )

    def any(self) -> Expr:
        """Draw a value of any kind, a plain column often."""
        if self.c.below(2) == 0:
            return self.c.pick([field for field in self.fields if field.kind != "region"]).expr
        return self.c.pick([self.whole, self.real, self.text])()


def _float(value: Value) -> Value:
    return None if value is None else float(value)


def _first(*found: Value) -> Value:
    return next((value for value in found if value is not None), None)


def _apply(function: Callable[[Any], Any], value: Value) -> Value:
    return None if value is None else function(value)


_FUNCTIONS: Mapping[str, tuple[Callable[..., Value], bool]] = {
    "FLOOR": (values.real(lambda v: float(math.floor(v))), True),
    "CEILING": (values.real(lambda v: float(math.ceil(v))), True),
    "ABS": (values.real(abs), True),
    "SQRT": (values.real(math.sqrt), False),
    "LOG": (values.real(math.log), False),
    "LOG10": (values.real(math.log10), False),
    "EXP": (values.real(math.exp), False),
    "SIN": (values.real(math.sin), False),
    "ACOS": (values.real(math.acos), False),
    "ATAN": (values.real(math.atan), False),
    "DEGREES": (values.real(math.degrees), False),
}


class Conditions(Values):
    """Draws conditions; ``more`` adds those of sub-queries and of the sky."""

    more: Sequence[Callable[[int], Cond]] = ()

    def condition(self, depth: int = 2) -> Cond:
        shape = self.c.below(10) if depth else 0
        if shape < 4:
            return self._simple(depth)
        if shape == 4:
            a = self.condition(depth - 1)
            return Cond(f"NOT ({a.text})", lambda e: values.opposite(a.of(e)))
        if shape < 7 and self.more:
            return self.c.pick(self.more)(depth - 1)
        parts = [self.condition(depth - 1) for _ in range(2 + self.c.below(2))]
        word, combine = self.c.pick([("AND", values.both), ("OR", values.either)])
        text = f" {word} ".join(f"({part.text})" for part in parts)
        return Cond(text, lambda e: combine([part.of(e) for part in parts]))

    def _simple(self, depth: int) -> Cond:
        return self.c.pick(
            [
                self._numbers,
                self._texts,
                self._stored,
                self._stored,
                self._null,
                self._like,
                self._between,
                self._in,
                self._time,
                self._truth,
            ]
        )(min(depth, 1))

    def _numbers(self, depth: int) -> Cond:
        a, b = self.numeric(depth), self.numeric(depth)
        return compared(self.c.pick(COMPARISONS), a, b)

    def _texts(self, depth: int) -> Cond:
        a, b = self.text(depth), self.text(depth)
        return compared(self.c.pick(COMPARISONS), a, b)

    def _null(self, _: int) -> Cond:
        a, word = self.any(), self.c.pick(["IS NULL", "IS NOT NULL"])
        return Cond(f"{a.text} {word}", lambda e: (a.of(e) is None) == (word == "IS NULL"))

    def _like(self, depth: int) -> Cond:
        a = self.text(depth)
        pattern = self._pattern()
        b = self.text(0) if self.c.chance(4) else constant(pattern, "text")
        word, negated = self.c.pick(["LIKE", "ILIKE"]), self.c.chance(3)

        def of(env: Env) -> Truth:
            found = values.like(a.of(env), b.of(env), ignore_case=word == "ILIKE")
            return values.opposite(found) if negated else found

        return Cond(f"{a.text} {'NOT ' if negated else ''}{word} {b.text}", of)

    def _pattern(self) -> str:
        """Draw a pattern, most often one that a stored text fits, perhaps in another case."""
        if self.c.chance(4):
            pieces = ["%", "_", "M", "u", "s", "e", "a", "\\", "'", "é", "\n", " ", "🔭", "1", "."]
            return "".join(self.c.pick(pieces) for _ in range(self.c.below(5)))
        text = self.c.pick([name for name in NAMES if name])
        text = self.c.pick([text, text.swapcase()])
        place = self.c.below(len(text))
        return text[:place] + self.c.pick([text[place:], "%", "_" + text[place + 1 :], "%" + text[place:]])

    def _stored(self, _: int) -> Cond:
        """Compare a column with something that is stored in it, or nearly."""
        column = self.column("float", "int", "double", "text") or self.any()
        stored: dict[str, list[Any]] = {
            "float": [0.1, -0.1, 1 / 3, 1.5, 16777217.0, 0.0],
            "double": [0.125, 2.5, 0.0, 1e300, 1 / 3, 0.1],
            "int": [0, 1, -7, 2**31 - 1, 2**53 + 1, 2**62, -(2**15)],
            "text": [name for name in NAMES if name is not None],
        }
        kind = column.kind if column.kind in stored else "text"
        if kind != column.kind:
            return self._null(0)
        value = constant(self.c.pick(stored[kind]), "double" if kind == "float" else kind)
        return compared(self.c.pick(COMPARISONS), column, value)

    def _between(self, depth: int) -> Cond:
        draw = self.c.pick([self.numeric, self.text])
        a, low, high = draw(depth), draw(0), draw(0)
        negated = self.c.chance(3)
        over, under = compared(">=", a, low), compared("<=", a, high)

        def of(env: Env) -> Truth:
            found = values.both([over.of(env), under.of(env)])
            return values.opposite(found) if negated else found

        return Cond(f"{a.text} {'NOT ' if negated else ''}BETWEEN {low.text} AND {high.text}", of)

    def _in(self, depth: int) -> Cond:
        draw = self.c.pick([self.numeric, self.text])
        a = draw(depth)
        items = [draw(0) for _ in range(1 + self.c.below(3))]
        same = [compared("=", a, item) for item in items]
        negated = self.c.chance(3)

        def of(env: Env) -> Truth:
            found = values.either(test.of(env) for test in same)
            return values.opposite(found) if negated else found

        return Cond(f"{a.text} {'NOT ' if negated else ''}IN ({', '.join(item.text for item in items)})", of)

    def _time(self, depth: int) -> Cond:
        a = self.column("time")
        if a is None:
            return self._null(depth)
        text, meant = moment_text(
            self.c.pick([0, 1704067200000000, 1714521600000001, -1, 1709208000500000]), self.c
        )
        operator = self.c.pick(COMPARISONS[:6])
        return Cond(f"{a.text} {operator} '{text}'", lambda e: values.compare(operator, a.of(e), meant))

    def _truth(self, depth: int) -> Cond:
        a = self.column("bool")
        if a is None:
            return self._null(depth)
        text, meant = self.c.pick([("1", True), ("'true'", True), ("0", False), ("'False'", False)])
        return Cond(f"{a.text} = {text}", lambda e: values.compare("=", a.of(e), meant))


def compared(operator: str, a: Expr, b: Expr) -> Cond:
    """Compare two values as the semantics say: exactly, and constants beside a REAL in its precision."""
    word = "<>" if operator == "!=" else operator

    def of(env: Env) -> Truth:
        left, right = a.of(env), b.of(env)
        if a.kind == "float" and b.plain and right is not None:
            right = float(np.float32(right)) if abs(right) < 1e38 else float(right)
        if b.kind == "float" and a.plain and left is not None:
            left = float(np.float32(left)) if abs(left) < 1e38 else float(left)
        decimal = any(side.plain and side.kind == "double" for side in (a, b))
        if not decimal and {a.kind, b.kind} & {"double", "float"}:
            left, right = _float(left), _float(right)
        return values.compare(word, left, right, exact=a.exact and b.exact)

    return Cond(f"{a.text} {operator} {b.text}", of)
