"""What a query process and the worker tell each other, a line of JSON each."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson

from store.jobs import Failure, Result

READY = b"ready\n"
"""What a query process says once it can take a job."""

MEGABYTES = "_ONEDFS_JOB_MEGABYTES"
"""Environment variable with the memory that a query process may take."""


def as_line(outcome: Result | Failure) -> bytes:
    """Return an outcome as a line."""
    kind = "result" if isinstance(outcome, Result) else "failure"
    return orjson.dumps({kind: asdict(outcome)}) + b"\n"


def from_line(line: bytes) -> Result | Failure | None:
    """Read an outcome; None for a line that is none."""
    try:
        found: Any = orjson.loads(line)
        return Result(**found["result"]) if "result" in found else Failure(**found["failure"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
