"""DALI timestamps as microseconds since 1970-01-01 (DALI 1.1, section 3.3.3)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_DATE = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d{2})(?:-(?P<day>\d{2})"
    r"(?:[T ](?P<hour>\d{2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d*))?)?)?Z?)?)?)?\Z",
    re.ASCII,
)


def parse_timestamp(text: str) -> int | None:
    """Return the moment that a DALI date names, in microseconds since 1970 (UTC), or None if it is none.

    A date may be shortened from the right (``2024``, ``2024-01``, ``2024-01-01T12:00``) and then means its
    first moment. Digits beyond the microsecond are cut.
    """
    found = _DATE.match(text.strip())
    if found is None:
        return None
    part = found.groupdict()
    micro = int(((part["fraction"] or "") + "000000")[:6])
    try:
        moment = datetime(
            int(part["year"]),
            int(part["month"] or 1),
            int(part["day"] or 1),
            int(part["hour"] or 0),
            int(part["minute"] or 0),
            int(part["second"] or 0),
            micro,
            tzinfo=UTC,
        )
    except ValueError:
        return None
    return (moment - _EPOCH) // timedelta(microseconds=1)


def format_timestamp(microseconds: int) -> str:
    """Return the DALI text of a moment; without a fraction when it is whole."""
    moment = _EPOCH + timedelta(microseconds=microseconds)
    return moment.replace(tzinfo=None).isoformat()
