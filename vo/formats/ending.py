"""What a format does that has no place for a failure after its first rows."""

from __future__ import annotations

from vo.dali.rows import Rows


class BrokenAnswerError(Exception):
    """The engine failed while rows were being sent; the connection must break, lest the answer look whole."""


def check_ending(rows: Rows) -> None:
    """Raise when the rows ended by a failure.

    Raises
    ------
    BrokenAnswerError
        So that the connection is cut and the client sees an incomplete transfer.
    """
    if rows.ending is not None and rows.ending.status == "ERROR":
        raise BrokenAnswerError(rows.ending.text)
