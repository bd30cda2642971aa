"""FIELDs of VOTables as columns (VOTable 1.4, section 4.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from schemas import Column, Kind
from schemas.datatype import TEXTS, Datatype
from vo.uploads.limits import MOST_ELEMENTS, Unreadable

_KINDS: Mapping[str, Kind] = {
    "boolean": Kind.BOOLEAN,
    "bit": Kind.BOOLEAN,
    "unsignedByte": Kind.SHORT,
    "short": Kind.SHORT,
    "int": Kind.INT,
    "long": Kind.LONG,
    "char": Kind.TEXT,
    "unicodeChar": Kind.TEXT,
    "float": Kind.FLOAT,
    "double": Kind.DOUBLE,
    "floatComplex": Kind.FLOAT,
    "doubleComplex": Kind.DOUBLE,
}

_BYTES: Mapping[str, int] = {
    "boolean": 1,
    "bit": 1,
    "unsignedByte": 1,
    "short": 2,
    "int": 4,
    "long": 8,
    "char": 1,
    "unicodeChar": 2,
    "float": 4,
    "double": 8,
    "floatComplex": 8,
    "doubleComplex": 16,
}

INTEGERS: Mapping[str, tuple[int, int]] = {
    "unsignedByte": (0, 255),
    "short": (-(2**15), 2**15 - 1),
    "int": (-(2**31), 2**31 - 1),
    "long": (-(2**63), 2**63 - 1),
}
"""The least and the greatest number of integer datatypes."""

_SHAPE = re.compile(r"(\d{1,9}x)*(\d{1,9}\*?|\*)\Z")
_SHAPES: Mapping[tuple[str | None, str | None], Kind] = {
    ("point", "2"): Kind.POINT,
    ("circle", "3"): Kind.CIRCLE,
}
_LONGEST_NAME = 255
_LONGEST_TEXT = 10_000


@dataclass(frozen=True, slots=True)
class FieldElement:
    """What a FIELD says: its attributes, its DESCRIPTION, and the ``null`` of its VALUES."""

    attributes: Mapping[str, str]
    description: str = ""
    null: str | None = None


def element_bytes(declared: Datatype) -> int:
    """Return the bytes of one element in BINARY; of a bit, one."""
    return _BYTES[declared.datatype]


def row_bytes(columns: tuple[Column, ...]) -> int:
    """Return how many bytes the values of declared size take in a row."""
    found = 0
    for column in columns:
        declared = column.votable
        if declared is not None and declared.size is not None:
            found += declared.size * element_bytes(declared)
    return found


def column_of(field: FieldElement, place: int) -> Column:
    """Return the column that a FIELD declares.

    Raises
    ------
    Unreadable
        When it declares none that VOTable knows.
    """
    said = field.attributes
    name = said.get("name") or said.get("ID") or f"col{place + 1}"
    if len(name) > _LONGEST_NAME:
        raise Unreadable(f"the name of column {place + 1} is longer than {_LONGEST_NAME} characters")
    declared = _declared(name, said)
    return Column(
        name=name,
        kind=_kind(declared),
        description=field.description[:_LONGEST_TEXT],
        unit=said.get("unit"),
        ucd=said.get("ucd"),
        utype=said.get("utype"),
        array=_array(declared),
        votable=declared,
        null=_null(declared, field.null),
    )


def check_names(columns: tuple[Column, ...]) -> None:
    """Raise ``Unreadable`` where two names differ in the case of letters at most, as ADQL sees none."""
    seen: set[str] = set()
    for column in columns:
        name = column.name.lower()
        if name in seen:
            raise Unreadable(f"two columns are named {column.name!r} (upper and lower case do not count)")
        seen.add(name)


def _declared(name: str, said: Mapping[str, str]) -> Datatype:
    datatype = said.get("datatype", "")
    if datatype not in _KINDS:
        raise Unreadable(f"column {name!r} has the datatype {datatype[:40]!r}, which VOTable does not know")
    size: str | None = said.get("arraysize", "").strip() or None
    if size is not None and _SHAPE.match(size) is None:
        raise Unreadable(f"column {name!r} has the arraysize {size[:40]!r}, which is none")
    declared = Datatype(datatype, size, said.get("xtype"))
    if (declared.size or 0) > MOST_ELEMENTS:
        raise Unreadable(f"column {name!r} has values of more than {MOST_ELEMENTS} elements")
    return declared


def _kind(declared: Datatype) -> Kind:
    if declared.datatype == "double":
        if declared.xtype == "polygon" and declared.arraysize is not None:
            return Kind.POLYGON
        return _SHAPES.get((declared.xtype, declared.arraysize), Kind.DOUBLE)
    return _KINDS[declared.datatype]


def _array(declared: Datatype) -> str | None:
    if not declared.is_list or _kind(declared).is_geometry:
        return None
    return declared.arraysize or str(declared.width)


def _null(declared: Datatype, null: str | None) -> int | None:
    if null is None or declared.datatype not in INTEGERS:
        return None
    try:
        found = int(null.strip(), 0)
    except ValueError:
        return None
    least, greatest = INTEGERS[declared.datatype]
    return found if least <= found <= greatest else None


def is_text(column: Column) -> bool:
    """Whether a column's values are texts in VOTable."""
    return column.votable is not None and column.votable.datatype in TEXTS
