"""What can go wrong with the lake.

LakeError
├── LeaseTimeout      another process holds the lease; says which
├── FeedIncomplete    the changes asked for were cleaned away; start again from a snapshot
├── VersionGone       that version was cleaned away, or is not there yet
└── Incompatible      a table's columns in the lake contradict its declaration; needs a migration
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
from deltalake.exceptions import DeltaError


class LakeError(Exception):
    """The lake could not do what was asked; the message is for the operator."""


class LeaseTimeout(LakeError):  # noqa: N818 - names the condition
    """Another process has held the lease for too long."""


class FeedIncomplete(LakeError):  # noqa: N818
    """Part of the change feed was cleaned away; rebuild from a snapshot."""


class VersionGone(LakeError):  # noqa: N818
    """No such version, or its files were cleaned away."""


class Incompatible(LakeError):  # noqa: N818
    """Rows or a declaration contradict what the table holds."""


@contextmanager
def told_as_lake_errors(doing: str) -> Iterator[None]:
    """Turn what the file system, Arrow and Delta raise into a ``LakeError`` that says what was tried.

    Raises
    ------
    LakeError
        For a full disk, missing permissions, a corrupt log or file.
    """
    try:
        yield
    except LakeError:
        raise
    except FileNotFoundError as error:
        raise VersionGone(f"{doing}: a file is missing: {error}") from error
    except (OSError, DeltaError, pa.ArrowException, ValueError) as error:
        raise LakeError(f"{doing}: {error}") from error
