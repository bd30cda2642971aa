"""VOTable and FITS tables as Arrow tables; the only place here that reads them with astropy."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
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
    return *_real(columns, table), first.description or ""


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
    return *_real(columns, table), ""


def _fits_column(header: Any, number: int, column: Any) -> SourceColumn:
    said = {key: header.get(f"{key}{number}") for key in ("TUCD", "TUTYP", "TCOMM")}
    return SourceColumn(
        column.name, column.unit or None, said["TUCD"], said["TUTYP"], str(said["TCOMM"] or "")
    )


def _real(columns: Sequence[SourceColumn], table: Table) -> tuple[Sequence[SourceColumn], pa.Table]:
    """Return the columns of an astropy table; complex ones become two, of real and imaginary parts."""
    found: list[tuple[SourceColumn, pa.Array]] = []
    for source, name in zip(columns, table.colnames, strict=True):
        values = table[name]
        if not _is_complex(values):
            found.append((source, _array(values)))
            continue
        for part, said in (("real", "real part"), ("imag", "imaginary part")):
            about = f"{source.description} ({said})".strip()
            described = replace(source, name=f"{source.name}_{part}", ucd=None, description=about)
            found.append((described, _array(_part(values, part))))
    return [source for source, _ in found], pa.table(
        [array for _, array in found], names=[source.name for source, _ in found]
    )


def _is_complex(column: Any) -> bool:
    kinds = {column.dtype.kind}
    if column.dtype.kind == "O":
        kinds = {np.asarray(value).dtype.kind for value in column if value is not None}
    return "c" in kinds


def _part(column: Any, part: str) -> Any:
    if column.dtype.kind != "O":
        values = getattr(np.asarray(column), part)
        masked = np.ma.getmaskarray(column) if isinstance(column, MaskedColumn) else False
        return MaskedColumn(values, mask=masked)
    cells = [None if value is None else getattr(np.ma.asarray(value), part) for value in column]
    found = np.empty(len(cells), object)
    found[:] = cells
    return found


def _array(column: Any) -> pa.Array:
    """Return a column of an astropy table; masked values and NaN are NULL, several per row are lists."""
    values = np.asarray(column)
    masked = (
        np.ma.getmaskarray(column) if isinstance(column, MaskedColumn) else np.zeros(values.shape, np.bool_)
    )
    if values.dtype.kind == "O" or values.ndim > 1:
        return pa.array(
            [_value(value, mask) for value, mask in zip(values, masked, strict=True)],
            _list_type(values.dtype),
        )
    if values.dtype.kind in "SU":
        return pa.array([None if m else _text(v) for v, m in zip(values, masked, strict=True)], pa.string())
    if values.dtype.kind == "f":
        masked = masked | np.isnan(values)
    return pa.array(values.astype(values.dtype.newbyteorder("=")), mask=masked)


def _list_type(cells: np.dtype[Any]) -> pa.DataType | None:
    """Return the type of lists of numbers; None where the values tell."""
    return pa.list_(pa.from_numpy_dtype(cells.newbyteorder("="))) if cells.kind in "biuf" else None


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
