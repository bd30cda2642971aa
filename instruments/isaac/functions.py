"""ISAAC's frames are averages: EXPTIME is the time of one integration, DIT."""

from __future__ import annotations

from instruments.headers import FileHeaders
from instruments.identity import is_processed


def total_time(headers: FileHeaders) -> float | None:
    """Return DIT times NDIT [s] of a raw frame."""
    if is_processed(headers):
        return None
    single, count = headers.number("ESO DET DIT"), headers.number("ESO DET NDIT")
    if single is None or count is None or single < 0 or count < 1:
        return None
    return single * count
