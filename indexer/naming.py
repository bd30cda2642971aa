"""From the names and types of a file's columns to a declaration."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import astropy.units as u
import pyarrow as pa

from indexer.columns import SourceColumn
from indexer.errors import IngestError
from schemas import Column, Kind
from schemas.model import REGULAR_IDENTIFIER
from schemas.words import RESERVED

ROW_ID: Final = "row_id"
"""Key of a catalogue that brings none: the number of the row in its file, from 1."""

_LON_UCDS: Final = ("pos.eq.ra;meta.main", "pos_eq_ra_main", "pos.eq.ra")
_LAT_UCDS: Final = ("pos.eq.dec;meta.main", "pos_eq_dec_main", "pos.eq.dec")
_LON_NAMES: Final = (
    "ra",
    "raj2000",
    "_raj2000",
    "ra_icrs",
    "_ra_icrs",
    "ra_deg",
    "radeg",
    "_ra",
    "ra_j2000",
    "alpha_j2000",
)
_LAT_NAMES: Final = (
    "dec",
    "dej2000",
    "_dej2000",
    "de_icrs",
    "_de_icrs",
    "dec_deg",
    "dedeg",
    "_de",
    "dec_j2000",
    "delta_j2000",
)
ID_UCDS: Final = ("meta.id;meta.main", "id_main")
"""What a column is called whose values name the objects."""


@dataclass(frozen=True, slots=True)
class Described:
    """A column of a file, its name in the archive, and its type."""

    source: SourceColumn
    column: Column
    factor: float = 1.0


def kind_of(values: pa.DataType) -> tuple[Kind, str | None]:
    """Return the kind and array size for a column of an Arrow type.

    Raises
    ------
    IngestError
        When we have no such type.
    """
    if pa.types.is_list(values) or pa.types.is_large_list(values) or pa.types.is_fixed_size_list(values):
        kind, inner = kind_of(values.value_type)
        if inner is None and (kind.is_numeric or kind is Kind.BOOLEAN):
            return kind, "*"
        raise IngestError("type", f"Columns of type {values} cannot be published.")
    for test, kind in _KINDS:
        if test(values):
            return kind, None
    raise IngestError("type", f"Columns of type {values} cannot be published.")


_KINDS: Final = (
    (pa.types.is_boolean, Kind.BOOLEAN),
    (lambda t: t in (pa.int8(), pa.uint8(), pa.int16()), Kind.SHORT),
    (lambda t: t in (pa.uint16(), pa.int32()), Kind.INT),
    (pa.types.is_integer, Kind.LONG),
    (lambda t: t in (pa.float16(), pa.float32()), Kind.FLOAT),
    (pa.types.is_floating, Kind.DOUBLE),
    (pa.types.is_decimal, Kind.DOUBLE),
    (pa.types.is_timestamp, Kind.TIMESTAMP),
    (pa.types.is_date, Kind.TIMESTAMP),
    (pa.types.is_string, Kind.TEXT),
    (pa.types.is_large_string, Kind.TEXT),
    (pa.types.is_null, Kind.TEXT),
    (pa.types.is_dictionary, Kind.TEXT),
)


def regular_names(names: Iterable[str]) -> list[str]:
    """Return names that ADQL takes without quotes, each once, as like the given ones as can be.

    Letters of Latin and Greek are spelled in ASCII: ``été`` is ``ete``, ``δ`` is ``delta``. A reserved word
    gets a ``_`` at its end.
    """
    found: list[str] = []
    for name in names:
        spelled = "".join(map(_in_ascii, unicodedata.normalize("NFKD", name)))
        plain = re.sub(r"[^A-Za-z0-9_]+", "_", spelled).strip("_") or "column"
        plain = plain if REGULAR_IDENTIFIER.match(plain) else f"c_{plain}"
        plain = f"{plain}_" if plain.upper() in RESERVED or keyword.iskeyword(plain) else plain
        taken = {other.lower() for other in found} | {ROW_ID}
        number = 2
        unique = plain
        while unique.lower() in taken:
            unique, number = f"{plain}_{number}", number + 1
        found.append(unique)
    return found


_LETTER: Final = re.compile(
    r"(?:LATIN|GREEK) (SMALL|CAPITAL) (?:LETTER|LIGATURE) (?:SHARP |DOTLESS |FINAL |LONG )?([A-Z]+)"
)


def _in_ascii(char: str) -> str:
    """Return a character, or its letters if it is an accent, or a letter of Latin or Greek."""
    if char.isascii():
        return char
    if unicodedata.combining(char):
        return ""
    letter = _LETTER.match(unicodedata.name(char, ""))
    if letter is None:
        return char
    return letter[2].capitalize() if letter[1] == "CAPITAL" else letter[2].lower()


def describe(columns: Sequence[SourceColumn], schema: pa.Schema) -> list[Described]:
    """Declare a file's columns, in its order."""
    names = regular_names(column.name for column in columns)
    found = []
    for source, name, values in zip(columns, names, schema.types, strict=True):
        kind, array = kind_of(values)
        column = Column(
            name=name,
            kind=kind,
            array=array,
            description=source.description,
            unit=source.unit,
            ucd=source.ucd,
            utype=source.utype,
            principal=True,
        )
        found.append(Described(source, column))
    return found


def find_position(columns: Sequence[Described]) -> tuple[str, str] | None:
    """Return the names of right ascension and declination: by UCD, else by name; None without them."""
    lon, lat = _find(columns, _LON_UCDS, _LON_NAMES), _find(columns, _LAT_UCDS, _LAT_NAMES)
    return None if lon is None or lat is None else (lon, lat)


def _find(columns: Sequence[Described], ucds: Sequence[str], names: Sequence[str]) -> str | None:
    numeric = [c for c in columns if c.column.kind.is_numeric and not c.column.array]
    for ucd in ucds:
        for found in numeric:
            if (found.source.ucd or "").lower() == ucd:
                return found.column.name
    for name in names:
        for found in numeric:
            if found.source.name.lower() == name:
                return found.column.name
    return None


def in_degrees(columns: Sequence[Described], position: tuple[str, str]) -> list[Described]:
    """Turn the position columns into double-precision degrees, whatever their unit is.

    Raises
    ------
    IngestError
        When their unit is no angle.
    """
    ucds = dict(zip(position, ("pos.eq.ra;meta.main", "pos.eq.dec;meta.main"), strict=True))
    found = []
    for described in columns:
        column = described.column
        if column.name in ucds:
            column = column.model_copy(
                update={"unit": "deg", "kind": Kind.DOUBLE, "ucd": ucds[column.name], "indexed": True}
            )
            found.append(replace(described, column=column, factor=_to_degrees(described.source)))
        else:
            found.append(described)
    return found


def _to_degrees(source: SourceColumn) -> float:
    if not source.unit:
        return 1.0
    try:
        return float(u.Unit(source.unit).to(u.deg))
    except (ValueError, TypeError, u.UnitsError) as error:
        raise IngestError("unit", f"{source.name} is in {source.unit!r}, which is no angle.") from error


def find_key(columns: Sequence[Described], is_unique: Mapping[str, bool]) -> str | None:
    """Return the name of the column that identifies rows: by UCD, if its values differ; None without one."""
    for ucd in ID_UCDS:
        for found in columns:
            if (found.source.ucd or "").lower() == ucd and is_unique.get(found.source.name):
                return found.column.name
    return None
