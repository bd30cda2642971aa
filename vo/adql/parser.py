"""Reading a whole query (ADQL 2.1, section 2.1): a strict recursive descent."""

from __future__ import annotations

from typing import Literal

from typing_extensions import override

from vo.adql import syntax
from vo.adql.errors import Source
from vo.adql.expressions import ExpressionParser

_SET_OPERATORS: dict[str, Literal["union", "except", "intersect"]] = {
    "UNION": "union",
    "EXCEPT": "except",
    "INTERSECT": "intersect",
}

_JOINS: dict[str, Literal["inner", "left", "right", "full", "cross"]] = {
    "INNER": "inner",
    "LEFT": "left",
    "RIGHT": "right",
    "FULL": "full",
    "CROSS": "cross",
    "JOIN": "inner",
}

_QUERY_LEVELS = 4
"""What a sub-query counts for in nesting: the parser goes through as many steps for it."""


def parse(source: Source) -> syntax.QueryNode:
    """Read a query.

    Raises
    ------
    AdqlError
        With code ``syntax`` where the text is not ADQL.
    QueryTimeout
        When the time is up.
    """
    return _QueryParser(source).whole()


class _QueryParser(ExpressionParser):
    def whole(self) -> syntax.QueryNode:
        if self.ends:
            raise self.source.error("syntax", 0, "the query is empty")
        named = self._named_queries()
        at = self.token.at
        body = self.query()
        self.accept(";")
        if not self.ends:
            self.refuse_foreign()
            self.unexpected("the end of the query")
        return syntax.WithNode(at, named, body) if named else body

    def _named_queries(self) -> tuple[syntax.NamedQuery, ...]:
        if not self.accept("WITH"):
            return ()
        named = []
        while True:
            name = self.identifier("a name for the query")
            columns = self._names() if self.at("(") else ()
            self.expect("AS")
            named.append(syntax.NamedQuery(name, columns, self._parenthesised_query()))
            if not self.accept(","):
                return tuple(named)

    @override
    def query(self) -> syntax.QueryNode:
        self.enter(_QUERY_LEVELS)
        node = self._operands(("UNION", "EXCEPT"))
        start = self.token
        order_by = self._order_by()
        offset = self.whole_number("a number of rows") if self.accept("OFFSET") else None
        if order_by or offset is not None:
            if isinstance(node, syntax.WithNode) or node.order_by or node.offset is not None:
                raise self.source.error("syntax", start.at, "the query in parentheses is ordered already")
            node.order_by, node.offset = order_by, offset
        self.leave(_QUERY_LEVELS)
        return node

    def _operands(self, operators: tuple[str, ...]) -> syntax.QueryNode:
        """Read queries joined by these operators; INTERSECT binds tighter than the others."""
        tight = "INTERSECT" in operators
        left = self._operand_query() if tight else self._operands(("INTERSECT",))
        while token := self.accept(*operators):
            keep_all = self.accept("ALL") is not None
            right = self._operand_query() if tight else self._operands(("INTERSECT",))
            left = syntax.SetNode(token.at, _SET_OPERATORS[token.value], keep_all, left, right)
        return left

    def _operand_query(self) -> syntax.QueryNode:
        if self.at("("):
            return self._parenthesised_query()
        return self._select()

    def _select(self) -> syntax.SelectNode:
        self.refuse_foreign()
        start = self.expect("SELECT")
        quantifier = self.accept("DISTINCT", "ALL")
        top = self.whole_number("a number of rows") if self.accept("TOP") else None
        items = [self._item()]
        while self.accept(","):
            items.append(self._item())
        self.expect("FROM")
        source = self._from()
        node = syntax.SelectNode(
            start.at, quantifier is not None and quantifier.value == "DISTINCT", top, tuple(items), source
        )
        if self.accept("WHERE"):
            node.where = self.condition()
        if self.accept("GROUP"):
            self.expect("BY")
            node.group_by = self._values()
        if self.accept("HAVING"):
            node.having = self.condition()
        return node

    def _values(self) -> tuple[syntax.Value, ...]:
        values = [self.value()]
        while self.accept(","):
            values.append(self.value())
        return tuple(values)

    def _item(self) -> syntax.Star | syntax.Item:
        if star := self.accept("*"):
            return syntax.Star(star.at)
        qualified = self._qualified_star()
        if qualified:
            return qualified
        at = self.token.at
        value = self.value()
        return syntax.Item(at, value, self._alias())

    def _qualified_star(self) -> syntax.Star | None:
        count = 0
        while self.ahead(count).cls in ("name", "quoted") and self.ahead(count + 1).value == ".":
            count += 2
            if self.ahead(count).value == "*" and self.ahead(count).cls == "sign":
                break
        else:
            return None
        parts = []
        for _ in range(count // 2):
            parts.append(self.identifier("a table"))
            self.expect(".")
        self.expect("*")
        return syntax.Star(parts[0].at, tuple(parts))

    def _alias(self) -> syntax.Identifier | None:
        if self.accept("AS"):
            return self.identifier("a name")
        if self.token.cls in ("name", "quoted"):
            self.refuse_foreign()
            return self.identifier("a name")
        return None

    def _order_by(self) -> tuple[syntax.SortKey, ...]:
        if not self.accept("ORDER"):
            return ()
        self.expect("BY")
        keys = [self._sort_key()]
        while self.accept(","):
            keys.append(self._sort_key())
        return tuple(keys)

    def _sort_key(self) -> syntax.SortKey:
        token = self.token
        position, value = None, None
        if token.cls == "integer" and (self.ahead().value in _AFTER_POSITION or self.ahead().cls == "end"):
            position = self.whole_number("the position of a column")
        else:
            value = self.value()
        direction = self.accept("ASC", "DESC")
        return syntax.SortKey(token.at, value, position, direction is not None and direction.value == "DESC")

    def _from(self) -> syntax.RowSource:
        left = self._joined()
        while comma := self.accept(","):
            left = syntax.JoinedTable(comma.at, "cross", left, self._joined())
        return left

    def _joined(self) -> syntax.RowSource:
        left = self._table()
        while self.at("NATURAL", *_JOINS):
            at = self.token.at
            natural = self.accept("NATURAL") is not None
            word = self.accept(*_JOINS)
            if word is None or (natural and word.value == "CROSS"):
                self.unexpected("JOIN")
            how = _JOINS[word.value]
            if how in ("left", "right", "full"):
                self.accept("OUTER")
            if word.value != "JOIN":
                self.expect("JOIN")
            join = syntax.JoinedTable(at, how, left, self._table(), natural)
            if not natural and how != "cross":
                self._join_condition(join)
            left = join
        return left

    def _join_condition(self, join: syntax.JoinedTable) -> None:
        if self.accept("ON"):
            join.on = self.condition()
            return
        if not self.accept("USING"):
            self.unexpected("ON or USING")
        join.using = self._names()

    def _names(self) -> tuple[syntax.Identifier, ...]:
        self.expect("(")
        names = [self.identifier("a column")]
        while self.accept(","):
            names.append(self.identifier("a column"))
        self.expect(")")
        return tuple(names)

    def _table(self) -> syntax.RowSource:
        token = self.token
        if self.at("("):
            if self.starts_query():
                query = self._parenthesised_query()
                alias = self._alias() or self.unexpected("a name for the query, as in AS q,")
                return syntax.DerivedTable(token.at, query, alias)
            self.enter()
            self.advance()
            inside = self._joined()
            if not isinstance(inside, syntax.JoinedTable):
                self.unexpected("JOIN")
            self.expect(")")
            self.leave()
            return inside
        parts = [self.identifier("a table")]
        while self.accept("."):
            parts.append(self.identifier("a table"))
        return syntax.TableName(token.at, tuple(parts), self._alias())


_AFTER_POSITION = frozenset({",", ")", ";", "ASC", "DESC", "OFFSET"})
