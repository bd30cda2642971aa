"""Conditions on keys of names, preceded by a quick one that leaves few names of which to compute the key."""

from __future__ import annotations

from collections.abc import Callable

from query import tree
from query.functions import NAME_KEY
from store.sql.compiler.literals import text

MOST_SIGNS = 64
"""Characters of a key by which names are sifted."""


def sift(node: tree.Comparison | tree.Like, value: Callable[[tree.Expression], str]) -> str | None:
    """Return the SQL of what a name must fulfil for a condition on its key to hold; None where there is none.

    The key of an ASCII name has characters of the name in their order; blanks may stand for others.
    """
    match node:
        case tree.Comparison(
            operator="=",
            left=tree.Call(name=name, arguments=(tree.Column() as column,)),
            right=tree.Literal(value=str() as key),
        ):
            pass
        case tree.Like(
            operand=tree.Call(name=name, arguments=(tree.Column() as column,)),
            pattern=tree.Literal(value=str() as key),
            ignore_case=False,
            negated=False,
        ):
            pass
        case _:
            return None
    if name != NAME_KEY or len(key) > MOST_SIGNS:
        return None
    sql = value(column)
    foreign = f"strlen({sql}) <> length({sql})"
    if not key.isascii():
        return f"({foreign})"
    signs = "%".join("_" if sign in " \\" else sign for sign in key)
    return f"({foreign} OR {sql} ILIKE {text(f'%{signs}%')})"
