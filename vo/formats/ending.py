"""What a format does that has no place for a failure after its first rows."""

from __future__ import annotations

from vo.dali.rows import Rows


def check_ending(rows: Rows) -> None:
    """Raise when the rows ended by a failure, so that no cut answer looks whole.

    Raises
    ------
    Fault
        What failed. When bytes have been sent, the server breaks the connection.
    """
    if rows.failure is not None:
        raise rows.failure
