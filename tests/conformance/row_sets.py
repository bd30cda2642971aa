"""What ORDER BY and the set operations do to rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Rows: TypeAlias = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Tied:
    """ORDER BY some columns (which, and whether backwards), and the part of the rows that is asked for."""

    order: tuple[tuple[int, bool], ...]
    offset: int
    top: int | None


def order_text(order: Sequence[tuple[int, bool]]) -> str:
    keys = ", ".join(f"{place + 1}{' DESC' if down else ''}" for place, down in order)
    return f" ORDER BY {keys}" if order else ""


def put_in_order(rows: Rows, order: Sequence[tuple[int, bool]]) -> Rows:
    """Sort with NULL last both ways; the least important key comes first."""
    for place, down in reversed(order):
        there = [row for row in rows if row[place] is not None]
        # Sorting backwards must not turn equal rows around.
        there.sort(key=lambda row: _Down(row[place]) if down else row[place])
        rows = [*there, *(row for row in rows if row[place] is None)]
    return rows


@dataclass(frozen=True, eq=False)
class _Down:
    value: Any

    def __lt__(self, other: _Down) -> bool:
        return bool(other.value < self.value)


def union_rows(left: Rows, right: Rows) -> Rows:
    return list(dict.fromkeys([*left, *right]))


def union_all(left: Rows, right: Rows) -> Rows:
    return [*left, *right]


def except_rows(left: Rows, right: Rows) -> Rows:
    return [row for row in dict.fromkeys(left) if row not in set(right)]


def except_all(left: Rows, right: Rows) -> Rows:
    return list((Counter(left) - Counter(right)).elements())


def intersect_rows(left: Rows, right: Rows) -> Rows:
    there = set(right)
    return [row for row in dict.fromkeys(left) if row in there]


def intersect_all(left: Rows, right: Rows) -> Rows:
    return list((Counter(left) & Counter(right)).elements())
