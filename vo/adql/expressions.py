"""Reading values and conditions by operator precedence (ADQL 2.1, sections 2.2 and 2.3)."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TypeAlias

from vo.adql import syntax
from vo.adql.lexer import Token
from vo.adql.stream import TokenStream
from vo.adql.words import AGGREGATES, FUNCTION_WORDS

Node: TypeAlias = syntax.Value | syntax.Condition

_COMPARISONS = {"=": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}

_OR, _AND, _NOT, _TEST, _CONCAT, _SUM, _PRODUCT, _SIGN = range(10, 90, 10)

_POWER = {
    "OR": _OR,
    "AND": _AND,
    **dict.fromkeys(_COMPARISONS, _TEST),
    **dict.fromkeys(("NOT", "IN", "LIKE", "ILIKE", "BETWEEN", "IS"), _TEST),
    "||": _CONCAT,
    "+": _SUM,
    "-": _SUM,
    "*": _PRODUCT,
    "/": _PRODUCT,
}

_CONSTANTS = frozenset({"integer", "decimal", "hex", "string"})

_ENDS = frozenset({",", ")"})
"""What follows a value that is no part of another; lists are mostly made of such constants."""

_TYPES = frozenset(
    {
        "SMALLINT",
        "INTEGER",
        "BIGINT",
        "REAL",
        "DOUBLE",
        "CHAR",
        "VARCHAR",
        "TIMESTAMP",
        "POINT",
        "CIRCLE",
        "POLYGON",
    }
)


class ExpressionParser(TokenStream):
    """Reads values and conditions; queries inside them are read by the whole parser."""

    @abstractmethod
    def query(self) -> syntax.QueryNode:
        """Read a query."""

    def value(self) -> syntax.Value:
        """Read a value."""
        at = self.token.at
        if self.token.cls in _CONSTANTS and self.ahead().value in _ENDS and self.ahead().cls == "sign":
            return self._as_value(self._prefix(), at)
        return self._as_value(self._expression(0), at)

    def condition(self) -> syntax.Condition:
        """Read a condition."""
        at = self.token.at
        return self._as_condition(self._expression(0), at)

    def _as_value(self, node: Node, at: int) -> syntax.Value:
        if isinstance(node, syntax.CONDITIONS):
            raise self.source.error("syntax", at, "a value is expected here, not a condition")
        return node

    def _as_condition(self, node: Node, at: int) -> syntax.Condition:
        if isinstance(node, syntax.CONDITIONS):
            return node
        hint = ["... = 1"] if isinstance(node, syntax.Call) else []
        raise self.source.error("syntax", at, "a condition is expected here, not a value", hint)

    def _expression(self, least: int) -> Node:
        self.enter()
        start = self.token.at
        left = self._prefix()
        chain: Node | None = None
        while True:
            token = self.token
            power = _POWER.get(token.value, -1) if token.cls in ("word", "sign") else -1
            if power < least or power < 0:
                break
            self.advance()
            if power <= _AND:
                chain = left = self._logical(token, left, start, grow=left is chain)
            elif power == _TEST:
                left = self._test(token, self._as_value(left, start))
            else:
                left = self._binary(token, power, self._as_value(left, start))
        self.leave()
        return left

    def _logical(self, token: Token, left: Node, start: int, *, grow: bool) -> syntax.Logical:
        at = self.token.at
        right = self._as_condition(self._expression(_POWER[token.value] + 1), at)
        if grow and isinstance(left, syntax.Logical) and left.operator == token.value:
            left.items.append(right)
            return left
        operator = "AND" if token.value == "AND" else "OR"
        return syntax.Logical(token.at, operator, [self._as_condition(left, start), right])  # type: ignore[arg-type]

    def _binary(self, token: Token, power: int, left: syntax.Value) -> syntax.Value:
        at = self.token.at
        right = self._as_value(self._expression(power + 1), at)
        return syntax.Binary(token.at, token.value, left, right)

    def _operand(self) -> syntax.Value:
        at = self.token.at
        return self._as_value(self._expression(_CONCAT), at)

    def _test(self, token: Token, left: syntax.Value) -> syntax.Condition:
        operator = _COMPARISONS.get(token.value)
        if operator:
            return syntax.Compare(token.at, operator, left, self._operand())  # type: ignore[arg-type]
        if token.value == "IS":
            negated = self.accept("NOT") is not None
            self.expect("NULL")
            return syntax.NullTest(token.at, left, negated)
        negated = token.value == "NOT"
        word = self.advance() if negated else token
        match word.value:
            case "IN":
                return self._membership(word, left, negated=negated)
            case "BETWEEN":
                low = self._operand()
                self.expect("AND")
                return syntax.Range(word.at, left, low, self._operand(), negated)
            case "LIKE" | "ILIKE":
                pattern = self._operand()
                self.refuse_foreign()
                return syntax.Pattern(word.at, left, pattern, word.value == "ILIKE", negated)
        message = f"IN, BETWEEN, LIKE or ILIKE is expected after NOT, not {self.shown(word)}"
        raise self.source.error("syntax", word.at, message)

    def _membership(self, token: Token, left: syntax.Value, *, negated: bool) -> syntax.Membership:
        if not self.at("("):
            self.unexpected("'('")
        if self.starts_query():
            return syntax.Membership(token.at, left, self._parenthesised_query(), negated)
        self.expect("(")
        items = [self.value()]
        while self.accept(","):
            items.append(self.value())
        self.expect(")")
        return syntax.Membership(token.at, left, tuple(items), negated)

    def _parenthesised_query(self) -> syntax.QueryNode:
        self.expect("(")
        query = self.query()
        self.expect(")")
        return query

    def _prefix(self) -> Node:  # noqa: PLR0911 - one for each class of token
        token = self.token
        match token.cls:
            case "name" if self.ahead().value == "(" and self.ahead().cls == "sign":
                return self._call()
            case "name" | "quoted":
                return self._name()
            case "integer" | "decimal" | "hex":
                return self._number(self.advance(), 1)
            case "string":
                return self._text()
            case "sign":
                return self._signed_or_parenthesised(token)
            case "word":
                return self._word(token)
        return self.unexpected("a value")

    def _name(self) -> syntax.Name:
        parts = [self.identifier("a column")]
        while self.accept("."):
            parts.append(self.identifier("a column"))
        return syntax.Name(parts[0].at, tuple(parts))

    def _text(self) -> syntax.Text:
        first = self.advance()
        value = first.value
        while self.token.cls == "string":
            value += self.advance().value
        return syntax.Text(first.at, value)

    def _signed_or_parenthesised(self, token: Token) -> Node:
        if token.value == "(":
            if self.starts_query():
                return syntax.SubQuery(token.at, self._parenthesised_query())
            self.advance()
            inside = self._expression(0)
            self.expect(")")
            return inside
        if token.value not in ("-", "+"):
            self.unexpected("a value")
        self.advance()
        number = self.token
        if number.cls in ("integer", "decimal", "hex"):
            self.advance()
            return self._number(number, -1 if token.value == "-" else 1, token.at)
        operand = self._as_value(self._expression(_SIGN), number.at)
        return syntax.Signed(token.at, operand) if token.value == "-" else operand

    def _number(self, token: Token, sign: int, at: int | None = None) -> syntax.Number:
        where = token.at if at is None else at
        if token.cls == "decimal":
            value: int | float = sign * float(token.value)
            if math.isinf(value):
                raise self.source.error("type", where, "this number is too large for DOUBLE PRECISION")
            return syntax.Number(where, value)
        digits = token.value[2:] if token.cls == "hex" else token.value
        if len(digits.lstrip("0")) <= 20:
            value = sign * int(digits, 16 if token.cls == "hex" else 10)
            if -(2**63) <= value < 2**63:
                return syntax.Number(where, value)
        raise self.source.error("type", where, "this number is too large for BIGINT (64 bits)")

    def _word(self, token: Token) -> Node:
        match token.value:
            case "NOT":
                self.advance()
                at = self.token.at
                return syntax.Negation(token.at, self._as_condition(self._expression(_NOT), at))
            case "EXISTS":
                self.advance()
                if not self.starts_query():
                    self.unexpected("a query in parentheses")
                return syntax.Existence(token.at, self._parenthesised_query())
            case "NULL":
                return syntax.Null(self.advance().at)
            case "CAST":
                return self._cast()
        if token.value in FUNCTION_WORDS and self.ahead().value == "(":
            return self._call()
        self.refuse_foreign()
        if self.ahead().value == "(":
            raise self.source.error("syntax", token.at, f"{token.value} is not a function of ADQL")
        self.identifier("a value")
        return self.unexpected("a value")

    def _call(self) -> syntax.Call:
        token = self.advance()
        self.expect("(")
        aggregate = token.cls == "word" and token.value in AGGREGATES
        if token.value == "COUNT" and aggregate and self.accept("*"):
            self.expect(")")
            return syntax.Call(token.at, "COUNT", (), star=True)
        quantifier = self.accept("DISTINCT", "ALL") if aggregate else None
        arguments: list[syntax.Value] = []
        if not self.at(")"):
            arguments.append(self.value())
            while self.accept(","):
                arguments.append(self.value())
        self.expect(")")
        distinct = quantifier is not None and quantifier.value == "DISTINCT"
        return syntax.Call(token.at, token.value, tuple(arguments), distinct=distinct)

    def _cast(self) -> syntax.CastCall:
        start = self.advance()
        self.expect("(")
        operand = self.value()
        self.expect("AS")
        target = self.accept(*_TYPES) or self.unexpected(f"one of {', '.join(sorted(_TYPES))}")
        if target.value == "DOUBLE":
            self.expect("PRECISION")
        length = None
        if target.value in ("CHAR", "VARCHAR") and self.accept("("):
            length = self.whole_number("a length")
            self.expect(")")
        self.expect(")")
        return syntax.CastCall(start.at, operand, target.value, length)
