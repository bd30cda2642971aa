"""Conditions as SQL."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet

from query import tree
from store import planner
from store.duckdb.compiler.expressions import Expressions


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
                return "(" + " AND ".join(self.condition(item) for item in node.items) + ")"
            case tree.Or():
                return "(" + " OR ".join(self.condition(item) for item in node.items) + ")"
            case tree.Not():
                return f"(NOT {self.condition(node.item)})"
            case tree.Comparison():
                return self._comparison(node)
            case tree.Between():
                low, high = self._value(node.low), self._value(node.high)
                return f"({self._value(node.operand)} {_not(node)}BETWEEN {low} AND {high})"
            case tree.InList():
                if not node.items:
                    return "true" if node.negated else "false"
                items = ", ".join(self._value(item) for item in node.items)
                return f"({self._value(node.operand)} {_not(node)}IN ({items}))"
            case tree.InQuery():
                return f"({self._value(node.operand)} {_not(node)}IN ({self._query(node.query)}))"
            case tree.Exists():
                return f"(EXISTS ({self._query(node.query)}))"
            case tree.Like():
                word = "ILIKE" if node.ignore_case else "LIKE"
                return f"({self._value(node.operand)} {_not(node)}{word} {self._value(node.pattern)})"
            case tree.IsNull():
                return f"({self._value(node.operand)} IS {_not(node)}NULL)"

    def _comparison(self, node: tree.Comparison) -> str:
        spatial = planner.spatial_condition(node)
        if spatial is not None:
            return self._joined(node, self._geometry.holds(spatial))
        cone = self._geometry.compared(node)
        if cone is not None:
            return self._joined(node, cone)
        if isinstance(node.left, tree.Distance) or isinstance(node.right, tree.Distance):
            return self._joined(node, self._compared(node))
        return self._compared(node)

    def _compared(self, node: tree.Comparison) -> str:
        return f"({self._value(node.left)} {node.operator} {self._value(node.right)})"


def _not(node: tree.Between | tree.InList | tree.InQuery | tree.Like | tree.IsNull) -> str:
    return "NOT " if node.negated else ""
