"""What an answer says that is an error, though it came with status 200, as DALI allows.

Only the standard library is imported here, for the processes of a crowd.
"""

from __future__ import annotations

import html
import re

_END = 4096
"""Bytes to look at: an error stands in a short document of its own, or after the last row."""

_ELEMENT = re.compile(
    rb"""<(?:\w+:)?(?:INFO|PARAM)\b((?:\s+[\w:]+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*/?>([^<]*)"""
)
_ATTRIBUTE = re.compile(rb"""([\w:]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")


def error_of(answer: bytes) -> str | None:
    """Return the error that a VOTable tells of, or None.

    ``QUERY_STATUS`` is ``ERROR`` (DALI 1.1, 4.4), or an element is called ``Error`` (Simple Cone Search
    1.03, 2.3).
    """
    for part in (answer[:_END], answer[-_END:]):
        # Nearly all answers are good: the patterns are not tried on them.
        if b"ERROR" not in part and b"Error" not in part:
            continue
        for element, content in _ELEMENT.findall(part):
            said = {name: one or other for name, one, other in _ATTRIBUTE.findall(element)}
            if said.get(b"name") == b"QUERY_STATUS" and said.get(b"value") == b"ERROR":
                return _text(content)
            if said.get(b"name") == b"Error":
                return _text(said.get(b"value", content))
    return None


def _text(found: bytes) -> str:
    return html.unescape(found.decode(errors="replace")).strip()
