"""Values that a column of each kind may have, as strategies."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from schemas import Kind

_INT64 = st.integers(-(2**63), 2**63 - 1)
_COORDINATES = st.floats(-360, 360)

VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.BOOLEAN: st.booleans(),
    Kind.SHORT: st.integers(-(2**15), 2**15 - 1),
    Kind.INT: st.integers(-(2**31), 2**31 - 1),
    Kind.LONG: _INT64,
    Kind.FLOAT: st.floats(width=32, allow_nan=False, allow_infinity=False),
    Kind.DOUBLE: st.floats(allow_nan=False, allow_infinity=False),
    Kind.TEXT: st.text(),
    Kind.TIMESTAMP: _INT64,
    Kind.POINT: st.lists(_COORDINATES, min_size=2, max_size=2),
    Kind.CIRCLE: st.lists(_COORDINATES, min_size=3, max_size=3),
    Kind.POLYGON: st.lists(_COORDINATES),
    Kind.REGION: st.text(),
}
