"""The type of a value in the words of VOTable 1.4 (section 2.1)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

TEXTS = frozenset({"char", "unicodeChar"})
"""Datatypes whose arrays are texts."""

COMPLEX = frozenset({"floatComplex", "doubleComplex"})
"""Datatypes whose values are two numbers."""


@dataclass(frozen=True, slots=True)
class Datatype:
    """``datatype``, ``arraysize`` and ``xtype`` of a FIELD; None where the attribute is absent."""

    datatype: str
    arraysize: str | None = None
    xtype: str | None = None

    @property
    def is_list(self) -> bool:
        """Whether a value is a list of numbers or booleans."""
        return self.datatype in COMPLEX or (self.arraysize is not None and self.datatype not in TEXTS)

    @property
    def width(self) -> int:
        """How many numbers an element has."""
        return 2 if self.datatype in COMPLEX else 1

    @property
    def size(self) -> int | None:
        """How many elements every value has; None when they differ."""
        if self.arraysize is None:
            return 1
        if self.arraysize.endswith("*"):
            return None
        return prod(map(int, self.arraysize.split("x")))

    @property
    def numbers(self) -> int | None:
        """How many numbers every value has; None when they differ."""
        return None if self.size is None else self.size * self.width

    def with_xtype(self, xtype: str | None) -> Datatype:
        """Return the same of another ``xtype``, unless that is None."""
        return self if xtype is None else replace(self, xtype=xtype)
