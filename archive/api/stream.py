"""Searches as CSV, Parquet, VOTable and other forms: everything that matches, sent while it is found."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

from starlette.responses import StreamingResponse

from archive.api import search, tables
from archive.api.params import MOST_ROWS, SearchParams
from archive.problems import Detail, Problem, wrong
from archive.process import Process
from vo.dali.faults import Fault, UsageFault
from vo.dali.limits import RowLimit
from vo.dali.rows import Rows
from vo.formats import registry
from vo.votable.document import Head

_JSON = "application/json"
_OF_BROWSERS = frozenset({"text/html", "application/xhtml+xml", "application/xml", "text/xml", "text/plain"})
"""What browsers say they accept; they get JSON unless ``format`` asks otherwise."""


@dataclass(frozen=True, slots=True)
class Form:
    """A form other than JSON, and the media type to call it by."""

    form: registry.Format
    media_type: str


def chosen_format(name: str | None, accept: str | None) -> Form | None:
    """Return the form that the ``format`` parameter, or else the Accept header, asks for; None for JSON.

    Raises
    ------
    Problem
        400 when ``format`` names none.
    """
    if name is not None:
        try:
            form, media_type = registry.choose(name)
        except UsageFault as fault:
            message = str(fault).replace("RESPONSEFORMAT", "format")
            raise wrong([Detail("value", message, "format")]) from None
        return None if form.media_type == _JSON else Form(form, media_type)
    for wanted in _by_preference(accept or ""):
        if wanted == _JSON or wanted in _OF_BROWSERS or "*" in wanted:
            return None
        try:
            return Form(*registry.choose(wanted))
        except UsageFault:
            continue
    return None


def _by_preference(accept: str) -> list[str]:
    ranked = []
    for part in accept.split(","):
        name, _, quality = part.replace(" ", "").partition(";q=")
        try:
            ranked.append((float(quality or 1), name.lower()))
        except ValueError:
            continue
    return [name for q, name in sorted(ranked, key=lambda item: -item[0]) if q > 0 and name]


def streamed(
    process: Process, name: str, params: SearchParams, form: Form, *, head: bool = False
) -> StreamingResponse:
    """Answer a search in another form than JSON; to HEAD without its rows.

    Raises
    ------
    Problem
        When it fails before its first rows; later failures end the document as its form allows.
    """
    with ExitStack() as stack:
        snapshot = stack.enter_context(process.index.snapshot())
        table = tables.public_table(snapshot.schemas, name)
        if params.facets:
            raise wrong([Detail("value", "facets come with JSON only", "facets")])
        limit = min(params.limit or 0, MOST_ROWS)
        wanted = search.understand(table, params.model_copy(update={"limit": limit}), process.cursors)
        query = replace(wanted.page, outputs=wanted.select.outputs, top=None)
        cut = _limit(params.limit)
        answer = snapshot.run(query, limit=cut.rows + 1, timeout=process.settings.download_seconds)
        try:
            rows = Rows(answer, cut)
        except Fault as fault:
            raise Problem(fault.status, str(fault), kind="query") from fault
        held = stack.pop_all()
    file_name = f"{table.name}.{form.form.suffix}"
    headers = {
        "Content-Disposition": f'inline; filename="{file_name}"',
        "Vary": "Accept",
        "X-Lake-Version": str(rows.version),
    }
    if head:
        held.close()
        return StreamingResponse(iter(()), headers=headers, media_type=form.media_type)
    body = _sent(form.form.write(rows, Head(table_name=table.name)), held)
    return StreamingResponse(body, headers=headers, media_type=form.media_type)


def _limit(asked: int | None) -> RowLimit:
    if asked is None:
        return RowLimit(sys.maxsize - 1, "no limit")
    return RowLimit(asked, f"limit={asked}")


def _sent(chunks: Iterator[bytes], held: ExitStack) -> Iterator[bytes]:
    with held:
        yield from chunks
