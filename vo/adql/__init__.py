"""ADQL 2.1: text into the query tree, and back."""

from __future__ import annotations

from collections.abc import Iterable

import schemas
from query import tree
from store.limits import TimeLimit
from vo.adql.errors import AdqlError, Code, Source
from vo.adql.parser import parse
from vo.adql.printer import to_adql
from vo.adql.resolver import resolve

__all__ = ["AdqlError", "Code", "check", "to_adql", "translate"]


def translate(
    text: str,
    declared: schemas.Schemas,
    *,
    uploads: Iterable[schemas.Table] | None = None,
    time: TimeLimit | None = None,
) -> tree.Query:
    """Turn an ADQL query into the query tree.

    ``declared`` are the tables that it may name, ``uploads`` the ones that came with it.

    Raises
    ------
    AdqlError
        The first thing that is wrong with the query, and where.
    QueryTimeout
        When the time is up before the query is read.
    """
    query, errors = _read(Source(text, time), _with_uploads(declared, uploads))
    if query is None:
        raise errors[0]
    return query


def check(
    text: str,
    declared: schemas.Schemas,
    *,
    uploads: Iterable[schemas.Table] | None = None,
    time: TimeLimit | None = None,
) -> list[AdqlError]:
    """Return what is wrong with a query: one error of syntax, or the wrong names and types in order.

    Raises
    ------
    QueryTimeout
        When the time is up before the query is read.
    """
    return _read(Source(text, time), _with_uploads(declared, uploads))[1]


def _read(source: Source, declared: schemas.Schemas) -> tuple[tree.Query | None, list[AdqlError]]:
    try:
        return resolve(source, parse(source), declared)
    except AdqlError as error:
        return None, [error]
    except RecursionError:
        # Nesting is bounded, but the caller may have used up most of the stack before.
        return None, [source.error("syntax", 0, "the query is nested too deeply")]


def _with_uploads(declared: schemas.Schemas, uploads: Iterable[schemas.Table] | None) -> schemas.Schemas:
    tables = list(uploads or ())
    return declared.with_tables(tables) if tables else declared
