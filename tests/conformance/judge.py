"""Whether an engine's answer is the one that was computed."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from store.port import Index, QueryRejected, Snapshot
from tests.conformance.queries import Query
from tests.conformance.row_sets import Rows, Tied
from tests.conformance.sky_oracle import InDoubtError
from tests.conformance.values_oracle import OverflowedError
from vo.adql import translate

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def expected(query: Query) -> Rows | None:
    """Compute a query's rows; None where no one answer can be asked for."""
    try:
        return query.rows({})
    except (InDoubtError, OverflowedError):
        return None


def answered(index: Index, text: str, limit: int | None = None) -> Rows:
    """Ask an index."""
    with index.snapshot() as snapshot:
        return answered_at(snapshot, text, limit)


def answered_at(snapshot: Snapshot, text: str, limit: int | None = None) -> Rows:
    """Ask an index at one version."""
    answer = snapshot.run(translate(text, snapshot.schemas), limit=limit, timeout=30)
    assert answer.version == snapshot.version
    return list(zip(*(map(_plain, column.to_pylist()) for column in answer.table().columns), strict=True))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        delta = value.replace(tzinfo=UTC) - _EPOCH
        return (delta.days * 86400 + delta.seconds) * 1_000_000 + delta.microseconds
    return value


def difference(query: Query, rows: Rows, found: Rows) -> str | None:
    """Say how an answer differs from what it should be."""
    if query.tied is not None:
        return _tied(query, query.tied, rows, found)
    if query.top is not None:
        if len(found) != min(query.top, len(rows)):
            return f"{len(found)} rows, not {min(query.top, len(rows))}"
        strange = Counter(_keys(found, query)) - Counter(_keys(rows, query))
        return f"rows that should not be there: {list(strange)[:3]}" if strange else None
    if query.ordered:
        pairs = zip(_keys(rows, query), _keys(found, query), strict=False)
        wrong = next((pair for pair in pairs if pair[0] != pair[1]), None)
        if wrong is None and len(rows) == len(found):
            return _numbers(query, rows, found)
        return f"{len(found)} rows, not {len(rows)}; first wrong (expected, found): {wrong}"
    return _all(query, rows, found)


def _all(query: Query, rows: Rows, found: Rows) -> str | None:
    """Compare rows without an order."""
    missing = Counter(_keys(rows, query)) - Counter(_keys(found, query))
    strange = Counter(_keys(found, query)) - Counter(_keys(rows, query))
    if missing or strange:
        return f"{len(found)} rows, not {len(rows)}; missing {list(missing)[:3]}, strange {list(strange)[:3]}"
    return _numbers(query, rows, found)


def _tied(query: Query, tied: Tied, rows: Rows, found: Rows) -> str | None:
    """Compare the rows of an order that may leave some equal: any of those may come first."""
    tops = [top for top in (tied.top, query.limit) if top is not None]
    wanted = rows[tied.offset :][: min(tops, default=None)]
    if len(found) != len(wanted):
        return f"{len(found)} rows, not {len(wanted)}"
    for place, _ in tied.order:
        for number, (one, other) in enumerate(zip(wanted, found, strict=True)):
            if one[place] != other[place]:
                return f"row {number} has {other[place]!r} in column {place + 1}, not {one[place]!r}"
    strange = Counter(_keys(found, query)) - Counter(_keys(rows, query))
    if strange:
        return f"rows that should not be there: {list(strange)[:3]}"
    return _numbers(query, rows, found) if len(found) == len(rows) else None


def _keys(rows: Rows, query: Query) -> list[tuple[Any, ...]]:
    """Return rows as they can be compared; what is inexact counts only as there or not."""
    return [
        tuple(value if exact else value is None for value, exact in zip(row, query.exact, strict=True))
        for row in rows
    ]


def _numbers(query: Query, rows: Rows, found: Rows) -> str | None:
    """Compare inexact numbers, paired by the rest of their rows."""
    if all(query.exact):
        return None

    def grouped(listed: Rows) -> Mapping[tuple[Any, ...], list[tuple[float, ...]]]:
        groups: dict[tuple[Any, ...], list[tuple[float, ...]]] = {}
        for row, key in zip(listed, _keys(listed, query), strict=True):
            inexact = tuple(0.0 if v is None else v for v, e in zip(row, query.exact, strict=True) if not e)
            groups.setdefault(key, []).append(inexact)
        return groups

    others = grouped(found)
    for key, numbers in grouped(rows).items():
        for one, other in zip(sorted(numbers), sorted(others[key]), strict=True):
            if not _close(one, other):
                return f"{key}: {other}, not {one}"
    return None


def _close(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-11) for a, b in zip(one, other, strict=True))


def _may_overflow(text: str) -> bool:
    """Whether a query has whole numbers so large that computing with them can go beyond 64 bits."""
    return ".big" in text or str(2**53)[:-1] in text or re.search(r"\b21474836\d\d\b.*\*", text) is not None


def judged(query: Query, rows: Rows | None, indexes: Mapping[str, Index]) -> str | None:
    """Ask every index and compare with the rows that are expected; None when all is well."""
    for name, index in indexes.items():
        try:
            found = answered(index, query.text, query.limit)
        except QueryRejected:
            # An engine may compute what is left out in the end, such as both sides of AND.
            if rows is None or _may_overflow(query.text):
                continue
            raise
        if rows is not None:
            wrong = difference(query, rows, found)
            if wrong:
                return f"{name}: {wrong}"
    return None
