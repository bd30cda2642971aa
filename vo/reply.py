"""Answers of the services, before HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import pyarrow as pa

import schemas
from query import tree
from store.limits import TimeLimit
from store.port import Answer, QueryError
from vo.dali import Fault, RowLimit, Rows, fault_of
from vo.descriptors import LINKS, datalink
from vo.formats.registry import Format
from vo.ports import Ports
from vo.votable.document import Head, Info, error_document

VOTABLE = "application/x-votable+xml"
"""The media type of VOTable."""


class Body:
    """A document in pieces; closing it stops the query behind it, whether or not it was read."""

    def __init__(self, pieces: Iterator[bytes], resources: ExitStack, rows: Rows | None = None) -> None:
        self._pieces = pieces
        self._resources = resources
        self._rows = rows

    @property
    def failure(self) -> Fault | None:
        """Why the document ended before all its rows were there; None while it has not."""
        return None if self._rows is None else self._rows.failure

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._pieces)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Release the engine; harmless when done before."""
        self._resources.close()


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: its status, its media type, and its bytes at once or in pieces."""

    body: bytes | Body
    media_type: str = VOTABLE
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Question:
    """A query, how many of its rows to show (None: none, which is no overflow), and what to say with them.

    ``uploads`` has the rows of tables that came with the query (``store.port``).
    """

    query: tree.Query
    limit: RowLimit | None
    head: Head
    uploads: Mapping[str, pa.Table] = field(default_factory=dict)


def answer(
    ports: Ports,
    ask: Callable[[schemas.Schemas], Question],
    form: Format,
    media_type: str,
    *,
    time: TimeLimit | None = None,
) -> Reply:
    """Run a query and return its rows in a form, as they come.

    ``ask`` builds the query from the declarations in force at the version that answers. The answer may take
    what the service grants from now on, or what is left of ``time``.

    Raises
    ------
    Fault
        When the query cannot be built or fails before its first rows.
    """
    time = time or TimeLimit(ports.limits.seconds)
    with ExitStack() as resources:
        try:
            snapshot = resources.enter_context(ports.index.snapshot())
            question = ask(snapshot.schemas)
            limit = question.limit
            if limit is None or limit.rows == 0:
                found = Answer(snapshot.version, question.query.columns, iter(()))
            else:
                found = snapshot.run(
                    question.query, limit=limit.rows + 1, timeout=time.left, uploads=question.uploads
                )
        except QueryError as error:
            raise fault_of(error) from error
        resources.callback(found.close)
        rows = Rows(found, limit or RowLimit(1, "only the description was asked for"))
        head = question.head.with_infos(
            Info("lake_version", str(found.version)), Info("request_id", ports.request_id())
        )
        head = replace(head, services=datalink(ports.url(LINKS), found.columns))
        body = Body(form.write(rows, head), resources.pop_all(), rows)
        return Reply(body, media_type, headers={"Content-Disposition": _file_name(head.table_name, form)})


def _file_name(name: str, form: Format) -> str:
    """Return a header that lets a browser show an answer, and names the file if it is kept."""
    plain = "".join(char for char in name if char.isascii() and (char.isalnum() or char in "._-"))
    return f'inline; filename="{plain or "answer"}.{form.suffix}"'


def error_reply(ports: Ports, fault: Fault, *infos: Info) -> Reply:
    """Return the error document of a fault (DALI 1.1, section 4.2)."""
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    document = error_document(fault.text, [*infos, Info("request_id", ports.request_id())])
    return Reply(document, VOTABLE, fault.status, headers)
