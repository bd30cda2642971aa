"""The small changes of meaning that can be made to a module.

A comparison is turned or moved to its boundary, an operator replaced, a number made one greater, ``and`` made
``or``, a condition negated, a statement left out, two arguments swapped, ``None`` returned.

Not changed is what has no meaning to test: annotations, docstrings, what is logged, the words of exceptions;
the numbers that choose between ways to one answer, such as how many rows are read at once (``TUNED``); and
the arguments of functions to which their order is nothing (``SYMMETRIC``).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

TUNED = {
    *("BATCH", "SMALL_CAP", "FEW", "FINEST_START", "PAD"),
    *("ENTRIES_KEPT", "MAX_RANGES", "BRIDGED", "BATCH_ROWS"),
}
"""Constants of modules whose value no answer shows."""

SYMMETRIC = {
    "common_kind",
    "common_number",
    "same_name",
    "angles",
    "dots",
    "maximum",
    "minimum",
    "union1d",
    "intersect1d",
    "max",
    "min",
}
"""Functions whose first two arguments can be swapped."""

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.GtE, ast.LtE),
    ast.LtE: (ast.Gt, ast.Lt),
    ast.Gt: (ast.LtE, ast.GtE),
    ast.GtE: (ast.Lt, ast.Gt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


class Change(NamedTuple):
    """One change: which node of the module, counted as ``ast.walk`` goes, and what is done to it."""

    place: int
    kind: str
    choice: int = 0


def changes(tree: ast.Module) -> list[Change]:
    """List all changes that can be made to a module."""
    left_alone = set(_without_meaning(tree))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    statements = [statement for function in functions for statement in function.body]
    inside = {id(node) for statement in statements for node in ast.walk(statement)}
    found = []
    for place, node in enumerate(ast.walk(tree)):
        if id(node) not in left_alone:
            found += [Change(place, *how) for how in _ways(node, inside=id(node) in inside)]
    return found


def _without_meaning(tree: ast.Module) -> Iterator[int]:
    """Yield the identities of the nodes that are not changed."""
    for node in ast.walk(tree):
        parts: list[ast.AST | None] = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        match node:
            case ast.Expr(value=ast.Constant()):
                parts.append(node)
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="LOG")))):
                parts.append(node)
            case ast.Raise(exc=ast.Call(args=words)):
                parts += words
            case ast.Assign(targets=[ast.Name(id=name)]) if name in TUNED or _is_type(name):
                parts.append(node)
        for part in parts:
            if part is not None:
                yield from map(id, ast.walk(part))


def _is_type(name: str) -> bool:
    """Whether a name is that of a type, not of a constant or a variable."""
    return name[0].isupper() and not name.isupper()


def _ways(node: ast.AST, *, inside: bool) -> Iterator[tuple[str, int]]:
    """Yield what can be done to a node; ``inside`` says that it stands in a function's body."""
    match node:
        case ast.Compare(ops=[operator]):
            yield from (("compare", choice) for choice in range(len(COMPARISONS[type(operator)])))
        case ast.BinOp(op=operator) if type(operator) in OPERATORS:
            yield "operate", 0
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            yield "count", 0
        case ast.BoolOp():
            yield "join", 0
        case ast.If() | ast.IfExp() | ast.While():
            yield "negate", 0
        case ast.Return(value=ast.expr()) if not isinstance(node.value, ast.Constant):
            yield "return", 0
        case ast.Call(args=[_, _, *_]) if (
            not isinstance(node.args[0], ast.Starred) and _called(node) not in SYMMETRIC
        ):
            yield "swap", 0
        case ast.Expr() | ast.Raise() | ast.AugAssign() if inside:
            yield "leave out", 0
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript(), *_]) if inside:
            yield "leave out", 0


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def changed(tree: ast.Module, change: Change) -> tuple[int, str]:
    """Make a change; return the line and, in words, what stood there and what stands there now."""
    node = list(ast.walk(tree))[change.place]
    before = ast.unparse(node)
    match change.kind, node:
        case "compare", ast.Compare():
            node.ops[0] = COMPARISONS[type(node.ops[0])][change.choice]()
        case "operate", ast.BinOp():
            node.op = OPERATORS[type(node.op)]()
        case "count", ast.Constant(value=int() | float() as value):
            node.value = value + 1 if isinstance(value, int) else value * 2 + 1
        case "join", ast.BoolOp():
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        case "negate", ast.If() | ast.IfExp() | ast.While():
            node.test = ast.UnaryOp(ast.Not(), node.test)
        case "return", ast.Return():
            node.value = ast.Constant(None)
        case "swap", ast.Call():
            node.args[:2] = reversed(node.args[:2])
        case _:
            _Without(node).visit(tree)
    after = "nothing" if change.kind == "leave out" else _first_line(ast.unparse(node))
    return getattr(node, "lineno", 0), f"{_first_line(before)} -> {after}"


def _first_line(text: str) -> str:
    return text.split("\n", 1)[0][:80]


class _Without(ast.NodeTransformer):
    """Puts ``pass`` in the place of one statement."""

    def __init__(self, statement: ast.AST) -> None:
        self.statement = statement

    def visit(self, node: ast.AST) -> ast.AST:
        return ast.copy_location(ast.Pass(), node) if node is self.statement else self.generic_visit(node)
