"""What can go wrong.

IndexerError
├── FileRefused    one file goes to the quarantine; the run goes on
├── RowRefused     one row does; the load goes on
└── IngestError    the run cannot go on; what was committed stays
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from typing_extensions import override

if TYPE_CHECKING:
    from indexer.summary import Summary


class IndexerError(Exception):
    """A failure with a short ``code`` and a message for a person."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @override
    def __reduce__(self) -> tuple[type[IndexerError], tuple[str, str]]:
        """Cross a process boundary whole."""
        return type(self), (self.code, self.message)


class FileRefused(IndexerError):  # noqa: N818 - it names an outcome
    """A file that is not accepted."""


class RowRefused(IndexerError):  # noqa: N818 - it names an outcome
    """A row that is not accepted."""


class IngestError(IndexerError):
    """The run stops here; ``summary`` says what became of what it had committed before."""

    summary: Summary | None = None


def in_words(error: Exception) -> str:
    """Return what stops a run when the lake cannot be written, as one line."""
    text = " ".join(str(error).split()).rstrip(".")
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES):
        # Libraries say it in the middle of what they were at.
        if os.strerror(number) in text:
            text = os.strerror(number)
    return f"The lake cannot be written: {text}."
