"""Where the next page of a search begins: a signed token that the client hands back.

It holds the last row's sort values and key, so the next page starts after that row whatever was added in
between: rows that are there all the time come exactly once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from archive.problems import Detail, Problem, wrong
from query import tree
from query.tree import Value
from schemas import Kind

_SIGNATURE = 12
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Cursors:
    """Makes and reads cursors; every process of an archive shares the secret."""

    secret: bytes
    lifetime: float
    """Seconds."""
    clock: Callable[[], float] = time.time

    def write(self, search: tree.Select, last: Sequence[Value], version: int) -> str:
        """Return the cursor that continues a search after the row with these sort values."""
        body = orjson.dumps([fingerprint(search), int(self.clock()), version, list(last)])
        return base64.urlsafe_b64encode(self._sign(body) + body).rstrip(b"=").decode()

    def read(self, search: tree.Select, text: str) -> list[Value]:
        """Return the sort values of the row that the cursor stands after.

        Raises
        ------
        Problem
            410 when it has expired, 400 when it belongs to another search or is no cursor of ours.
        """
        try:
            data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except ValueError:
            raise _strange() from None
        signature, body = data[:_SIGNATURE], data[_SIGNATURE:]
        if not hmac.compare_digest(signature, self._sign(body)):
            raise _strange()
        mark, made, _, last = orjson.loads(body)
        if self.clock() - made > self.lifetime:
            raise Problem(410, "the cursor has expired; start the search again", kind="cursor-expired")
        if mark != fingerprint(search):
            message = "the cursor belongs to a search with other parameters"
            raise wrong([Detail("cursor", message, "cursor")])
        values: list[Value] = last
        return values

    def _sign(self, body: bytes) -> bytes:
        return hmac.new(self.secret, body, hashlib.sha256).digest()[:_SIGNATURE]


def _strange() -> Problem:
    return wrong([Detail("cursor", "this is not a cursor of this archive", "cursor")])


def fingerprint(search: tree.Select) -> str:
    """Return what tells one search from another: its filters and its order, not its columns."""
    source = search.source.table.name if isinstance(search.source, tree.TableRef) else ""
    text = repr((source, search.where, search.order_by))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def as_value(cell: Any, kind: Kind) -> Value:
    """Return a cell of an answer as a constant of the tree."""
    if kind is Kind.TIMESTAMP and isinstance(cell, datetime):
        moment = cell if cell.tzinfo else cell.replace(tzinfo=UTC)
        delta = moment - _EPOCH
        return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
    value: Value = cell
    return value


def after(order: Sequence[tree.Order], last: Sequence[Value]) -> tree.Predicate:
    """Return the condition of rows that come after one in this order, NULLs last.

    ``last`` has one value per sort key; the keys together are unique.
    """
    choices: list[tree.Predicate] = []
    same: list[tree.Predicate] = []
    for key, value in zip(order, last, strict=True):
        expression = key.expression
        if value is None:
            # Nothing comes after NULL, so only rows that share it can follow.
            same.append(tree.IsNull(expression))
            continue
        constant = tree.Literal(value, expression.kind)
        beyond = tree.Comparison("<" if key.descending else ">", expression, constant)
        later = tree.Or((beyond, tree.IsNull(expression)))
        choices.append(tree.And((*same, later)) if same else later)
        same.append(tree.Comparison("=", expression, constant))
    return choices[0] if len(choices) == 1 else tree.Or(tuple(choices))
