"""VISIR's EXPTIME is the time of one integration, DIT."""

from __future__ import annotations

from instruments.headers import FileHeaders
from instruments.identity import is_processed


def total_time(headers: FileHeaders) -> float | None:
    """Return the time integrated in a raw frame [s]: DIT times NDIT, in both beams of each chopping cycle."""
    if is_processed(headers):
        return None
    single, count = headers.number("ESO DET DIT"), headers.number("ESO DET NDIT")
    if single is None or count is None or single < 0 or count < 1:
        return None
    cycles = headers.number("ESO DET CHOP NCYCLES") if headers.get("ESO DET CHOP ST") is True else None
    return single * count * (2 * cycles if cycles is not None and cycles >= 1 else 1)
