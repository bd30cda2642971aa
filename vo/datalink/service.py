"""Links of data products (DataLink 1.1, section 2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from typing import Any

import pyarrow as pa

from schemas.arrow import arrow_schema
from store.port import Answer, QueryError
from vo.dali import Parameters, RowLimit, Rows, fault_of
from vo.datalink.columns import COLUMNS
from vo.descriptors import DATALINK, LINKS
from vo.formats.registry import choose
from vo.links import Link
from vo.ports import Ports
from vo.reply import VOTABLE, Body, Reply
from vo.votable.document import Head, Info, Service

MEDIA_TYPE = f"{VOTABLE};content=datalink"
"""The media type of an answer."""

_AT_ONCE = 500
"""Identifiers that are looked up together."""


class LinkService:
    """Answers with the links of each identifier."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    def links(self, params: Parameters) -> Reply:
        """Answer a request for the links of any number of identifiers.

        An answer is cut only between two identifiers (section 3.4).

        Raises
        ------
        Fault
            When a parameter is wrong, or the index does not answer.
        """
        form, media_type = choose(params.one("RESPONSEFORMAT"))
        if media_type == VOTABLE:
            media_type = MEDIA_TYPE
        limit = self._ports.limits.rows(params.one("MAXREC"))
        identifiers = list(dict.fromkeys(text.strip() for text in params.many("ID") if text.strip()))
        try:
            rows, whole = self._rows(identifiers, limit.rows)
        except QueryError as error:
            raise fault_of(error) from error
        found = Answer(0, COLUMNS, iter([pa.RecordBatch.from_pylist(rows, schema=arrow_schema(COLUMNS))]))
        shown = RowLimit(whole, limit.reason, limit.lowered_from) if rows else limit
        head = Head(
            (Info("standardID", DATALINK), Info("request_id", self._ports.request_id())),
            "links",
            "What belongs to each data product",
            services=(Service(DATALINK, self._ports.url(LINKS), "This service", "ID"),),
        )
        return Reply(Body(form.write(Rows(found, shown), head), ExitStack()), media_type)

    def _rows(self, identifiers: Sequence[str], most: int) -> tuple[list[dict[str, Any]], int]:
        """Return rows of whole identifiers, and how many fit; one row more says that there are others."""
        rows: list[dict[str, Any]] = []
        for identifier, links in self._found(identifiers):
            if len(rows) + len(links) > most:
                return [*rows, _row(identifier, links[0])], len(rows)
            rows += [_row(identifier, link) for link in links]
        return rows, len(rows)

    def _found(self, identifiers: Sequence[str]) -> Iterator[tuple[str, Sequence[Link]]]:
        left = iter(identifiers)
        while some := list(islice(left, _AT_ONCE)):
            yield from zip(some, self._ports.linker.links(some), strict=True)


def _row(identifier: str, link: Link) -> dict[str, Any]:
    return {
        "ID": identifier,
        "access_url": link.access_url,
        "error_message": link.error_message,
        "description": link.description,
        "semantics": link.semantics,
        "content_type": link.content_type,
        "content_length": link.content_length,
        "content_qualifier": link.content_qualifier,
        "local_semantics": link.local_semantics,
        "link_auth": None if link.access_url is None else "false" if link.open else "true",
        "link_authorized": None if link.access_url is None else link.open,
    }
