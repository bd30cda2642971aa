"""The body of a request as JSON."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request

from archive.problems import Detail, Problem, wrong

MOST_BODY = 4_000_000
"""Bytes of a JSON request at most; a MOC, or a list of files, may be long."""


async def json_object(request: Request) -> dict[str, Any]:
    """Read the request's body as a JSON object.

    Raises
    ------
    Problem
        413 when it is too long, 400 when it is no JSON object.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BODY:
            raise Problem(413, f"a request has at most {MOST_BODY} bytes", kind="too-large")
    try:
        data = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        detail = Detail("syntax", f"the body is no JSON: {error.msg}", "body", (), error.lineno, error.colno)
        raise wrong([detail]) from None
    if not isinstance(data, dict):
        raise wrong([Detail("type", "the body has to be a JSON object", "body")])
    return data
