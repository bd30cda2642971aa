"""What a package holds, fixed when it is asked for, and how that is kept."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson

from archive.packages.layout import Entry

NANOSECONDS = 1_000_000_000

MOST_SHOWN = 1000
"""Files left out that the description of a package names; its manifest names all of them."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file of the archive in a package: its path there, size in bytes, time in ns since 1970, SHA-256."""

    name: str
    dp_id: str
    size: int
    mtime: int
    checksum: str
    content_type: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that was asked for and is not in the package: why, in a word and in words."""

    dp_id: str
    reason: str
    detail: str
    access_url: str | None = None


@dataclass(frozen=True, slots=True)
class Package:
    """A package: its name, which is the folder of all that it holds, when it was made, and what is in it.

    ``texts`` are the documents at its beginning, by their path.
    """

    name: str
    created: datetime
    members: tuple[Member, ...]
    left_out: tuple[LeftOut, ...]
    texts: tuple[tuple[str, str], ...]

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(member.size for member in self.members)

    def entries(self) -> list[Entry]:
        """Return what is to be sent, the documents first."""
        made = int(self.created.timestamp())
        found = []
        for name, text in self.texts:
            content = text.encode()
            digest = sha256(content).hexdigest()
            found.append(Entry(f"{self.name}/{name}", len(content), made, digest, content))
        found += [
            Entry(f"{self.name}/{m.name}", m.size, m.mtime // NANOSECONDS, m.checksum) for m in self.members
        ]
        return found

    def written(self) -> bytes:
        """Return it as it is kept."""
        return zlib.compress(orjson.dumps(asdict(self)))


def read(content: bytes) -> Package:
    """Return the package that was written so."""
    kept: dict[str, Any] = orjson.loads(zlib.decompress(content))
    return Package(
        kept["name"],
        datetime.fromisoformat(kept["created"]),
        tuple(Member(**member) for member in kept["members"]),
        tuple(LeftOut(**item) for item in kept["left_out"]),
        tuple((name, text) for name, text in kept["texts"]),
    )


def description(package: Package, url: str, expires: datetime) -> dict[str, Any]:
    """Return what the JSON API says of a package at a URL."""
    reasons: Mapping[str, int] = Counter(item.reason for item in package.left_out)
    return {
        "url": url,
        "name": package.name,
        "created": package.created.isoformat(timespec="seconds"),
        "expires": expires.isoformat(timespec="seconds"),
        "files": len(package.members),
        "bytes": package.size,
        "left_out": {
            "total": len(package.left_out),
            "reasons": dict(sorted(reasons.items())),
            "files": [asdict(item) for item in package.left_out[:MOST_SHOWN]],
        },
        "tar": f"{url}.tar",
        "zip": f"{url}.zip",
    }
