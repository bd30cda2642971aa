"""Values (ADQL 2.1, sections 2.2.6 to 2.2.10): names, constants, arithmetic, sub-queries."""

from __future__ import annotations

from typing_extensions import override

import schemas
from query import tree
from schemas import Kind
from vo.adql import constants, describe, syntax
from vo.adql.calls import CallResolver
from vo.adql.errors import similar
from vo.adql.resolution import Failed
from vo.adql.scope import Field, Named, Scope
from vo.adql.shapes import is_shape, named_kind


class ValueResolver(CallResolver):
    """Resolves values."""

    @override
    def value(  # noqa: PLR0911 - one for each class of node
        self, node: syntax.Value, *, whole: bool = False
    ) -> tree.Expression:
        with self.deeper(node.at):
            match node:
                case syntax.Name():
                    return self._name(node, whole=whole)
                case syntax.Number(_, value):
                    return constants.number(value)
                case syntax.Text(_, value):
                    return tree.Literal(value, Kind.TEXT)
                case syntax.Call():
                    return self.call(node)
                case syntax.Binary():
                    return self._concat(node) if node.operator == "||" else self._arithmetic(node)
                case syntax.Signed():
                    return self._negative(node)
                case syntax.CastCall():
                    return self.cast(node)
                case syntax.SubQuery():
                    return self._scalar(node)
                case syntax.Null():
                    return tree.Literal(None, Kind.TEXT)

    @override
    def describe(self, expression: tree.Expression, name: str = "x") -> schemas.Column:
        return describe.described(expression, name, self.about.__getitem__)

    def _name(self, node: syntax.Name, *, whole: bool) -> tree.Expression:
        found = self.field(node.parts)
        if found.about.array and not whole:
            self.fail(
                "type", node.at, f"{found.about.name} is an array, which can only be selected as a whole"
            )
        return found.expression

    def field(self, parts: tuple[syntax.Identifier, ...]) -> Field:
        """Return the column that a name, perhaps qualified, means."""
        name = parts[-1]
        for scope in self.level.scope.outward():
            found = self._qualified(scope, parts) if len(parts) > 1 else scope.find(name)
            if len(found) > 1:
                owners = [source.shown for source in scope.named if source.rows.find(name)]
                self.fail(
                    "unknown-column",
                    parts[0].at,
                    f"{name.text} is ambiguous: it is in {' and in '.join(owners)}",
                    [f"{owner}.{name.text}" for owner in owners],
                )
            if found:
                self._note(scope, found[0], parts[0].at)
                return found[0]
            if scope.broken:
                raise Failed
        return self._unknown(parts)

    def _note(self, scope: Scope, found: Field, at: int) -> None:
        expression = found.expression
        if isinstance(expression, tree.Column):
            self.about[expression] = found.about
            if scope is self.level.scope and not self.level.in_aggregate:
                self.level.seen.append((expression, at, self.level.clause))

    def _qualified(self, scope: Scope, parts: tuple[syntax.Identifier, ...]) -> list[Field]:
        sources = scope.called(parts[:-1])
        found = [source.rows.find(parts[-1]) for source in sources]
        if sources and not any(found):
            (source, *_) = sources
            self._missing(parts[-1], [source], source.shown)
        return [column for column in found if column is not None]

    def _unknown(self, parts: tuple[syntax.Identifier, ...]) -> Field:
        sources = [source for scope in self.level.scope.outward() for source in scope.named]
        if len(parts) == 1:
            where = sources[0].shown if len(sources) == 1 else "the tables of this query"
            self._missing(parts[0], sources, where)
        qualifier = ".".join(part.text for part in parts[:-1])
        renamed = [s for s in sources if s.table and qualifier.lower() in (s.table, s.table.split(".")[-1])]
        if renamed:
            message = f"{qualifier} is called {renamed[0].shown} in this query"
            self.fail("unknown-table", parts[0].at, message, [f"{renamed[0].shown}.{parts[-1].text}"])
        names = [source.shown for source in sources]
        self.fail(
            "unknown-table", parts[0].at, f"no table {qualifier} in this query", similar(qualifier, names)
        )

    def _missing(self, name: syntax.Identifier, sources: list[Named], where: str) -> Field:
        columns = [column.about.name for source in sources for column in source.rows.fields()]
        exact = [column for column in columns if column.lower() == name.text.lower()]
        hints = tuple(f'"{column}"' for column in exact) or similar(name.text, columns)
        if name.text.lower() == "none":
            self.fail("unknown-column", name.at, f"no column {name.text} in {where}", ["IS NULL"])
        self.fail("unknown-column", name.at, f"no column {name.text} in {where}", hints)

    def _arithmetic(self, node: syntax.Binary) -> tree.Expression:
        left, right = self.each(self.number, (node.left, node.right))
        whole = left.kind.is_integer and right.kind.is_integer
        kind = Kind.LONG if whole else Kind.DOUBLE
        if isinstance(left, tree.Literal) and isinstance(right, tree.Literal):
            folded = constants.fold(node.operator, left, right, kind)
            if folded is not None:
                return folded
        return tree.Arithmetic(node.operator, left, right, kind)  # type: ignore[arg-type]

    def _negative(self, node: syntax.Signed) -> tree.Expression:
        operand = self.number(node.operand)
        if isinstance(operand, tree.Literal):
            folded = constants.negate(operand)
            if folded is not None:
                return folded
        return tree.Negate(operand)

    def _concat(self, node: syntax.Binary) -> tree.Expression:
        left, right = self.each(self._text, (node.left, node.right))
        return tree.Concat(left, right)

    def _text(self, node: syntax.Value) -> tree.Expression:
        found = self.value(node)
        if found.kind not in (Kind.TEXT, Kind.REGION) or is_shape(found):
            message = f"|| joins texts, and this is {named_kind(found.kind)}"
            self.fail("type", node.at, message, ["CAST(... AS VARCHAR)"])
        return found

    def _scalar(self, node: syntax.SubQuery) -> tree.Expression:
        query = self.query(node.query, self.level.scope)
        if len(query.columns) != 1:
            self.fail("type", node.at, f"a query that is a value has one column, not {len(query.columns)}")
        return tree.ScalarQuery(query, query.columns[0].kind)
