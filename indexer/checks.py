"""What a row must be before the lake takes it: a declaration's rules, for many rows at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from indexer.errors import RowRefused
from schemas import Column, Kind, Table

LONGEST_TEXT: Final = 32_766
"""Bytes of a text in a table that is indexed; engines take no longer keyword."""

LONGEST_REGION: Final = 1 << 20
"""Bytes of a footprint as text."""

_RANGES: Final[dict[str, tuple[float, float]]] = {
    "pos.eq.ra": (0.0, 360.0),
    "pos.eq.dec": (-90.0, 90.0),
    "pos.galactic.lon": (0.0, 360.0),
    "pos.galactic.lat": (-90.0, 90.0),
    "pos.ecliptic.lon": (0.0, 360.0),
    "pos.ecliptic.lat": (-90.0, 90.0),
    "meta.code;obs.calib": (0, 4),
    "time.duration": (0.0, np.inf),
    "time.resolution": (0.0, np.inf),
    "phys.size": (0, np.inf),
    "phys.angSize": (0.0, np.inf),
    "pos.angResolution": (0.0, np.inf),
    "em.wl": (0.0, np.inf),
    "spect.resolution": (0.0, np.inf),
    "stat.error": (0.0, np.inf),
}
"""Least and largest value by UCD, or by its first word; standard tables' columns only."""

Mask = NDArray[np.bool_]


@dataclass(slots=True)
class Problems:
    """Why rows are refused, the first reason of each; notes on those that are not."""

    refused: dict[int, RowRefused] = field(default_factory=dict)
    nulled: int = 0
    mis_wound: int = 0

    def refuse(self, rows: Iterable[int], code: str, message: str) -> None:
        """Refuse rows for one reason."""
        for row in rows:
            self.refused.setdefault(int(row), RowRefused(code, message))

    def kept(self, count: int) -> Mask:
        """Mark the rows that are not refused, of ``count``."""
        mask = np.ones(count, np.bool_)
        mask[list(self.refused)] = False
        return mask


def check_rows(table: Table, rows: pa.Table, problems: Problems) -> pa.Table:
    """Hold rows against their declaration; NaN and infinities become NULL.

    Parameters
    ----------
    table : the declaration.
    rows : rows whose columns have the declared names and types; absent columns are NULL.
    problems : receives what is wrong, by row number.

    Returns
    -------
    The same rows; the refused ones too, so that numbers stay.
    """
    columns = {}
    for name in rows.column_names:
        column = table.column(name)
        columns[name] = _checked(column, rows[name], problems, indexed=table.indexed)
        if column.required or name in table.key:
            missing = pc.is_null(columns[name])
            _refuse(problems, missing, "missing", f"{column.name} is required and has no value.")
    for column in table.columns:
        needed = column.required or column.name in table.key
        if needed and column.name not in columns and rows.num_rows:
            problems.refuse(range(rows.num_rows), "missing", f"{column.name} is required and has no value.")
    checked = pa.table(columns) if columns else rows
    _check_position(table, checked, problems)
    _check_order(table, checked, problems)
    return checked


def _checked(
    column: Column, values: pa.ChunkedArray, problems: Problems, *, indexed: bool
) -> pa.ChunkedArray:
    if pa.types.is_floating(values.type):
        finite = pc.is_finite(values)
        bad = pc.sum(pc.invert(finite)).as_py() or 0
        if bad:
            problems.nulled += int(bad)
            values = pc.if_else(finite, values, pa.scalar(None, values.type))
    if pa.types.is_string(values.type) and indexed:
        _check_text(column, values, problems)
    elif column.kind.is_numeric and not column.array:
        _check_range(column, values, problems)
    return values


def _check_text(column: Column, values: pa.ChunkedArray, problems: Problems) -> None:
    most = LONGEST_REGION if column.kind is Kind.REGION else LONGEST_TEXT
    long = pc.greater(pc.binary_length(values), most)
    _refuse(problems, long, "too-long", f"{column.name} is longer than {most} bytes.")
    if column.values:
        known = pc.or_(pc.is_in(values, value_set=pa.array(column.values, pa.string())), pc.is_null(values))
        _refuse(
            problems,
            pc.invert(known),
            "not-allowed",
            f"{column.name} is none of {', '.join(column.values)}.",
        )


def _check_range(column: Column, values: pa.ChunkedArray, problems: Problems) -> None:
    if not column.ucd or not (column.std or column.unit):
        return
    limits = _RANGES.get(column.ucd) or _RANGES.get(column.ucd.split(";")[0])
    if limits is None:
        return
    least, most = limits
    # Beyond 2^53 a whole number may be no double: the nearest one is on the same side of a limit.
    numbers = values.cast(pa.float64(), safe=False)
    wrong = pc.or_(pc.less(numbers, least), pc.greater(numbers, most))
    unit = f" {column.unit}" if column.unit else ""
    said = f"below {least:g}{unit}" if np.isinf(most) else f"outside {least:g} to {most:g}{unit}"
    _refuse(problems, wrong, "out-of-range", f"{column.name} is {said}.")


def _check_position(table: Table, rows: pa.Table, problems: Problems) -> None:
    if table.position is None:
        return
    lon, lat = (_nulls(rows, name) for name in table.position)
    text = f"Of {table.position[0]} and {table.position[1]} only one has a value."
    problems.refuse(np.flatnonzero(lon != lat), "half-position", text)


def _check_order(table: Table, rows: pa.Table, problems: Problems) -> None:
    """Check that what is called ``…_min`` is not above its ``…_max``."""
    for name in rows.column_names:
        other = f"{name.removesuffix('_min')}_max"
        if (
            not name.endswith("_min")
            or other not in rows.column_names
            or not table.column(name).kind.is_numeric
        ):
            continue
        _refuse(
            problems,
            pc.greater(rows[name], rows[other]),
            "wrong-order",
            f"{name} is larger than {other}.",
        )


def _nulls(rows: pa.Table, name: str) -> Mask:
    if name not in rows.column_names:
        return np.ones(rows.num_rows, np.bool_)
    found: Mask = pc.is_null(rows[name]).to_numpy()
    return found


def _refuse(problems: Problems, wrong: pa.ChunkedArray, code: str, message: str) -> None:
    if pc.any(wrong).as_py():
        rows = np.flatnonzero(pc.fill_null(wrong, False).to_numpy(zero_copy_only=False))  # noqa: FBT003
        problems.refuse(rows, code, message)
