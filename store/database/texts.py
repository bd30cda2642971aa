"""What every database can keep: texts without NUL and half characters, JSON without NaN."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

_UNKEPT = re.compile("[\x00\ud800-\udfff]")


def kept_text(text: str) -> str:
    """Return a text with what PostgreSQL refuses, or UTF-8 cannot write, as escapes.

    Names of files may hold bytes that are no UTF-8, headers of broken files anything.
    """
    return _UNKEPT.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def kept_json(value: Any) -> Any:
    """Return a document as every database takes it; numbers that JSON does not have become words."""
    if isinstance(value, str):
        return kept_text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {kept_text(str(key)): kept_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [kept_json(item) for item in value]
    return value
