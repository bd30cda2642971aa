"""Synchronous queries (TAP 1.1, section 2)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Protocol

import schemas
from query import tree
from store.limits import TimeLimit
from vo import adql
from vo.dali import Parameters, RowLimit, UsageFault
from vo.formats.registry import choose
from vo.ports import Ports
from vo.reply import Question, Reply, answer
from vo.uploads.positions import placed
from vo.uploads.request import Upload, read_uploads, rows_of
from vo.votable.document import Head, Info

LANGUAGES = ("ADQL", "ADQL-2.0", "ADQL-2.1")
"""Values of LANG."""

_LONGEST_RUNID = 64


class Translate(Protocol):
    """Turns ADQL into a query."""

    def __call__(self, text: str, declared: schemas.Schemas, *, time: TimeLimit) -> tree.Query:
        """Read the text; raises ``AdqlError``, and ``QueryTimeout`` when the time is up."""
        ...


class TapService:
    """Answers ADQL queries."""

    def __init__(self, ports: Ports, *, translate: Translate = adql.translate) -> None:
        self._ports = ports
        self._translate = translate

    def sync(self, params: Parameters) -> Reply:
        """Run the query of a ``/sync`` request.

        Raises
        ------
        Fault
            When the request is wrong, or the query fails before its first rows.
        """
        time = TimeLimit(self._ports.limits.seconds)
        check_request(params)
        form, media_type = choose(params.choice(("RESPONSEFORMAT", "FORMAT")))
        limit = self._ports.limits.rows(params.one("MAXREC"))
        text = params.required("QUERY")
        uploads = read_uploads(params, self._ports.uploads, self._ports.fetch)
        ask = partial(self._question, text, limit, uploads, time)
        return answer(self._ports, ask, form, media_type, time=time)

    def _question(
        self,
        text: str,
        limit: RowLimit,
        uploads: Sequence[Upload],
        time: TimeLimit,
        declared: schemas.Schemas,
    ) -> Question:
        try:
            # Tables that are not public do not exist for those who ask.
            query = self._query(text, declared.public, uploads, time)
            if uploads:
                query = self._query(text, declared.public, placed(uploads, query), time)
        except adql.AdqlError as error:
            raise UsageFault(str(error)) from error
        head = Head((Info("standardID", "ivo://ivoa.net/std/TAP"), Info("query", text)))
        return Question(query, limit, head, rows_of(uploads))

    def _query(
        self, text: str, declared: schemas.Schemas, uploads: Sequence[Upload], time: TimeLimit
    ) -> tree.Query:
        if uploads:
            declared = declared.with_tables(upload.table for upload in uploads)
        return self._translate(text, declared, time=time)


def check_request(params: Parameters) -> None:
    """Check the parameters that do not change the answer.

    REQUEST and VERSION left TAP with version 1.1; clients of 1.0 still send them.

    Raises
    ------
    UsageFault
        When REQUEST or LANG name something else, or RUNID is too long.
    """
    request = params.one("REQUEST")
    if request is not None and request != "doQuery":
        raise UsageFault(f"REQUEST {request[:40]!r} is not known; leave it out, or send doQuery")
    language = params.one("LANG")
    if language is not None and language not in LANGUAGES:
        raise UsageFault(f"LANG {language[:40]!r} is not known; use one of {', '.join(LANGUAGES)}")
    run = params.one("RUNID")
    if run is not None and len(run) > _LONGEST_RUNID:
        raise UsageFault(f"RUNID has {len(run)} characters; at most {_LONGEST_RUNID} are allowed")
