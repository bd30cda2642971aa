"""The description of a Parquet file's columns as a VOTable without data (IVOA Note VOParquet 1.0)."""

from __future__ import annotations

import io
from collections.abc import Mapping

from schemas import Column
from vo.uploads.limits import Unreadable, UploadLimits
from vo.uploads.values import settled
from vo.uploads.votable import read_votable


def described_in(content: bytes, limits: UploadLimits) -> Mapping[str, Column]:
    """Return the columns that a VOTable describes by name; none when it cannot be read."""
    try:
        columns, arrays = read_votable(io.BytesIO(content), limits)
    except Unreadable:
        return {}
    return {column.name: settled(column, array)[0] for column, array in zip(columns, arrays, strict=True)}
