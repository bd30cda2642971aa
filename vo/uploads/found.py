"""What the readers of all formats return."""

from __future__ import annotations

from typing import TypeAlias

import pyarrow as pa

from schemas import Column

Found: TypeAlias = tuple[tuple[Column, ...], list[pa.Array | pa.ChunkedArray]]
"""The columns of a table, and their values."""
