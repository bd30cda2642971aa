"""Conditions (ADQL 2.1, section 2.2.5): both sides of a comparison are brought to one kind here."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from query import tree
from schemas import Kind
from vo.adql import constants, syntax
from vo.adql.alternatives import listed
from vo.adql.shapes import is_shape, named_kind
from vo.adql.values import ValueResolver

_EXACT = ("=", "<>")

MOST_CONDITIONS = 10_000
"""Conditions that AND and OR may join in a query; equalities of one column with constants count as one."""


class ConditionResolver(ValueResolver):
    """Resolves conditions."""

    _conditions = 0

    @override
    def condition(  # noqa: PLR0911 - one for each class of node
        self, node: syntax.Condition
    ) -> tree.Predicate:
        with self.deeper(node.at):
            match node:
                case syntax.Logical():
                    return self._logical(node)
                case syntax.Compare():
                    left, right = self._pair(node.left, node.right, exact=node.operator in _EXACT)
                    return tree.Comparison(node.operator, left, right)
                case syntax.Range():
                    return self._range(node)
                case syntax.Membership():
                    return self._membership(node)
                case syntax.Pattern():
                    operand, pattern = self.each(self._pattern_side, (node.operand, node.pattern))
                    return tree.Like(operand, pattern, node.ignore_case, node.negated)
                case syntax.NullTest():
                    return tree.IsNull(self.value(node.operand, whole=True), node.negated)
                case syntax.Negation():
                    return tree.Not(self.condition(node.item))
                case syntax.Existence():
                    return tree.Exists(self.query(node.query, self.level.scope))

    def _logical(self, node: syntax.Logical) -> tree.Predicate:
        items: list[tree.Predicate] = []
        cls = tree.And if node.operator == "AND" else tree.Or
        for item in self.each(self.condition, node.items):
            items.extend(item.items if isinstance(item, cls) else (item,))
        if cls is tree.Or:
            items = list(listed(items))
        self._conditions += len(items)
        if self._conditions > MOST_CONDITIONS:
            message = f"a query has at most {MOST_CONDITIONS} conditions joined by AND and OR; use IN"
            self.end("unsupported", node.at, message)
        return cls(tuple(items)) if len(items) > 1 else items[0]

    def _pair(
        self, left: syntax.Value, right: syntax.Value, *, exact: bool
    ) -> tuple[tree.Expression, tree.Expression]:
        a, b = self.each(self.comparable, (left, right))
        return self.unified(a, b, (left.at, right.at), exact=exact)

    def comparable(self, node: syntax.Value) -> tree.Expression:
        """Resolve a value that shall be compared."""
        if isinstance(node, syntax.Null):
            self.fail("syntax", node.at, "nothing compares with NULL", ["IS NULL", "IS NOT NULL"])
        found = self.value(node)
        self.refuse_shape(found, node.at)
        return found

    def refuse_shape(self, found: tree.Expression, at: int) -> None:
        """Refuse a geometry where values are compared; the text of a footprint is none."""
        if is_shape(found):
            message = f"{named_kind(found.kind)} cannot be compared like a number"
            self.fail("type", at, message, ["CONTAINS", "INTERSECTS", "DISTANCE"])

    def unified(
        self, a: tree.Expression, b: tree.Expression, at: tuple[int, int], *, exact: bool
    ) -> tuple[tree.Expression, tree.Expression]:
        """Bring two values to one kind.

        A constant takes the kind of the other side; a text that meets a timestamp is cast.

        Raises
        ------
        AdqlError
            ``type``, at the side that does not fit.
        """
        if isinstance(b, tree.Literal) and (not isinstance(a, tree.Literal) or a.kind is not Kind.TEXT):
            b = self._fitted(b, a, at[1], exact=exact)
        elif isinstance(a, tree.Literal):
            a = self._fitted(a, b, at[0], exact=exact)
        if a.kind is Kind.TIMESTAMP and b.kind is Kind.TEXT:
            b = self.as_time(b, at[1])
        elif b.kind is Kind.TIMESTAMP and a.kind is Kind.TEXT:
            a = self.as_time(a, at[0])
        if _family(a.kind) != _family(b.kind):
            self._mismatch(a, b, at)
        return a, b

    def _mismatch(self, a: tree.Expression, b: tree.Expression, at: tuple[int, int]) -> None:
        side = at[0] if isinstance(a, tree.Literal) else at[1]
        mine, other = (a, b) if isinstance(a, tree.Literal) else (b, a)
        hint = []
        if isinstance(mine, tree.Literal) and other.kind in (Kind.TEXT, Kind.TIMESTAMP):
            hint = [f"'{mine.value}'"]
        message = f"{named_kind(other.kind)} cannot be compared with {named_kind(mine.kind)}"
        self.fail("type", side, message, hint)

    def _fitted(
        self, literal: tree.Literal, other: tree.Expression, at: int, *, exact: bool
    ) -> tree.Expression:
        """Return a constant in the kind of what it is compared with, or as it is when the kinds differ."""
        whole = literal.kind.is_integer and literal.value is not None
        if whole and other.kind in (Kind.TEXT, Kind.REGION) and exact:
            return tree.Literal(str(literal.value), Kind.TEXT)
        fitted = constants.as_kind(literal, other.kind)
        if fitted is not None:
            return fitted
        if literal.kind is Kind.TEXT:
            if other.kind is Kind.TIMESTAMP:
                return self.as_time(literal, at)
            message = f"{literal.value!r} is no {named_kind(other.kind).split(' ', 1)[1]}"
            name = f", but {other.name} is one" if isinstance(other, tree.Column) else ""
            self.fail("type", at, message + name)
        return literal

    def _range(self, node: syntax.Range) -> tree.Predicate:
        operand, low, high = self.each(self.comparable, (node.operand, node.low, node.high))
        at = node.operand.at
        if isinstance(operand, tree.Literal):
            operand = self._beside(operand, at, (low, high), (node.low.at, node.high.at))
        operand, low = self.unified(operand, low, (at, node.low.at), exact=False)
        operand, high = self.unified(operand, high, (at, node.high.at), exact=False)
        if operand.kind is Kind.TIMESTAMP and low.kind is Kind.TEXT:
            low = self.as_time(low, node.low.at)
        return tree.Between(operand, low, high, node.negated)

    def _beside(
        self, constant: tree.Literal, at: int, others: Sequence[tree.Expression], places: Sequence[int]
    ) -> tree.Expression:
        """Return a constant in the kind of the first of these that is none itself, if any."""
        for other, place in zip(others, places, strict=True):
            if not isinstance(other, tree.Literal):
                return self.unified(constant, other, (at, place), exact=True)[0]
        return constant

    def _membership(self, node: syntax.Membership) -> tree.Predicate:
        operand = self.comparable(node.operand)
        at = node.operand.at
        if not isinstance(node.items, tuple):
            query = self.query(node.items, self.level.scope)
            if len(query.columns) != 1:
                message = f"the query after IN has one column, not {len(query.columns)}"
                self.fail("type", node.at, message)
            column = tree.Column("", query.columns[0].name, query.columns[0].kind)
            operand, other = self.unified(operand, column, (at, node.items.at), exact=True)
            if other is not column:
                self._mismatch(operand, column, (at, node.items.at))
            return tree.InQuery(operand, query, node.negated)
        items = self.each(self.comparable, node.items)
        if isinstance(operand, tree.Literal):
            operand = self._beside(operand, at, items, [item.at for item in node.items])

        def fitted(item: tuple[tree.Expression, syntax.Value]) -> tree.Expression:
            both = self.unified(operand, item[0], (at, item[1].at), exact=True)
            if both[0] is not operand and not isinstance(operand, tree.Literal):
                self._mismatch(operand, item[0], (at, item[1].at))
            return both[1]

        values = self.each(fitted, zip(items, node.items, strict=True))
        return tree.InList(operand, tuple(values), node.negated)

    def _pattern_side(self, node: syntax.Value) -> tree.Expression:
        found = self.comparable(node)
        if found.kind not in (Kind.TEXT, Kind.REGION):
            message = f"LIKE compares texts, and this is {named_kind(found.kind)}"
            self.fail("type", node.at, message, ["CAST(... AS VARCHAR)"])
        return found


def _family(kind: Kind) -> str:
    if kind.is_numeric:
        return "number"
    return "text" if kind is Kind.REGION else kind.value
