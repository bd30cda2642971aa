"""Random conditions of one column with values that some row has, or nearly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from schemas.names import name_key
from tests.conformance import values_oracle as values
from tests.conformance.expressions import (
    COMPARISONS,
    Chooser,
    Cond,
    Env,
    Expr,
    Field,
    compared,
    constant,
    quoted,
)
from tests.conformance.values_oracle import Truth
from tests.conformance.world import Row


class StoredConditions:
    """Draws conditions of one column with values that it has, or nearly."""

    def __init__(self, c: Chooser, fields: Sequence[Field], rows: Sequence[Row]) -> None:
        self.c = c
        self.fields = [field for field in fields if field.kind != "region"]
        self._rows = rows

    def condition(self) -> Cond:
        field = self.c.pick(self.fields)
        draws = [self._compared, self._compared, self._null, self._among, self._between]
        if field.kind == "text":
            draws += [self._like, self._like, self._lower, self._named]
        if field.kind == "bool":
            draws = [self._flag, self._null]
        return self.c.pick(draws)(field)

    def value(self, field: Field) -> Expr:
        """Draw a constant: a value of some row, or one beside it."""
        found = self._rows[self.c.below(len(self._rows))][field.name]
        if found is None:
            found = {"text": "", "int": 1, "double": 0.5, "float": 0.5, "time": 0}[field.kind]
        if field.kind == "time":
            return _moment(found)
        if field.kind == "int":
            found += self.c.pick([0, 0, 0, 1, -1])
            return _whole(max(-(2**63), min(found, 2**63 - 1)))
        if field.kind == "text":
            return constant(found + self.c.pick(["", "", "", "y", " "]), "text")
        return constant(found, "double")

    def _compared(self, field: Field) -> Cond:
        a, b, operator = field.expr, self.value(field), self.c.pick(COMPARISONS)
        return compared(operator, b, a) if self.c.chance(4) else compared(operator, a, b)

    def _flag(self, field: Field) -> Cond:
        text, meant = self.c.pick([("1", True), ("'true'", True), ("0", False), ("'False'", False)])
        word = self.c.pick(["=", "<>"])
        of = field.expr.of
        return Cond(f"{field.expr.text} {word} {text}", lambda e: values.compare(word, of(e), meant))

    def _null(self, field: Field) -> Cond:
        word, of = self.c.pick(["IS NULL", "IS NOT NULL"]), field.expr.of
        return Cond(f"{field.expr.text} {word}", lambda e: (of(e) is None) == (word == "IS NULL"))

    def _among(self, field: Field) -> Cond:
        items = [self.value(field) for _ in range(1 + self.c.below(4))]
        tests = [compared("=", field.expr, item) for item in items]
        text = f"{field.expr.text} {{}}IN ({', '.join(item.text for item in items)})"
        return self._perhaps_not(text, lambda e: values.either(test.of(e) for test in tests))

    def _between(self, field: Field) -> Cond:
        low, high = self.value(field), self.value(field)
        over, under = compared(">=", field.expr, low), compared("<=", field.expr, high)
        text = f"{field.expr.text} {{}}BETWEEN {low.text} AND {high.text}"
        return self._perhaps_not(text, lambda e: values.both([over.of(e), under.of(e)]))

    def _perhaps_not(self, text: str, holds: Callable[[Env], Truth]) -> Cond:
        if self.c.chance(3):
            return Cond(text.format("NOT "), lambda e: values.opposite(holds(e)))
        return Cond(text.format(""), holds)

    def _like(self, field: Field) -> Cond:
        found = self._rows[self.c.below(len(self._rows))][field.name] or "%"
        place = self.c.below(min(len(found), 40))
        head, tail = found[:place], found[place + 1 :][-40:]
        pattern = constant(
            self.c.pick([head + "%", found + "%", head + "_" + tail, "%" + tail, f"%{found[-3:]}%", found]),
            "text",
        )
        word, of = self.c.pick(["LIKE", "LIKE", "ILIKE"]), field.expr.of
        if word == "ILIKE" and self.c.chance(2):
            pattern = constant(pattern.of({}).swapcase(), "text")
        fits = cache(lambda text: values.like(text, pattern.of({}), ignore_case=word == "ILIKE"))
        return self._perhaps_not(f"{field.expr.text} {{}}{word} {pattern.text}", lambda e: fits(of(e)))

    def _lower(self, field: Field) -> Cond:
        of = field.expr.of

        def lowered(env: Env) -> Any:
            found = of(env)
            return None if found is None else values.lower(found)

        own = Expr(f"LOWER({field.expr.text})", "text", lowered)
        asked = self.value(field)
        return compared("=", own, constant(values.lower(asked.of({})), "text"))

    def _named(self, field: Field) -> Cond:
        of, keys = field.expr.of, cache(name_key)

        def key(env: Env) -> Any:
            found = of(env)
            return None if found is None else keys(found)

        own = Expr(f"onedfs_name_key({field.expr.text})", "text", key)
        asked = str(self.value(field).of({}))
        name = asked.swapcase() if self.c.chance(2) else asked.replace(" ", "-")
        wanted = keys(name)
        same = Expr(f"onedfs_name_key({quoted(name)})", "text", lambda _: wanted, plain=True)
        return compared(self.c.pick(["=", "=", "<>"]), own, same)


def _whole(value: int) -> Expr:
    """Spell a whole number; the least has no literal of its own."""
    if value == -(2**63):
        return Expr("(-9223372036854775807 - 1)", "int", lambda _: value, plain=True)
    return constant(value, "int")


def _moment(micro: int) -> Expr:
    text = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micro)).replace(tzinfo=None)
    spelled = f"'{text.isoformat(timespec='microseconds')}'"
    return Expr(spelled, "time", lambda _: micro, plain=True)
