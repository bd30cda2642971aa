"""VOTable and FITS tables as Arrow tables; the only place here that reads them with astropy."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from astropy.io import fits
from astropy.io.votable import parse
from astropy.table import MaskedColumn, Table

from indexer.columns import SourceColumn
from indexer.errors import IngestError


def votable_table(path: Path, name: str | None) -> tuple[Sequence[SourceColumn], pa.Table, str]:
    """Read a table of a VOTable; ``name`` is its name or ID, by default the first one.

    Raises
    ------
    IngestError
        When there is no such table.
    """
    with warnings.catch_warnings(action="ignore"):
        document = parse(str(path), verify="ignore")
        tables = list(document.iter_tables())
        chosen = [t for t in tables if name is None or name in (t.name, t.ID)]
        if not chosen:
            raise IngestError("table", f"{path} has no table {name or ''}".rstrip() + ".")
        first = chosen[0]
        columns = [_votable_column(field) for field in first.fields]
        table = first.to_table(use_names_over_ids=True)
    arrays = [_array(table[column]) for column in table.colnames]
    return columns, pa.table(arrays, names=[c.name for c in columns]), first.description or ""


def _votable_column(field: Any) -> SourceColumn:
    unit = None if field.unit is None else str(field.unit)
    return SourceColumn(field.name or field.ID, unit or None, field.ucd, field.utype, field.description or "")


def votable_columns(document: bytes) -> Mapping[str, SourceColumn]:
    """Return the columns that the VOTable header of a Parquet file describes, by name."""
    if not document:
        return {}
    with warnings.catch_warnings(action="ignore"):
        tables = parse(io.BytesIO(document), verify="ignore").iter_tables()
        columns = [_votable_column(field) for table in tables for field in table.fields]
    return {column.name: column for column in columns}


def fits_table(path: Path, name: str | None) -> tuple[Sequence[SourceColumn], pa.Table, str]:
    """Read a table extension of a FITS file; ``name`` is its EXTNAME, by default the first one.

    Raises
    ------
    IngestError
        When there is no such table.
    """
    with warnings.catch_warnings(action="ignore"), fits.open(path, memmap=False) as hdus:
        chosen = [
            hdu
            for hdu in hdus
            if isinstance(hdu, fits.BinTableHDU | fits.TableHDU)
            and (name is None or hdu.name == name.upper())
        ]
        if not chosen:
            raise IngestError("table", f"{path} has no table {name or ''}".rstrip() + ".")
        hdu = chosen[0]
        table = Table.read(hdu, character_as_bytes=False)
        columns = [_fits_column(hdu.header, number, c) for number, c in enumerate(hdu.columns, start=1)]
    arrays = [_array(table[column]) for column in table.colnames]
    return columns, pa.table(arrays, names=[c.name for c in columns]), ""


def _fits_column(header: Any, number: int, column: Any) -> SourceColumn:
    said = {key: header.get(f"{key}{number}") for key in ("TUCD", "TUTYP", "TCOMM")}
    return SourceColumn(
        column.name, column.unit or None, said["TUCD"], said["TUTYP"], str(said["TCOMM"] or "")
    )


def _array(column: Any) -> pa.Array:
    """Return a column of an astropy table; masked values and NaN are NULL, several per row are lists."""
    values = np.asarray(column)
    masked = (
        np.ma.getmaskarray(column) if isinstance(column, MaskedColumn) else np.zeros(values.shape, np.bool_)
    )
    if values.dtype.kind == "O" or values.ndim > 1:
        return pa.array([_value(value, mask) for value, mask in zip(values, masked, strict=True)])
    if values.dtype.kind in "SU":
        return pa.array([None if m else _text(v) for v, m in zip(values, masked, strict=True)], pa.string())
    if values.dtype.kind == "f":
        masked = masked | np.isnan(values)
    return pa.array(values.astype(values.dtype.newbyteorder("=")), mask=masked)


def _value(value: Any, mask: Any) -> Any:
    if np.all(mask) or value is None:
        return None
    if isinstance(value, bytes | str):
        return _text(value)
    if isinstance(value, np.ndarray | np.ma.MaskedArray):
        # Arrow keeps lists flat: what has several dimensions is listed in the order of the file.
        found = np.asarray(value).ravel()
        return [_text(item) if isinstance(item, bytes | str) else item.item() for item in found]
    return value.item() if isinstance(value, np.generic) else value


def _text(value: Any) -> str | None:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.rstrip("\0 ") or None
