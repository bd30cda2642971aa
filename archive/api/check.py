"""Checks of ADQL without running it."""

from __future__ import annotations

from typing import Any

from archive.problems import Detail
from archive.process import Process
from query import tree
from store.limits import TimeLimit
from vo import adql
from vo.adql.printer import to_adql


def check(process: Process, text: str) -> dict[str, Any]:
    """Parse and resolve a query; say what is wrong with it, or how it would be answered.

    Raises
    ------
    QueryError
        When that takes longer than a query may.
    """
    time = TimeLimit(process.settings.query_seconds)
    with process.index.snapshot() as snapshot:
        public = snapshot.schemas.public
        errors = adql.check(text, public, time=time)
        plan = None
        if not errors:
            query = adql.translate(text, public, time=time)
            plan = dict(snapshot.explain(query, timeout=time.left))
    details = [
        Detail(e.code, e.message, None, tuple(e.suggestions), e.line, e.column).document() for e in errors
    ]
    for detail in details:
        detail.setdefault("suggestions", [])
    return {"errors": details, "plan": plan}


def as_adql(query: tree.Query) -> str | None:
    """Return a search as ADQL; None when ADQL has no words for it."""
    try:
        return to_adql(query)
    except ValueError:
        return None
