"""What belongs to the request in work: its id."""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar

_CURRENT: ContextVar[str] = ContextVar("request_id", default="-")

_SANE = re.compile(r"[A-Za-z0-9._:+/=-]{1,128}\Z")


def request_id() -> str:
    """Return the id of the request in work; ``-`` outside of one."""
    return _CURRENT.get()


def begin(offered: str | None) -> str:
    """Start a request under the id that the client offered, if it is a sane one, or a new one."""
    chosen = offered if offered and _SANE.match(offered) else secrets.token_hex(8)
    _CURRENT.set(chosen)
    return chosen
