"""Names of collections, and ids for files that bring none."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePosixPath
from typing import Final

_OTHER: Final = re.compile(r"[^A-Za-z0-9_+-]+")
_SUFFIX: Final = re.compile(r"(\.(fits|fit|fts|mt|tfits|ffits))?(\.(fz|gz|z|bz2))?\Z", re.IGNORECASE)
_DIGITS: Final = 10
_LONGEST: Final = 64


def slug(text: str) -> str:
    """Return text made of ``A-Z a-z 0-9 _ + -`` alone, not empty, of at most 64 characters."""
    return _OTHER.sub("_", text).strip("_")[:_LONGEST] or "x"


def stem(path: str) -> str:
    """Return a path's last part without the suffixes of FITS and of compression."""
    return _SUFFIX.sub("", PurePosixPath(path).name)


def minted_id(collection: str, path: str) -> str:
    """Return the id of a file that brings none: readable, and told by collection and path alone."""
    digest = hashlib.sha256(f"{collection}\0{path}".encode()).hexdigest()
    return f"{slug(collection)}.{slug(stem(path))}.{digest[:_DIGITS]}"
