"""FROM (ADQL 2.1, section 2.1.4): tables, sub-queries, joins, and what names they give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import schemas
from query import tree
from schemas import Kind
from vo.adql import syntax
from vo.adql.conditions import ConditionResolver
from vo.adql.describe import Names
from vo.adql.errors import Source, similar
from vo.adql.scope import Field, Named, Rows, Scope, merged, same_name


@dataclass(slots=True)
class From:
    """A resolved part of FROM: its relation, and the names that it gives."""

    relation: tree.Relation
    named: list[Named]
    visible: list[Rows]


class RelationResolver(ConditionResolver):
    """Resolves FROM."""

    def __init__(self, source: Source, declared: schemas.Schemas) -> None:
        super().__init__(source, declared)
        self._aliases = Names()
        self.common: dict[str, tuple[syntax.Identifier, tree.Query]] = {}

    def enter_from(self, node: syntax.RowSource) -> tree.Relation | None:
        """Resolve FROM and put its names into the scope; None, and errors noted, when that fails."""
        scope = self.level.scope
        found = self.attempt(self._source, node)
        if found is None:
            scope.broken = True
            return None
        scope.named, scope.visible = found.named, found.visible
        return found.relation

    def _source(self, node: syntax.RowSource) -> From:
        with self.deeper(node.at):
            match node:
                case syntax.TableName():
                    return self._table(node)
                case syntax.DerivedTable():
                    return self._derived(node)
            return self._join(node)

    def _table(self, node: syntax.TableName) -> From:
        parts = (node.alias,) if node.alias else node.parts
        name = ".".join(part.text for part in node.parts)
        common = self.common.get(name.lower()) if len(node.parts) == 1 else None
        if common is not None and same_name(common[0], node.parts[0]):
            alias = self._aliases.unique(parts[-1].text)
            return _plain(tree.CteRef(alias, common[0].text), parts, _by_name(common[1]), None)
        table = self._declared(node, name)
        alias = self._aliases.unique(node.alias.text if node.alias else table.local_name)
        return _plain(tree.TableRef(alias, table), parts, table.by_name, table.name.lower())

    def _declared(self, node: syntax.TableName, name: str) -> schemas.Table:
        for table in self._candidates(node, name):
            own = (table.schema_name, table.local_name)[-len(node.parts) :]
            pairs = zip(node.parts, own, strict=True)
            if all(part.text == text for part, text in pairs if part.quoted):
                return table
        hints = similar(name, [table.name for table in self.declared])
        if not hints:
            local = {table.local_name: table.name for table in self.declared}
            hints = tuple(local[found] for found in similar(node.parts[-1].text, local))
        return self.fail("unknown-table", node.at, f"no table {name}", [*hints, *self._similar_common(name)])

    def _similar_common(self, name: str) -> tuple[str, ...]:
        return similar(name, [known.text for known, _ in self.common.values()])

    def _candidates(self, node: syntax.TableName, name: str) -> list[schemas.Table]:
        """Return the tables of that name in any case; a name without its schema does when it is unique."""
        if len(node.parts) == 2:
            return [self.declared.table(name)] if name in self.declared else []
        if len(node.parts) > 2:
            return []
        found = [table for table in self.declared if table.local_name.lower() == name.lower()]
        if len(found) > 1:
            message = f"{name} is ambiguous; say its schema"
            self.fail("unknown-table", node.at, message, [table.name for table in found])
        return found

    def _derived(self, node: syntax.DerivedTable) -> From:
        query = self.query(node.query, self.level.scope.parent)
        alias = self._aliases.unique(node.alias.text)
        return _plain(tree.Derived(alias, query), (node.alias,), _by_name(query), None)

    def _join(self, node: syntax.JoinedTable) -> From:
        left, right = self.each(self._source, (node.left, node.right))
        self._refuse_same(node, left, right)
        joined = From(left.relation, [*left.named, *right.named], [*left.visible, *right.visible])
        how = node.how
        condition: tree.Predicate | None = None
        if node.on is not None:
            condition = self._on(node.on, joined)
        elif how != "cross":
            condition = self._common_columns(node, left, right, joined)
            if condition is None and how == "inner":
                how = "cross"
            elif condition is None:
                one = tree.Literal(1, Kind.INT)
                condition = tree.Comparison("=", one, one)
        joined.relation = tree.Join(left.relation, right.relation, how, condition)
        return joined

    def _refuse_same(self, node: syntax.JoinedTable, left: From, right: From) -> None:
        for one in right.named:
            for other in left.named:
                if len(one.parts) == len(other.parts) and one.is_called(other.parts):
                    message = f"{one.shown} stands twice in FROM; give one of them another name with AS"
                    self.fail("syntax", one.parts[0].at or node.at, message)

    def _on(self, node: syntax.Condition, joined: From) -> tree.Predicate:
        """Resolve ON, which sees the two sides of its join only."""
        level = self.level
        scope, clause = level.scope, level.clause
        level.scope = Scope(scope.parent, joined.named, joined.visible)
        level.clause = "ON"
        try:
            return self.condition(node)
        finally:
            level.scope, level.clause = scope, clause

    def _common_columns(
        self, node: syntax.JoinedTable, left: From, right: From, joined: From
    ) -> tree.Predicate | None:
        """Resolve USING or NATURAL: the condition, and the columns that now stand for two each."""
        names = node.using or _shared_names(node, left, right)
        if not names:
            return None
        items: list[tree.Predicate] = []
        fields = []
        for name in names:
            a, b = self._one(name, left), self._one(name, right)
            at = name.at
            x, y = self.unified(a.expression, b.expression, (at, at), exact=True)
            items.append(tree.Comparison("=", x, y))
            fields.append(_merged_field(node.how, a, b))
        hidden = {name.text.lower() for name in names}
        rest = [rows.without(hidden) for rows in joined.visible]
        joined.visible = [merged(fields), *rest]
        return items[0] if len(items) == 1 else tree.And(tuple(items))

    def _one(self, name: syntax.Identifier, side: From) -> Field:
        found = [column for rows in side.visible if (column := rows.find(name)) is not None]
        if len(found) == 1:
            column = found[0]
            self.refuse_shape(column.expression, name.at)
            if column.about.array:
                self.fail("type", name.at, f"{column.about.name} is an array, which cannot be compared")
            if isinstance(column.expression, tree.Column):
                self.about[column.expression] = column.about
            return column
        where = " and ".join(source.shown for source in side.named)
        message = f"{name.text} is ambiguous in {where}" if found else f"no column {name.text} in {where}"
        known = [column.about.name for rows in side.visible for column in rows.fields()]
        return self.fail("unknown-column", name.at, message, () if found else similar(name.text, known))


def _plain(
    relation: tree.TableRef | tree.Derived | tree.CteRef,
    parts: tuple[syntax.Identifier, ...],
    columns: Mapping[str, schemas.Column],
    table: str | None,
) -> From:
    rows = Rows.of(relation.alias, columns)
    return From(relation, [Named(parts, relation.alias, rows, table)], [rows])


def _by_name(query: tree.Query) -> Mapping[str, schemas.Column]:
    return {column.name.lower(): column for column in query.columns}


def _shared_names(node: syntax.JoinedTable, left: From, right: From) -> tuple[syntax.Identifier, ...]:
    """Return the names that both sides of a NATURAL join have, in the left side's order."""
    others = {column.about.name.lower() for rows in right.visible for column in rows.fields()}
    names = dict.fromkeys(
        column.about.name
        for rows in left.visible
        for column in rows.fields()
        if column.about.name.lower() in others
    )
    return tuple(syntax.Identifier(node.at, name, quoted=False) for name in names)


def _merged_field(how: str, a: Field, b: Field) -> Field:
    if how == "right":
        return Field(b.expression, b.about)
    if how == "full":
        return Field(tree.Call("coalesce", (a.expression, b.expression), a.expression.kind), a.about)
    return a
