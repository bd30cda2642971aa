"""Conditions as SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

from query import tree
from schemas import Kind
from store import planner
from store.sql.compiler.expressions import Expressions
from store.sql.compiler.literals import listed
from store.sql.compiler.names import sift

MOST_FILTERS = 100
"""Conditions joined by AND that are written as such; the time to plan grows with their number's square."""


class Predicates:
    """Writes conditions; those in ``known`` (by identity) hold for every row that is left."""

    def __init__(
        self,
        expressions: Expressions,
        query: Callable[[tree.Query], str],
        known: AbstractSet[int],
        joined: Callable[[tree.Predicate, str], str],
    ) -> None:
        self._value = expressions.value
        self._geometry = expressions.geometry
        self._query = query
        self._known = known
        self._joined = joined

    def condition(self, node: tree.Predicate) -> str:  # noqa: C901, PLR0911 - one for each class of node
        """Return the SQL of a condition."""
        if id(node) in self._known:
            return "true"
        match node:
            case tree.And():
                return self._all(node)
            case tree.Or():
                return "(" + " OR ".join(self.condition(item) for item in node.items) + ")"
            case tree.Not():
                return f"(NOT {self.condition(node.item)})"
            case tree.Comparison():
                return self._comparison(node)
            case tree.Between():
                return self._between(node)
            case tree.InList():
                return self._in_list(node)
            case tree.InQuery():
                operand = self._beside(node.operand, node.query.columns[0].kind)
                return f"({operand} {_not(node)}IN ({self._query(node.query)}))"
            case tree.Exists():
                return f"(EXISTS ({self._query(node.query)}))"
            case tree.Like():
                word = "ILIKE" if node.ignore_case else "LIKE"
                sql = f"({self._value(node.operand)} {_not(node)}{word} {self._value(node.pattern)})"
                return self._sifted(node, sql)
            case tree.IsNull():
                return f"({self._value(node.operand)} IS {_not(node)}NULL)"

    def _all(self, node: tree.And) -> str:
        conditions = [self.condition(item) for item in node.items]
        plain, rest = conditions[:MOST_FILTERS], conditions[MOST_FILTERS:]
        return "(" + " AND ".join([*plain, *([_packed(rest)] if rest else [])]) + ")"

    def _comparison(self, node: tree.Comparison) -> str:
        spatial = planner.spatial_condition(node)
        if spatial is not None:
            return self._joined(node, self._geometry.holds(spatial))
        cone = self._geometry.compared(node)
        if cone is not None:
            return self._joined(node, cone)
        if isinstance(node.left, tree.Distance) or isinstance(node.right, tree.Distance):
            return self._joined(node, self._compared(node))
        return self._sifted(node, self._compared(node))

    def _sifted(self, node: tree.Comparison | tree.Like, sql: str) -> str:
        quick = sift(node, self._value)
        return sql if quick is None else f"({quick} AND {sql})"

    def _compared(self, node: tree.Comparison) -> str:
        left, right = self._beside(node.left, node.right.kind), self._value(node.right)
        return f"({left} {node.operator} {right})"

    def _beside(self, node: tree.Expression, other: Kind) -> str:
        """Return the SQL of a value next to one of another kind."""
        sql = self._value(node)
        # The engine would compare these in single precision.
        if (node.kind is Kind.FLOAT and other.is_integer) or (node.kind.is_integer and other is Kind.FLOAT):
            return f"CAST({sql} AS DOUBLE)"
        return sql

    def _between(self, node: tree.Between) -> str:
        if not _loses({node.operand.kind, node.low.kind, node.high.kind}):
            low, high = self._value(node.low), self._value(node.high)
            return f"({self._value(node.operand)} {_not(node)}BETWEEN {low} AND {high})"
        above = self._compared(tree.Comparison(">=", node.operand, node.low))
        below = self._compared(tree.Comparison("<=", node.operand, node.high))
        return f"({_not(node)}({above} AND {below}))"

    def _in_list(self, node: tree.InList) -> str:
        if not node.items:
            return "true" if node.negated else "false"
        groups: dict[Kind | None, list[tree.Expression]] = {}
        mixed = _loses({node.operand.kind, *(item.kind for item in node.items)})
        for item in node.items:
            kind = Kind.LONG if item.kind.is_integer else item.kind
            groups.setdefault(kind if mixed else None, []).append(item)
        parts = [
            f"{self._beside(node.operand, items[0].kind)} IN ({listed(items, self._value)})"
            for items in groups.values()
        ]
        return f"({_not(node)}({' OR '.join(parts)}))"


def _packed(conditions: Sequence[str]) -> str:
    """Join conditions so that the engine does not take them apart; what is unknown stays so."""
    packs = (conditions[first : first + MOST_FILTERS] for first in range(0, len(conditions), MOST_FILTERS))
    values = ", ".join(f"({' AND '.join(pack)})" for pack in packs)
    holds = "CASE WHEN list_contains(p, false) THEN false WHEN list_count(p) = len(p) THEN true END"
    return f"list_transform([[{values}]], lambda p: {holds})[1]"


def _loses(kinds: AbstractSet[Kind]) -> bool:
    """Whether the engine's common type of these has not all their values."""
    if Kind.FLOAT in kinds and any(kind.is_integer for kind in kinds):
        return True
    return Kind.LONG in kinds and Kind.DOUBLE in kinds


def _not(node: tree.Between | tree.InList | tree.InQuery | tree.Like | tree.IsNull) -> str:
    return "NOT " if node.negated else ""
