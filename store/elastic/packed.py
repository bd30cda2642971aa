"""Packed rows as documents carry them: in base64, with the cell of the position."""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise

import numpy as np
import pyarrow as pa

import schemas
from schemas.elastic import packed_columns
from store.packed import Garbled, Layout, Packed


def pack(table: schemas.Table, batch: pa.RecordBatch) -> list[str]:
    """Return the rows of a batch of the lake; a number that is not finite is NULL."""
    packed = Layout.of(packed_columns(table)).pack(batch)
    text = binascii.b2a_base64(packed.data, newline=False).decode("ascii")
    bounds = np.concatenate(([0], np.cumsum(packed.sizes // 3 * 4))).tolist()
    return [text[start:end] for start, end in pairwise(bounds)]


def unpack(table: schemas.Table, rows: Sequence[str], wanted: AbstractSet[str]) -> pa.Table:
    """Return some columns of packed rows, by lower-case name, in the lake's types.

    Raises
    ------
    Garbled
        When they are no rows of this table as it is declared.
    """
    try:
        data = binascii.a2b_base64("".join(rows))
    except ValueError as error:
        raise Garbled(str(error)) from None
    sizes = np.fromiter(map(len, rows), np.int64, len(rows)) // 4 * 3
    return Layout.of(packed_columns(table)).unpack(Packed(data, sizes), wanted)
