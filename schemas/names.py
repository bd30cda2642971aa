"""When two spellings are the same name of a celestial object.

Observers write ``NGC 253``, ``ngc253``, ``NGC-253`` and ``NGC_0253``. Names are compared by their keys:

- Compatible forms of Unicode are one (NFKC), and case does not count.
- Blanks, underscores and hyphens do not count, except between two digits: there they keep numbers apart, and
  a hyphen or a plus is the sign of a declination, ``PKS 1226-023``.
- Zeros before a number that follows a letter do not count.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from schemas.model import Column, Kind

NAME_UCD = "meta.id;src"
"""The UCD of columns that hold names of celestial objects."""

KEYS = "@name="
"""What the names of indexes of keys begin with, and those of columns never."""

_DASHES = "[\u2010-\u2015\u2212]"
_STEPS = (
    ("[\\x00-\\x20_]+", " "),
    (" *([+-]) *", "\\1"),
    ("([^0-9])[ -]+", "\\1"),
    ("[ -]+([^0-9])", "\\1"),
    ("^[ -]+|[ -]+$", ""),
    ("([^0-9 .+-])0+([0-9])", "\\1\\2"),
)


def holds_names(column: Column) -> bool:
    """Whether the values of a column are names of celestial objects."""
    return column.ucd == NAME_UCD and column.kind is Kind.TEXT and not column.served


def key_column(name: str) -> str:
    """Return what an index calls the keys of the names in a column, given by name in any case."""
    return KEYS + name.lower()


def name_keys(names: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return the keys by which names are compared, as texts; NULL where there is no name."""
    keys = names
    if not pc.all(pc.string_is_ascii(names)).as_py():
        keys = pc.replace_substring_regex(pc.utf8_normalize(keys, "NFKC"), _DASHES, "-")
    keys = pc.utf8_lower(keys)
    for pattern, instead in _STEPS:
        keys = pc.replace_substring_regex(keys, pattern, instead)
    return keys


def name_key(name: str) -> str:
    """Return the key by which a name is compared; empty when there is nothing in it but separators.

    Halves of characters, which no stored text holds, become question marks.
    """
    whole = name.encode("utf-8", "replace").decode()
    key: str = name_keys(pa.array([whole], pa.string()))[0].as_py()
    return key
