"""Errors as RFC 9457 problem documents.

Problem
├── raised by our own handlers, with the status and words of the case
└── made from RegionError, QueryError and its kinds, by ``as_problem``
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from archive.context import request_id
from sky.regions import RegionError
from store import port

MEDIA_TYPE = "application/problem+json"
"""The media type of a problem document."""


@dataclass(frozen=True, slots=True)
class Detail:
    """One thing that is wrong: a code for programs, the parameter, and words for people."""

    code: str
    message: str
    field: str | None = None
    suggestions: tuple[str, ...] = ()
    line: int | None = None
    column: int | None = None

    def document(self) -> dict[str, Any]:
        """Return it as the JSON of ``errors[]``; what is absent is left out."""
        items = {
            "code": self.code,
            "field": self.field,
            "line": self.line,
            "column": self.column,
            "message": self.message,
            "suggestions": list(self.suggestions) or None,
        }
        return {key: value for key, value in items.items() if value is not None}


class Problem(Exception):  # noqa: N818 - RFC 9457 calls it a problem
    """A request that cannot be answered as asked.

    ``kind`` names the type in ``urn:onedfs:problem:<kind>``; ``more`` are members of the document beside
    those of the RFC.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        kind: str | None = None,
        errors: Sequence[Detail] = (),
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.kind = kind
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.more = more

    def document(self) -> dict[str, Any]:
        """Return the problem document."""
        return {
            "type": f"urn:onedfs:problem:{self.kind}" if self.kind else "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "request_id": request_id(),
            "errors": [error.document() for error in self.errors],
            **self.more,
        }

    def response(self) -> Response:
        """Return the answer to send."""
        return Response(
            orjson.dumps(self.document()), self.status, {**self.headers, "Content-Type": MEDIA_TYPE}
        )


def wrong(errors: Sequence[Detail]) -> Problem:
    """Return the problem of a request with these mistakes."""
    if len(errors) == 1:
        return Problem(400, errors[0].message, kind="bad-request", errors=errors)
    return Problem(
        400, f"{len(errors)} parameters are wrong: {errors[0].message}", kind="bad-request", errors=errors
    )


def our_failure() -> Problem:
    """Return the problem of a request that we failed, without its insides."""
    return Problem(500, "The server failed; its log has the details under this request id")


def similar(name: str, known: Iterable[str]) -> tuple[str, ...]:
    """Return the known names that are most like ``name``, best first."""
    by_lower = {item.lower(): item for item in known}
    found = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.6)
    return tuple(by_lower[item] for item in found)


_OF_ENGINE: tuple[tuple[type[port.QueryError], int, str], ...] = (
    (port.IndexNotReady, 503, "not-ready"),
    (port.QueryTimeout, 504, "timeout"),
    (port.QueryTooLarge, 413, "too-large"),
    (port.QueryRejected, 400, "rejected"),
    (port.QueryError, 500, "query"),
)


def as_problem(error: Exception) -> Problem | None:
    """Return the problem that an error of a lower layer stands for; None when it is none of the known."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RegionError):
        return wrong([Detail(error.code, str(error), "region")])
    for kind, status, slug in _OF_ENGINE:
        if isinstance(error, kind):
            headers = {"Retry-After": "2"} if status == 503 else {}
            return Problem(status, str(error) or slug, kind=slug, headers=headers)
    return None


async def problem_handler(_: Request, error: Exception) -> Response:
    """Answer a known error with its problem document."""
    problem = as_problem(error)
    if problem is None:
        raise error
    return problem.response()
